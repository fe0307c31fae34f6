"""Many dead letters at once: a job queues them again, so many a second, and can be stopped.

The pace is in the letters' own due times, so no worker waits: the job is over soon, and the letters rest until
their turn. What is asked for later begins where the last replay of the tenant ends.
"""

import datetime as dt
import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from psycopg import sql

from apps.audit import ledger
from apps.core import queue
from apps.core.actor import Actor
from apps.core.errors import Conflict, Invalid, PermissionDenied, Problem
from apps.core.scope import Scope, TenantRef, current_scope, platform_scope, tenant_scope
from apps.events.jobs import work
from apps.events.jobs.herald import herald
from apps.events.jobs.work import may_handle
from apps.tenants import queries as tenants

TASK = "events.replay"
PER_SECOND, FASTEST, MOST_IDS = 10, 100, 1000
BATCH = 50
LOST = "The worker was lost%"
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('events.replay:' || %s, 0))"
BUSY = """
SELECT id FROM public.events_job
WHERE name = %s AND tenant_id IS NOT DISTINCT FROM %s AND state IN ('queued', 'running') LIMIT 1
"""
FIND = sql.SQL("""
SELECT id FROM public.events_job WHERE state = 'failed' AND id > {last} AND {condition}
ORDER BY id LIMIT {limit} FOR UPDATE SKIP LOCKED
""")
COUNT = sql.SQL(
    "SELECT count(*), clock_timestamp() FROM public.events_job WHERE state = 'failed' AND {condition}"
)
# Letters of replays that still rest; in the platform's scope those of every tenant.
RESTING = sql.SQL("""
SELECT greatest(extract(epoch FROM max(run_at) - clock_timestamp()), 0)::float8 FROM public.events_job
WHERE state = 'queued' AND asleep AND acts->-1->>'replay' IS NOT NULL AND {condition}
""")
PUT_BACK = sql.SQL("""
UPDATE public.events_job
SET state = 'failed', asleep = FALSE, finished_at = clock_timestamp(), error = coalesce(attempts->-1->>'cause', ''),
    acts = acts || jsonb_build_object('act', 'put back', 'at', clock_timestamp(), 'by', %s::jsonb)
WHERE id IN (SELECT id FROM public.events_job
             WHERE state = 'queued' AND asleep AND acts->-1->>'replay' = %s AND {condition} FOR UPDATE SKIP LOCKED)
RETURNING id, tenant_id, title, name
""")
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["before", "per_second", "total"],
    "properties": {
        "before": {"type": "string"},
        "per_second": {"type": "integer", "minimum": 1, "maximum": FASTEST},
        "total": {"type": "integer", "minimum": 0},
        "name": {"type": ["string", "null"]},
        "ids": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": MOST_IDS},
        "lost": {"type": "boolean"},
    },
}


@dataclass(frozen=True)
class Wish:
    """Which failed jobs: those of one task or all, or the ones named by id; `lost` takes in those that took their
    worker with them.
    """

    name: str | None = None
    ids: tuple[UUID, ...] | None = None
    lost: bool = False

    def condition(self, tenant_id: UUID | None, before: dt.datetime | None = None) -> sql.Composable:
        """Return the WHERE of these letters; only what failed before `before`, so that nothing comes round twice."""
        parts = [sql.SQL("name <> {}").format(sql.Literal(TASK))]
        if tenant_id is not None:
            parts.append(sql.SQL("tenant_id = {}").format(sql.Literal(tenant_id)))
        if before is not None:
            parts.append(sql.SQL("finished_at < {}").format(sql.Literal(before)))
        if self.name is not None:
            parts.append(sql.SQL("name = {}").format(sql.Literal(self.name)))
        if self.ids is not None:
            parts.append(sql.SQL("id = ANY({})").format(sql.Literal(list(self.ids))))
        if not self.lost:
            parts.append(sql.SQL("error NOT LIKE {}").format(sql.Literal(LOST)))
        return sql.SQL(" AND ").join(parts)


def matching(wish: Wish, *, tenant_id: UUID | None = None) -> int:
    """Return how many dead letters of the scope a replay would queue."""
    return _count(wish, _place(tenant_id))[0]


@transaction.atomic
def replay(wish: Wish, *, by: Actor, per_second: int = PER_SECOND, tenant_id: UUID | None = None) -> UUID:
    """Ask for a job that queues these dead letters again, `per_second` of them a second; return its id.

    In the platform's scope `tenant_id` narrows it to one tenant. Raises Conflict while another replay of the same
    place is at work, and for a wish that nothing fulfils.
    """
    place = _place(tenant_id)
    if not may_handle(by, place):
        raise PermissionDenied("Only the tenant's managers and operators handle dead letters.")
    if not 1 <= per_second <= FASTEST:
        message = f"A replay queues from 1 to {FASTEST} jobs a second."
        raise Invalid(message)
    if wish.ids is not None and len(wish.ids) > MOST_IDS:
        message = f"A replay takes at most {MOST_IDS} jobs by id; choose by task instead."
        raise Invalid(message)
    with connections["default"].cursor() as cursor:
        cursor.execute(ALONE, [str(place)])
        cursor.execute(BUSY, [TASK, place])
        if row := cursor.fetchone():
            raise Conflict("A replay is at work already.", code="INVALID_STATE", details={"job": str(row[0])})
    total, now = _count(wish, place)
    if not total:
        raise Conflict("There is no dead letter like that (any more).", code="INVALID_STATE")
    args = {"before": now.isoformat(), "per_second": per_second, "total": total}
    args |= {"name": wish.name, "lost": wish.lost}
    args["ids"] = [str(item) for item in wish.ids] if wish.ids is not None else None
    title = f"Replay {total} dead letters" + (f" of {wish.name}" if wish.name else "")
    job_id = queue.enqueue(TASK, tenant=place, args=args, title=title, by=by, priority=10)
    ledger.record(
        "job.replay_asked",
        by=by,
        target=f"job:{job_id}",
        details={"letters": total, "task": wish.name, "per_second": per_second},
        tenant=place,
    )
    return job_id


@queue.task(TASK, tenant="optional", manages_scope=True, schema=SCHEMA)
def run(
    job: queue.JobHandle,
    *,
    before: str,
    per_second: int,
    total: int,
    name: str | None = None,
    ids: list[str] | None = None,
    lost: bool = False,
) -> dict[str, Any]:
    """Queue the letters in portions, each a commit; killed, it goes on with those that are still dead."""
    wish = Wish(name, tuple(UUID(item) for item in ids) if ids is not None else None, lost)
    condition = wish.condition(job.tenant_id, dt.datetime.fromisoformat(before))
    place = _ref(job.tenant_id)
    with _scope(place):
        wait = _resting(job.tenant_id)
    queued, refused, last, began = 0, 0, UUID(int=0), time.monotonic()
    while not job.cancelled():
        with _scope(place):
            found = _find(condition, last)
            for letter in found:
                try:
                    turn = wait + queued / per_second - (time.monotonic() - began)
                    work.retry(letter, by=job.by, delay=max(0.0, turn), replay=job.id)
                    queued += 1
                except Problem as problem:
                    refused += 1
                    job.log(f"{letter}: {problem.message}")
        if not found:
            break
        last = found[-1]
        job.progress(queued + refused, max(total, queued + refused), "Queued again")
    return {"queued": queued, "refused": refused, "seconds": round(wait + queued / per_second)}


@transaction.atomic
def stop(replay_id: UUID, *, by: Actor) -> int:
    """Put back among the dead letters what a replay has queued and no worker has begun; return how many."""
    place = current_scope().tenant
    if not may_handle(by, place.id if place else None):
        raise PermissionDenied("Only the tenant's managers and operators handle dead letters.")
    condition = sql.SQL("tenant_id = {}").format(sql.Literal(place.id)) if place else sql.SQL("TRUE")
    who = work.stored({"kind": by.kind, "id": by.id, "label": by.label})
    with connections["default"].cursor() as cursor:
        cursor.execute(PUT_BACK.format(condition=condition), [json.dumps(who), str(replay_id)])
        rows = cursor.fetchall()
    for job_id, tenant_id, title, name in rows:
        ledger.record(
            "job.put_back",
            by=by,
            target=f"job:{job_id}",
            before={"state": "queued"},
            after={"state": "failed"},
            details={"title": title, "task": name, "replay": str(replay_id)},
            tenant=tenant_id,
        )
        transaction.on_commit(partial(herald.call, job_id))
    return len(rows)


def _place(tenant_id: UUID | None) -> UUID | None:
    here = current_scope().tenant
    return here.id if here else tenant_id


def _ref(tenant_id: UUID | None) -> TenantRef | None:
    if tenant_id is None:
        return None
    with platform_scope("work: the tenant of a replay"):
        found = tenants.snapshot(tenant_id)
    if found is None:
        msg = f"There is no tenant {tenant_id}."
        raise LookupError(msg)
    return found.ref


def _scope(place: TenantRef | None) -> AbstractContextManager[Scope]:
    return tenant_scope(place) if place else platform_scope("work: a replay")


def _count(wish: Wish, place: UUID | None) -> tuple[int, dt.datetime]:
    with connections["default"].cursor() as cursor:
        cursor.execute(COUNT.format(condition=wish.condition(place)))
        total, now = cursor.fetchone()
    return int(total), now


def _find(condition: sql.Composable, last: UUID) -> Sequence[UUID]:
    with connections["default"].cursor() as cursor:
        cursor.execute(FIND.format(condition=condition, last=sql.Literal(last), limit=sql.Literal(BATCH)))
        return [row[0] for row in cursor.fetchall()]


def _resting(tenant_id: UUID | None) -> float:
    condition = (
        sql.SQL("TRUE") if tenant_id is None else sql.SQL("tenant_id = {}").format(sql.Literal(tenant_id))
    )
    with connections["default"].cursor() as cursor:
        cursor.execute(RESTING.format(condition=condition))
        return float(cursor.fetchone()[0] or 0.0)
