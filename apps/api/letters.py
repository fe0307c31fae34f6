"""Dead letters over HTTP: jobs that failed for good, for the tenant's managers."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, array, describe, ref, shape
from apps.api.door import Door
from apps.api.jobs import CURSOR, LIMIT, job_id_of, limit_of, missing, wire
from apps.core import queue
from apps.core.canonical import instant
from apps.core.errors import Invalid, NotFound, PermissionDenied
from apps.events.jobs import arguments, letters, queries, replay, work
from apps.events.jobs.states import DEAD
from apps.events.types import JobView, LetterCount
from apps.permissions.access import access_for

READ = "view_audit"
STATE = {"type": "string", "enum": sorted(DEAD)}
REASON = {"type": "string", "maxLength": letters.REASON_ROOM}
PACE = {"type": "integer", "minimum": 1, "maximum": replay.FASTEST}
IDS = array({"type": "string", "format": "uuid"}, minItems=1, maxItems=replay.MOST_IDS)
CHANGED = shape(success={"const": True}, id=TEXT)
WITH_REASON = shape(reason=REASON, required=[])
COUNTED = shape(
    name=TEXT, failed={"type": "integer"}, quarantined={"type": "integer"}, oldest=TEXT, newest=TEXT
)


class LettersDoor(Door):
    """`GET /jobs/dead-letters`."""

    @describe(
        "Dead letters, newest first, and how many each task has left",
        answer=shape(
            letters=array(ref("Job")), byTask=array(COUNTED), nextCursor={"type": ["string", "null"]}
        ),
        parameters=[
            Parameter("status", "Only those that failed, or those in quarantine.", STATE),
            Parameter("name", "Only letters of this task."),
            Parameter("search", "Only letters with this in their title or cause."),
            CURSOR,
            LIMIT,
        ],
        tag="jobs",
    )
    def get(self, call: Call) -> HttpResponse:
        _check_reader(call)
        status = call.params.get("status")
        if status is not None and status not in DEAD:
            raise Invalid(f"status is one of {', '.join(sorted(DEAD))}.", code="INVALID_QUERY")
        page = queries.jobs(
            states=[status] if status else sorted(DEAD),
            name=call.params.get("name"),
            text=call.params.get("search"),
            cursor=call.params.get("cursor"),
            limit=limit_of(call),
        )
        counted = [_counted(item) for item in queries.dead_by_task()]
        return answers.send(
            {"letters": [wire(job) for job in page.jobs], "byTask": counted, "nextCursor": page.next}
        )


class LetterDoor(Door):
    """`GET /jobs/dead-letters/:id`."""

    @describe(
        "One dead letter: cause, attempts, arguments with their version and schema, stack, and what was done to it",
        answer=ref("DeadLetter"),
        tag="jobs",
    )
    def get(self, call: Call, job_id: str) -> HttpResponse:
        return answers.send(_letter(_found(call, job_id)))


class RetryLetterDoor(Door):
    """`POST /jobs/dead-letters/:id/retry`."""

    @describe(
        "Queue a dead letter again, as it is or with other arguments",
        answer=CHANGED,
        body=shape(args=OBJECT, required=[]),
        body_required=False,
        tag="jobs",
    )
    def post(self, call: Call, job_id: str) -> HttpResponse:
        given = _body(call, {"args"})
        job = _found(call, job_id)
        if "args" not in given:
            work.retry(job.id, by=call.actor)
        elif isinstance(given["args"], dict):
            letters.edit_and_retry(job.id, args=given["args"], by=call.actor)
        else:
            raise Invalid("args is an object: the arguments by name.")
        return answers.send({"success": True, "id": str(job.id)})


class QuarantineDoor(Door):
    """`POST /jobs/dead-letters/:id/quarantine`."""

    @describe(
        "Set a failed job aside, so that replays of many leave it out",
        answer=CHANGED,
        body=WITH_REASON,
        body_required=False,
        tag="jobs",
    )
    def post(self, call: Call, job_id: str) -> HttpResponse:
        reason = _reason(_body(call, {"reason"}))
        job = _found(call, job_id)
        letters.quarantine(job.id, by=call.actor, reason=reason)
        return answers.send({"success": True, "id": str(job.id)})


class DiscardDoor(Door):
    """`POST /jobs/dead-letters/:id/discard`."""

    @describe(
        "Give a dead letter up for good",
        answer=CHANGED,
        body=WITH_REASON,
        body_required=False,
        tag="jobs",
    )
    def post(self, call: Call, job_id: str) -> HttpResponse:
        reason = _reason(_body(call, {"reason"}))
        job = _found(call, job_id)
        letters.discard(job.id, by=call.actor, reason=reason)
        return answers.send({"success": True, "id": str(job.id)})


class ReplayDoor(Door):
    """`POST /jobs/dead-letters/replay`."""

    body_limit: ClassVar[int] = 128 * 1024

    @describe(
        "Queue many dead letters again, so many a second; follow the job it answers",
        status=202,
        answer=shape(job=TEXT, letters={"type": "integer"}),
        body=shape(name=TEXT, ids=IDS, perSecond=PACE, includeLost={"type": "boolean"}, required=[]),
        body_required=False,
        tag="jobs",
    )
    def post(self, call: Call) -> HttpResponse:
        _check_reader(call)
        given = _body(call, {"name", "ids", "perSecond", "includeLost"})
        name, pace, lost = (
            given.get("name"),
            given.get("perSecond", replay.PER_SECOND),
            given.get("includeLost", False),
        )
        if not (name is None or isinstance(name, str)) or type(pace) is not int or type(lost) is not bool:
            raise Invalid("The body is `{name?: text, ids?: [id], perSecond?: number, includeLost?: flag}`.")
        wish = replay.Wish(name, _ids(given.get("ids")), lost)
        letters_found = replay.matching(wish)
        made = replay.replay(wish, by=call.actor, per_second=pace)
        return answers.send({"job": str(made), "letters": letters_found}, status=202)


class StopReplayDoor(Door):
    """`POST /jobs/dead-letters/replay/:id/stop`."""

    @describe(
        "Put back among the dead letters what a replay has queued and nobody has begun",
        answer=shape(success={"const": True}, putBack={"type": "integer"}),
        tag="jobs",
    )
    def post(self, call: Call, job_id: str) -> HttpResponse:
        _check_reader(call)
        job = _job(job_id)
        if job.name != replay.TASK:
            raise missing()
        if not job.ended:
            work.cancel(job.id, by=call.actor)
        return answers.send({"success": True, "putBack": replay.stop(job.id, by=call.actor)})


def _check_reader(call: Call) -> None:
    """Refuse who does not manage the tenant, and keys whose scopes leave the ledger out."""
    if not work.may_handle(call.actor, call.tenant.id if call.tenant else None):
        raise PermissionDenied("Only the tenant's managers handle dead letters.")
    access_for(call.actor).require_system(READ)


def _job(text: str) -> JobView:
    try:
        return queries.get(job_id_of(text))
    except NotFound:
        raise missing() from None


def _found(call: Call, text: str) -> JobView:
    _check_reader(call)
    job = _job(text)
    if not job.dead and not job.acts:  # one that was handled stays to be looked at
        raise missing()
    return job


def _body(call: Call, known: set[str]) -> Mapping[str, Any]:
    given = call.mapping(optional=True)
    if strange := sorted(set(given) - known):
        raise Invalid(f"The body knows {', '.join(sorted(known))}, not {', '.join(strange)[:200]}.")
    return given


def _reason(given: Mapping[str, Any]) -> str:
    reason = given.get("reason", "")
    if not isinstance(reason, str):
        raise Invalid("reason is a text.")
    return reason


def _ids(given: Any) -> tuple[UUID, ...] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not given or not all(isinstance(item, str) for item in given):
        raise Invalid("ids is a list of ids.")
    return tuple(job_id_of(item) for item in given)


def _counted(item: LetterCount) -> dict[str, Any]:
    made = {"name": item.name, "failed": item.failed, "quarantined": item.quarantined}
    return made | {"oldest": instant(item.oldest), "newest": instant(item.newest)}


def _letter(job: JobView) -> dict[str, Any]:
    """Return a dead letter whole; sealed arguments and what was said about them stay inside."""
    task, sealed = queue.tasks.get(job.name), letters.is_sealed(job.name)
    wrong = arguments.faults(job.name, job.args, job.args_version)
    told = {
        "sealed": sealed,
        "args": None if sealed else dict(job.args),
        "argsVersion": job.args_version,
        "taskVersion": task.version if task else None,
        "schema": None if task is None or sealed else arguments.schema(task),
        "faults": [] if sealed else [fault.as_dict() for fault in wrong],
        "retriable": job.dead and not wrong,
        "attempts": [dict(item) for item in job.attempts],
        "acts": [_act(item, sealed=sealed) for item in job.acts],
        "traceback": job.traceback,
        "log": job.log,
        "worker": job.worker,
        "requestId": job.request_id,
    }
    return wire(job) | told


def _act(item: Mapping[str, Any], *, sealed: bool) -> dict[str, Any]:
    hidden = {"actor", "args"} if sealed else {"actor"}
    return {key: value for key, value in item.items() if key not in hidden}
