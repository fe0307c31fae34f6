"""The sweeper: finds jobs whose worker died and jobs nobody was rung for, and rings again."""

import json
import logging
import threading
import time
from uuid import UUID

from django.db import connections
from psycopg import sql

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.db import loss
from apps.core.scope import platform_scope
from apps.events.jobs import history
from apps.events.jobs.bell import bell
from apps.events.jobs.herald import herald
from apps.events.jobs.vanished import end_leases
from apps.events.jobs.waking import seconds_to_next, wake

logger = logging.getLogger("aibos.work")

MOST_RINGS = 32
JOB_DAYS = 30
LOOK, SHORTEST = 1.0, 0.02  # seconds: somebody may have asked for an earlier moment meanwhile
# An attempt that ended with its worker counts: what kills every worker must not be tried for ever.
EXPIRED = sql.SQL("""
UPDATE public.events_job job SET
  state = lost.next, error = lost.cause,
  finished_at = CASE WHEN lost.next <> 'queued' THEN clock_timestamp() END,
  lease_until = NULL, run_at = clock_timestamp(),
  {attempts}
FROM (SELECT id, 'The worker was lost during attempt ' || attempt || '.' AS cause,
             CASE WHEN cancel_requested THEN 'cancelled' WHEN attempt >= max_attempts THEN 'failed' ELSE 'queued'
             END AS next
      FROM public.events_job WHERE state = 'running' AND lease_until < clock_timestamp()
      FOR UPDATE SKIP LOCKED) lost
WHERE job.id = lost.id
RETURNING job.id, job.name, job.state, job.tenant_id, job.actor, job.attempt, job.error
""").format(attempts=history.append(state="lost.next", cause="lost.cause", job="job."))
DUE = """
SELECT id FROM public.events_job WHERE state = 'queued' AND NOT asleep AND run_at <= clock_timestamp() LIMIT %s
"""
# Failed jobs stay until somebody looks at them. An id is a time, so the primary key finds the old ones.
OLD_JOBS = """
DELETE FROM public.events_job WHERE id IN (
  SELECT id FROM public.events_job WHERE id < %s AND state IN ('done', 'cancelled', 'discarded') ORDER BY id LIMIT 1000)
"""


def sweep() -> int:
    """Take back expired leases, ring for what is due, forget what is old; return how many leases had expired."""
    with platform_scope("work: sweep"), connections["default"].cursor() as cursor:
        end_leases()
        cursor.execute(EXPIRED)
        expired = cursor.fetchall()
        for row in expired:
            _book(*row)
        wake()
        due = _due()
        cursor.execute(OLD_JOBS, [UUID(int=int((time.time() - JOB_DAYS * 86400) * 1000) << 80)])
    for job_id, name, state, *_ in expired:
        logger.warning("Job %s (%s) lost its worker and is %s now.", job_id, name, state)
        herald.call(job_id)
    for job_id in due:
        bell.ring(job_id)
    return len(expired)


def _book(
    job_id: UUID, name: str, state: str, tenant_id: UUID | None, actor: str, attempt: int, cause: str
) -> None:
    if state == "failed":
        ledger.record(
            "job.failed",
            by=Actor.from_dict(json.loads(actor)),
            target=f"job:{job_id}",
            details={"task": name, "cause": cause, "attempts": attempt},
            tenant=tenant_id,
        )


def wake_and_ring() -> float | None:
    """Ring for what rested until now; return the seconds until the next one's moment, None without one."""
    with platform_scope("work: wake"):
        woken = wake()
        following = seconds_to_next()
        due = _due() if woken else []
    for job_id in due:
        bell.ring(job_id)
    return following


def sweep_forever(stop: threading.Event, pause: float = 5.0) -> None:
    """Sweep every `pause` seconds and wake resting jobs at their moment, until `stop` is set."""
    swept = -pause
    while not stop.is_set():
        rest: float | None = None
        try:
            if time.monotonic() - swept >= pause or _worker_vanished():
                swept = time.monotonic()
                sweep()
            rest = wake_and_ring()
        except loss.ERRORS:
            logger.warning("The sweeper lost its database; it tries again.", exc_info=True)
            loss.reset()
        stop.wait(LOOK if rest is None else min(max(rest, SHORTEST), LOOK))


def _worker_vanished() -> bool:
    with platform_scope("work: vanished workers"):
        return end_leases() > 0


def _due() -> list[UUID]:
    with connections["default"].cursor() as cursor:
        cursor.execute(DUE, [MOST_RINGS])
        return [row[0] for row in cursor.fetchall()]
