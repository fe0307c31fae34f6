"""Durable work: the back end of `core.queue` and what people may do to jobs."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from apps.audit import ledger
from apps.core import context
from apps.core.actor import Actor
from apps.core.canonical import plain
from apps.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from apps.core.ids import uuid7
from apps.core.queue import Task
from apps.core.scope import current_scope
from apps.events.jobs.bell import bell
from apps.events.jobs.herald import herald
from apps.events.jobs.states import JobState, may_follow
from apps.events.models import Job

INSERT = """
INSERT INTO public.events_job (id, tenant_id, name, title, args, actor, request_id, idempotency_key, priority,
                               max_attempts, run_at)
VALUES (%s, %s, %s, %s, %s::jsonb, %s::jsonb, %s, %s, %s, %s, clock_timestamp() + %s * interval '1 second')
ON CONFLICT (tenant_id, name, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
"""
KNOWN = """
SELECT id FROM public.events_job WHERE tenant_id IS NOT DISTINCT FROM %s AND name = %s AND idempotency_key = %s
"""
MANAGERS = frozenset({"owner", "admin"})


class Work:
    """Keeps jobs as rows of the caller's transaction."""

    def enqueue(
        self,
        task: Task,
        *,
        tenant: UUID | None,
        args: Mapping[str, Any],
        title: str,
        by: Actor,
        key: str | None = None,
        priority: int = 0,
        delay: float = 0.0,
    ) -> UUID:
        """Write the job and ring after the commit; return its id.

        With `key` (idempotency) the job of an earlier call with the same key is returned instead of a second
        one. `delay` is in seconds; of a tenant's due jobs the one with the highest `priority` goes first.
        """
        job_id = uuid7()
        row = [job_id, tenant, task.name, title, _json(args), _json(by.as_dict()), context.request_id.get()]
        with connections["default"].cursor() as cursor:
            cursor.execute(INSERT, [*row, key, priority, task.max_attempts, delay])
            if not cursor.rowcount:
                cursor.execute(KNOWN, [tenant, task.name, key])
                return UUID(str(cursor.fetchone()[0]))
        if delay <= 0:
            transaction.on_commit(lambda: bell.ring(job_id))
        return job_id


@transaction.atomic
def cancel(job_id: UUID, *, by: Actor) -> None:
    """Stop a job: a waiting one at once, a running one at its next safe point. Raises Conflict when it ended."""
    job = _locked(job_id, by)
    if job.state == JobState.RUNNING:
        job.cancel_requested = True
        job.save(update_fields=["cancel_requested"])
    else:
        _move(job, JobState.CANCELLED)
    ledger.record(
        "job.cancelled", by=by, target=f"job:{job.id}", details={"title": job.title}, tenant=job.tenant_id
    )


@transaction.atomic
def retry(job_id: UUID, *, by: Actor) -> None:
    """Queue a failed or cancelled job again with all its attempts; pressed twice it runs once."""
    job = _locked(job_id, by)
    before = {"state": job.state, "error": job.error}
    job.attempt, job.error, job.traceback, job.cancel_requested = 0, "", "", False
    job.finished_at = None
    _move(job, JobState.QUEUED, "attempt", "error", "traceback", "cancel_requested", "finished_at")
    with connections["default"].cursor() as cursor:
        cursor.execute("UPDATE public.events_job SET run_at = clock_timestamp() WHERE id = %s", [job.id])
    ledger.record(
        "job.retried",
        by=by,
        target=f"job:{job.id}",
        before=before,
        after={"state": job.state, "error": ""},
        details={"title": job.title},
        tenant=job.tenant_id,
    )
    transaction.on_commit(lambda: bell.ring(job.id))


def may_manage(by: Actor, job: Job) -> bool:
    """Return whether `by` may stop or repeat the job: its author, managers of the tenant, operators."""
    if by.kind in {"operator", "system"}:
        return True
    if job.tenant_id is None or by.tenant_id != job.tenant_id:
        return False
    same_person = by.user_id is not None and str(by.user_id) in (job.actor.get("user_id"), job.actor["id"])
    return by.role in MANAGERS or by.id == job.actor["id"] or same_person


def _locked(job_id: UUID, by: Actor) -> Job:
    tenant = current_scope().tenant
    jobs = Job.objects.select_for_update().filter(pk=job_id)
    job = (jobs.filter(tenant_id=tenant.id) if tenant else jobs).first()
    if job is None:
        raise NotFound("There is no such job.")
    if not may_manage(by, job):
        raise PermissionDenied("Only its author, the tenant's managers and operators may change a job.")
    return job


def _move(job: Job, to: JobState, *fields: str) -> None:
    if not may_follow(job.state, to):
        message = f"A job that is {JobState(job.state).label} cannot become {to.label}."
        raise Conflict(message, code="INVALID_STATE")
    job.state = to
    job.save(update_fields=["state", *fields])
    transaction.on_commit(lambda: herald.call(job.id))


def _json(values: Mapping[str, Any]) -> str:
    text = json.dumps(plain(values), ensure_ascii=False)
    if "\\u0000" in text:
        raise Invalid("A job's arguments may not hold the NUL character.")
    return text
