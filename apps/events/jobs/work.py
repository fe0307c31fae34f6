"""Durable work: the back end of `core.queue` and what people may do to jobs."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.utils import timezone

from apps.audit import ledger
from apps.core import context
from apps.core.actor import Actor
from apps.core.canonical import plain
from apps.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from apps.core.ids import uuid7
from apps.core.queue import Task
from apps.core.scope import current_scope
from apps.events.jobs import arguments
from apps.events.jobs.bell import bell
from apps.events.jobs.herald import herald
from apps.events.jobs.states import JobState, may_follow
from apps.events.models import Job

INSERT = """
INSERT INTO public.events_job (id, tenant_id, name, title, args, actor, request_id, idempotency_key, priority,
                               max_attempts, args_version, asleep, run_at)
VALUES (%s, %s, %s, %s, %s::jsonb, %s::jsonb, %s, %s, %s, %s, %s, %s,
        clock_timestamp() + %s * interval '1 second')
ON CONFLICT (tenant_id, name, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
"""
KNOWN = """
SELECT id FROM public.events_job WHERE tenant_id IS NOT DISTINCT FROM %s AND name = %s AND idempotency_key = %s
"""
DUE_IN = "UPDATE public.events_job SET run_at = clock_timestamp() + %s * interval '1 second' WHERE id = %s"
MANAGERS = frozenset({"owner", "admin"})
KEPT = 50


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
            values = [*row, key, priority, task.max_attempts, task.version, delay > 0, delay]
            cursor.execute(INSERT, values)
            if not cursor.rowcount:
                cursor.execute(KNOWN, [tenant, task.name, key])
                return UUID(str(cursor.fetchone()[0]))
        if delay <= 0:
            transaction.on_commit(lambda: bell.ring(job_id))
        return job_id


@transaction.atomic
def cancel(job_id: UUID, *, by: Actor) -> None:
    """Stop a job: a waiting one at once, a running one at its next safe point. Raises Conflict when it ended."""
    job = locked(job_id, by)
    if job.state == JobState.RUNNING:
        job.cancel_requested = True
        job.save(update_fields=["cancel_requested"])
    else:
        move(job, JobState.CANCELLED)
    ledger.record(
        "job.cancelled", by=by, target=f"job:{job.id}", details={"title": job.title}, tenant=job.tenant_id
    )


@transaction.atomic
def retry(job_id: UUID, *, by: Actor, delay: float = 0.0, replay: UUID | None = None) -> None:
    """Queue a failed, quarantined or cancelled job again with all its attempts; pressed twice it runs once.

    `delay` is in seconds; `replay` is the job that queues many. Raises Conflict ARGS_REFUSED when its task
    does not take the arguments (any more).
    """
    job = locked(job_id, by)
    check_move(job, JobState.QUEUED)
    if job.state == JobState.QUARANTINED and not may_handle(by, job.tenant_id):
        raise PermissionDenied("The job is in quarantine; the tenant's managers decide when it runs again.")
    if wrong := arguments.faults(job.name, job.args, job.args_version):
        raise Conflict(
            f"{job.name} does not take these arguments: {wrong[0].field}: {wrong[0].message}",
            code="ARGS_REFUSED",
            fields=wrong,
            cure="Edit the arguments and try again, or discard the job.",
        )
    before = {"state": job.state, "error": job.error}
    queue_again(job, by=by, act={"act": "retried", "replay": replay}, delay=delay)
    ledger.record(
        "job.retried",
        by=by,
        target=f"job:{job.id}",
        before=before,
        after={"state": job.state, "error": ""},
        details={"title": job.title} | ({"replay": str(replay)} if replay else {}),
        tenant=job.tenant_id,
    )


def queue_again(job: Job, *, by: Actor, act: Mapping[str, Any], delay: float = 0.0) -> None:
    """Put a locked job back into the queue with all its attempts, and ring after the commit."""
    job.attempt, job.error, job.traceback, job.cancel_requested = 0, "", "", False
    job.finished_at, job.asleep = None, delay > 0
    note(job, by=by, **act)
    fields = ("attempt", "error", "traceback", "cancel_requested", "finished_at", "asleep", "acts")
    move(job, JobState.QUEUED, *fields)
    with connections["default"].cursor() as cursor:
        cursor.execute(DUE_IN, [delay, job.id])
    if delay <= 0:
        transaction.on_commit(lambda: bell.ring(job.id))


def note(job: Job, *, by: Actor, act: str, **more: Any) -> None:
    """Add to a job's acts who did what to it; the first arguments stay, the rest is bounded."""
    told = {key: value for key, value in more.items() if value not in (None, "")}
    made = {"act": act, "at": timezone.now(), "by": {"kind": by.kind, "id": by.id, "label": by.label}}
    acts = [*job.acts, plain(made | told)]
    first = next((item for item in acts if "args" in item), None)
    late = acts[-KEPT:]
    job.acts = late if first is None or first in late else [first, *late]


def may_manage(by: Actor, job: Job) -> bool:
    """Return whether `by` may stop or repeat the job: its author, managers of the tenant, operators."""
    if by.kind in {"operator", "system"}:
        return True
    if job.tenant_id is None or by.tenant_id != job.tenant_id:
        return False
    same_person = by.user_id is not None and str(by.user_id) in (job.actor.get("user_id"), job.actor["id"])
    return by.role in MANAGERS or by.id == job.actor["id"] or same_person


def may_handle(by: Actor, tenant_id: UUID | None) -> bool:
    """Return whether `by` may see and handle dead letters there: the tenant's managers, and operators."""
    if by.kind in {"operator", "system"}:
        return True
    return tenant_id is not None and by.tenant_id == tenant_id and by.role in MANAGERS


def locked(job_id: UUID, by: Actor) -> Job:
    """Return the job, locked; NotFound outside the scope, PermissionDenied for who may not change it."""
    tenant = current_scope().tenant
    jobs = Job.objects.select_for_update().filter(pk=job_id)
    job = (jobs.filter(tenant_id=tenant.id) if tenant else jobs).first()
    if job is None:
        raise NotFound("There is no such job.")
    if not may_manage(by, job):
        raise PermissionDenied("Only its author, the tenant's managers and operators may change a job.")
    return job


def check_move(job: Job, to: JobState) -> None:
    """Raise Conflict INVALID_STATE when a job may not go to that state from where it is."""
    if not may_follow(job.state, to):
        message = f"A job that is {JobState(job.state).label} cannot become {to.label}."
        raise Conflict(message, code="INVALID_STATE")


def move(job: Job, to: JobState, *fields: str) -> None:
    """Save a locked job in another state, with these fields besides."""
    check_move(job, to)
    job.state = to
    job.save(update_fields=["state", *fields])
    transaction.on_commit(lambda: herald.call(job.id))


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as the row keeps them; raise Invalid for what it cannot."""
    try:
        found: dict[str, Any] = json.loads(_json(values))
    except TypeError as error:
        message = f"These arguments cannot be kept ({error}). Write a number with a fraction as a text."
        raise Invalid(message, code="ARGS_REFUSED") from error
    return found


def _json(values: Mapping[str, Any]) -> str:
    text = json.dumps(plain(values), ensure_ascii=False)
    if "\\u0000" in text:
        raise Invalid("A job's arguments may not hold the NUL character.")
    return text
