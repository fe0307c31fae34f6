"""Builds that are broken on purpose, for the negative controls: each takes one guard away."""

from typing import Any

from django.db import connections

from apps.events.jobs import pulse, runner
from apps.events.jobs.claim import Claim
from tests.chaos.points import point

UNFENCED = """
UPDATE public.events_job SET state = %s, result = %s::jsonb, lease_until = NULL, finished_at = clock_timestamp()
WHERE id = %s
"""


def without_fence() -> None:
    """Completion asks neither whose claim it was nor whether the job still runs."""

    def end(taken: Claim, state: str, **_more: Any) -> bool:
        with connections["default"].cursor() as cursor:
            cursor.execute(UNFENCED, [state, "{}", taken.id])
        return True

    runner._end = end
    pulse.Run.beat = lambda self: None


def completion_apart() -> None:
    """The effect commits in a transaction of its own, the completion in another."""

    def perform(taken: Claim) -> None:
        task = runner.queue.tasks[taken.name]
        tenant = taken.tenant
        with runner._scope(tenant, taken):
            result = task.run(taken.run, **taken.args)
        point("completion apart: effect committed")
        with runner._scope(tenant, taken):
            runner._complete(taken, result)

    runner._perform = perform


BROKEN = {"fence": without_fence, "apart": completion_apart}
