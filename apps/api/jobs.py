"""Durable work over HTTP: what runs, how far it is, stop it, try again."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import TEXT, Parameter, array, describe, ref, shape
from apps.api.door import Door
from apps.core.actor import Actor
from apps.core.canonical import instant
from apps.core.errors import Invalid, NotFound
from apps.events.jobs import queries, work
from apps.events.jobs.states import JobState
from apps.events.types import JobView

LIMIT = Parameter(
    "limit", "Jobs on a page.", {"type": "integer", "minimum": 1, "maximum": queries.MOST, "default": 50}
)
CURSOR = Parameter("cursor", "`nextCursor` of the page before.")
STATE = {"type": "string", "enum": list(JobState.values)}


def wire(job: JobView) -> dict[str, Any]:
    """Return a job as the API shows it; arguments and traces stay inside."""
    moments = {
        "createdAt": job.created_at,
        "runAt": job.run_at,
        "startedAt": job.started_at,
        "finishedAt": job.finished_at,
    }
    return {
        "id": str(job.id),
        "name": job.name,
        "title": job.title,
        "status": job.state,
        "done": job.done,
        "total": job.total,
        "percentComplete": job.percent,
        "message": job.message,
        "cancelRequested": job.cancel_requested,
        "attempt": job.attempt,
        "maxAttempts": job.max_attempts,
        "by": {"id": job.actor_id, "label": job.actor_label},
        "result": dict(job.result) if job.result is not None else None,
        "error": job.error or None,
    } | {name: instant(value) if value else None for name, value in moments.items()}


def mine(job: JobView, actor: Actor) -> bool:
    """Tell whether the actor may know of the job: its author, and the tenant's managers."""
    return actor.role in work.MANAGERS or not {job.actor_id, job.author_id}.isdisjoint(authors(actor))


def authors(actor: Actor) -> list[str]:
    """Return the ids under which jobs name this actor as their author."""
    return [actor.id, *([str(actor.user_id)] if actor.user_id else [])]


def limit_of(call: Call) -> int:
    """Return how many jobs the caller wants on a page."""
    limit = call.params.get("limit", "50")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:10]) <= queries.MOST:
        raise Invalid(f"limit must be a number from 1 to {queries.MOST}.", code="INVALID_QUERY")
    return int(limit)


def job_id_of(text: str) -> UUID:
    """Return the id in an address; anything else is an absent job."""
    try:
        return UUID(text)
    except ValueError:
        raise missing() from None


def missing() -> NotFound:
    """Return the refusal for a job that is not there or not the caller's to see."""
    return NotFound("There is no such job.", code="RESOURCE_NOT_FOUND")


def _visible(job_id: UUID, actor: Actor) -> JobView:
    try:
        job = queries.get(job_id)
    except NotFound:
        raise missing() from None
    if not mine(job, actor):
        raise missing()
    return job


class JobsDoor(Door):
    """`GET /jobs`: newest first; members see their own, managers of the tenant all."""

    @describe(
        "Jobs, newest first",
        answer=shape(jobs=array(ref("Job")), nextCursor={"type": ["string", "null"]}),
        parameters=[
            Parameter("status", "Only jobs in this state.", STATE),
            Parameter("name", "Only jobs of this task."),
            Parameter("search", "Only jobs with this in their title or error."),
            CURSOR,
            LIMIT,
        ],
        tag="jobs",
    )
    def get(self, call: Call) -> HttpResponse:
        page = queries.jobs(
            state=call.params.get("status"),
            name=call.params.get("name"),
            text=call.params.get("search"),
            author=None if call.actor.role in work.MANAGERS else authors(call.actor),
            cursor=call.params.get("cursor"),
            limit=limit_of(call),
        )
        return answers.send({"jobs": [wire(job) for job in page.jobs], "nextCursor": page.next})


class JobDoor(Door):
    """`GET /jobs/:id`."""

    @describe("One job with its progress and result", answer=ref("Job"), tag="jobs")
    def get(self, call: Call, job_id: str) -> HttpResponse:
        return answers.send(wire(_visible(job_id_of(job_id), call.actor)))


class JobLogDoor(Door):
    """`GET /jobs/:id/log`."""

    @describe(
        "What a job has written; the last 100,000 characters",
        answer=shape(id=TEXT, log=TEXT, status=TEXT),
        tag="jobs",
    )
    def get(self, call: Call, job_id: str) -> HttpResponse:
        job = _visible(job_id_of(job_id), call.actor)
        return answers.send({"id": str(job.id), "log": job.log, "status": job.state})


class CancelJobDoor(Door):
    """`POST /jobs/:id/cancel`."""

    @describe("Stop a job at its next safe point", answer=shape(success={"const": True}, id=TEXT), tag="jobs")
    def post(self, call: Call, job_id: str) -> HttpResponse:
        job = _visible(job_id_of(job_id), call.actor)
        work.cancel(job.id, by=call.actor)
        return answers.send({"success": True, "id": str(job.id)})


class RetryJobDoor(Door):
    """`POST /jobs/:id/retry`."""

    @describe(
        "Queue a failed or cancelled job again", answer=shape(success={"const": True}, id=TEXT), tag="jobs"
    )
    def post(self, call: Call, job_id: str) -> HttpResponse:
        job = _visible(job_id_of(job_id), call.actor)
        work.retry(job.id, by=call.actor)
        return answers.send({"success": True, "id": str(job.id)})
