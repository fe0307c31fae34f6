"""Taking the next job: fair between tenants, one worker each, with a lease and a fencing token."""

import datetime as dt
import json
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from psycopg import sql

from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.scope import TenantRef, platform_scope
from apps.events.jobs.herald import herald
from apps.events.jobs.history import me
from apps.events.jobs.pulse import LEASE, Run
from apps.events.jobs.waking import Alarm, wake
from apps.tenants import queries as tenants

# Tenants with something due: the one with the fewest running jobs first, chance between equals, so that ten
# thousand jobs of one tenant do not keep the single job of another waiting. A loose scan over the queue's index.
TURNS = """
WITH RECURSIVE tenant AS (
  (SELECT tenant_id FROM public.events_job WHERE state = 'queued' AND NOT asleep AND tenant_id IS NOT NULL
   ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT j.tenant_id FROM public.events_job j WHERE j.state = 'queued' AND NOT j.asleep
          AND j.tenant_id > tenant.tenant_id ORDER BY j.tenant_id LIMIT 1)
  FROM tenant WHERE tenant.tenant_id IS NOT NULL),
turn AS (
  SELECT tenant_id FROM tenant WHERE tenant_id IS NOT NULL
  UNION ALL
  SELECT NULL WHERE EXISTS (
    SELECT 1 FROM public.events_job WHERE state = 'queued' AND NOT asleep AND tenant_id IS NULL))
SELECT turn.tenant_id FROM turn
LEFT JOIN (SELECT tenant_id, count(*) AS jobs FROM public.events_job WHERE state = 'running' GROUP BY 1) running
  ON running.tenant_id IS NOT DISTINCT FROM turn.tenant_id
ORDER BY coalesce(running.jobs, 0), random()
"""
CLAIM = sql.SQL("""
UPDATE public.events_job SET state = 'running', attempt = attempt + 1, fence = fence + 1, error = '',
       lease_until = clock_timestamp() + %s * interval '1 second', started_at = clock_timestamp(),
       finished_at = NULL, done = 0, total = NULL, message = '', worker = %s
WHERE id = (SELECT id FROM public.events_job
            WHERE state = 'queued' AND NOT asleep AND tenant_id {whose} AND run_at <= clock_timestamp()
            ORDER BY priority DESC, run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, tenant_id, name, args, args_version, actor, request_id, fence, attempt, max_attempts, idempotency_key
""")
ANYTHING = """
SELECT EXISTS (SELECT 1 FROM public.events_job WHERE state = 'queued' AND NOT asleep)
    OR EXISTS (SELECT 1 FROM public.events_job WHERE state = 'queued' AND asleep AND run_at <= clock_timestamp())
"""
SCHEDULED = "schedule:"  # a key `schedule:<id>@<moment>`: one job per schedule and moment
alarm = Alarm()


@dataclass(frozen=True)
class Claim:
    """A job this process holds: what to run, for whom, and the run that proves it.

    `tenant` is None for the platform's jobs, and when the job's tenant is gone.
    """

    name: str
    args: dict[str, Any]
    args_version: int
    request_id: str | None
    max_attempts: int
    tenant: TenantRef | None
    run: Run

    @property
    def id(self) -> UUID:
        """The job's id."""
        return self.run.id


def claim(lease: float = LEASE) -> Claim | None:
    """Take the next due job for `lease` seconds, or return None when there is none."""
    with platform_scope("work: claim a job"):
        if alarm.rings():  # or those that are always due would keep the resting ones waiting
            wake()
        row = _take(lease)
        if row is None and wake():
            row = _take(lease)
        if row is None:
            return None
        transaction.on_commit(partial(herald.call, row[0]))
        return _claimed(row, lease)


def anything_due() -> bool:
    """Return whether a claim might find something; a fifth of a claim's cost, for those who have nothing to do."""
    return bool(fast.read_platform(ANYTHING)[0][0])


def _take(lease: float) -> tuple[Any, ...] | None:
    with connections["default"].cursor() as cursor:
        cursor.execute(TURNS)
        for (tenant_id,) in cursor.fetchall():
            whose = (
                sql.SQL("IS NULL") if tenant_id is None else sql.SQL("= {}").format(sql.Literal(tenant_id))
            )
            cursor.execute(CLAIM.format(whose=whose), [lease, me()])
            if row := cursor.fetchone():
                return tuple(row)
    return None


def _claimed(row: tuple[Any, ...], lease: float) -> Claim:
    job_id, tenant_id, name, args, version, actor, request_id, fence, attempt, max_attempts, key = row
    run = Run(job_id, tenant_id, Actor.from_dict(json.loads(actor)), fence, attempt, lease, due=_due(key))
    found = tenants.snapshot(tenant_id) if tenant_id else None
    return Claim(name, json.loads(args), version, request_id, max_attempts, found.ref if found else None, run)


def _due(key: str | None) -> dt.datetime | None:
    """Return the moment of the schedule for which the job runs, out of the key that the scheduler gave it."""
    if key is None or not key.startswith(SCHEDULED):
        return None
    return dt.datetime.fromisoformat(key.rsplit("@", 1)[1])
