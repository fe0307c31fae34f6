"""Dead letters: jobs that failed for good, and what managers do with one. Each act is one entry in the ledger.

An act asks for the row's lock and for a state that allows it, so the same act pressed twice happens once. What a
letter held before it was edited stays in the job's `acts`: `{act, at, by}`, with `args`, `version` and `actor` of
before for an edit, `reason` where one was given and `replay` where many were queued at once.
"""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit import ledger
from apps.core import queue
from apps.core.actor import Actor
from apps.core.canonical import dumps
from apps.core.errors import Invalid, PermissionDenied
from apps.events.jobs import arguments, work
from apps.events.jobs.states import JobState
from apps.events.jobs.work import may_handle
from apps.events.models import Job

REASON_ROOM = 500


def is_sealed(name: str) -> bool:
    """Return whether nobody may read or edit the arguments of this task; one that is not registered is sealed."""
    task = queue.tasks.get(name)
    return task is None or task.sealed


@transaction.atomic
def edit_and_retry(job_id: UUID, *, args: Mapping[str, Any], by: Actor) -> None:
    """Queue a failed or quarantined job again with other arguments, which its task must take.

    What a member puts in runs with that member's name and rights; an operator acts on the author's behalf. Raises
    Invalid with a fault per field, PermissionDenied for a sealed task, Conflict for a job in another state.
    """
    job = _letter(job_id, by)
    work.check_move(job, JobState.QUEUED)
    if is_sealed(job.name):
        raise PermissionDenied(
            f"The arguments of {job.name} are sealed: they hold values of records or say where a secret goes.",
            code="ARGS_SEALED",
            cure="Try the job again as it is, or discard it.",
        )
    version, given = queue.tasks[job.name].version, work.stored(args)
    if wrong := arguments.faults(job.name, given, version):
        message = f"{job.name} does not take these arguments."
        raise Invalid(message, wrong, code="ARGS_REFUSED")
    act = {"act": "edited", "args": job.args, "version": job.args_version, "actor": job.actor}
    before = {"state": job.state, "error": job.error, "args_sha256": _digest(job.args)}
    changed = sorted(key for key in {*job.args, *given} if job.args.get(key) != given.get(key))
    job.args, job.args_version = given, version
    if by.kind not in {"operator", "system"}:
        job.actor = by.as_dict()
    job.save(update_fields=["args", "args_version", "actor"])
    work.queue_again(job, by=by, act=act)
    _record("job.edited", job, by, before, {"args_sha256": _digest(job.args)}, {"changed": changed})


@transaction.atomic
def quarantine(job_id: UUID, *, by: Actor, reason: str = "") -> None:
    """Set a failed job aside: replays of many leave it out until somebody tries or discards it by itself."""
    job = _letter(job_id, by)
    before = {"state": job.state}
    work.note(job, by=by, act="quarantined", reason=_reason(reason))
    work.move(job, JobState.QUARANTINED, "acts")
    _record("job.quarantined", job, by, before, {}, {"reason": reason})


@transaction.atomic
def discard(job_id: UUID, *, by: Actor, reason: str = "") -> None:
    """Give a failed or quarantined job up for good; its row is removed with the other old ones."""
    job = _letter(job_id, by)
    before = {"state": job.state}
    work.note(job, by=by, act="discarded", reason=_reason(reason))
    work.move(job, JobState.DISCARDED, "acts")
    _record("job.discarded", job, by, before, {}, {"reason": reason})


def _letter(job_id: UUID, by: Actor) -> Job:
    job = work.locked(job_id, by)
    if not may_handle(by, job.tenant_id):
        raise PermissionDenied("Only the tenant's managers and operators handle dead letters.")
    return job


def _record(
    action: str,
    job: Job,
    by: Actor,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    details: Mapping[str, Any],
) -> None:
    told = {key: value for key, value in details.items() if value not in ("", [])}
    ledger.record(
        action,
        by=by,
        target=f"job:{job.id}",
        before=dict(before),
        after={"state": job.state, **after},
        details={"title": job.title, "task": job.name, **told},
        tenant=job.tenant_id,
    )


def _digest(args: Mapping[str, Any]) -> str:
    """Return what proves later which arguments were meant, without telling them."""
    return hashlib.sha256(dumps(args)).hexdigest()


def _reason(text: str) -> str:
    if len(text) > REASON_ROOM:
        message = f"A reason has at most {REASON_ROOM} characters."
        raise Invalid(message)
    return text.replace("\x00", "\ufffd")
