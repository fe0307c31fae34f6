"""Schedules over HTTP: what asks for jobs by itself; seen and changed by the tenant's managers."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Schema, array, describe, ref, shape
from apps.api.door import Door
from apps.core.canonical import instant
from apps.core.errors import FieldError, Invalid, NotFound
from apps.events.models import Missed, Overlap, Schedule, ScheduleKind
from apps.events.schedules import queries, services
from apps.events.schedules.scheduler import timing_of
from apps.events.schedules.timing import Timing
from apps.permissions.access import access_for

PERMISSION = "manage_settings"
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
WHEN: dict[str, Any] = {
    "kind": {"type": "string", "enum": list(ScheduleKind.values)},
    "cron": {"type": "string", "description": "Five fields: minute, hour, day, month, weekday."},
    "every": {"type": ["integer", "null"], "description": "Seconds between two moments."},
    "at": MOMENT,
    "timeZone": {"type": "string", "description": "The calendar of which place, such as Europe/Berlin."},
}
WHAT: dict[str, Any] = {
    "title": TEXT,
    "args": OBJECT,
    "missed": {"type": "string", "enum": list(Missed.values)},
    "overlap": {"type": "string", "enum": list(Overlap.values)},
    "priority": {"type": "integer"},
}
KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("kind", "cron", "timeZone", "title", "task", "missed", "overlap"), (str,)),
    "args": (dict,),
    "priority": (int,),
    "every": (int, type(None)),
    "at": (str, type(None)),
}


class ScheduleDoor(Door):
    """Managers alone, and keys whose scopes hold the settings."""

    def allow(self, call: Call) -> None:
        """Refuse everybody else."""
        access_for(call.actor).require_system(PERMISSION)


class SchedulesDoor(ScheduleDoor):
    """`GET` and `POST /schedules`."""

    @describe(
        "Schedules, the soonest first, and the tasks that may be put on one",
        answer=shape(schedules=array(ref("Schedule")), tasks=array(TEXT)),
        tag="jobs",
    )
    def get(self, call: Call) -> HttpResponse:
        self.allow(call)
        assert call.tenant is not None
        tasks = services.schedulable(call.actor, call.tenant.id)
        return answers.send({"schedules": [wire(row) for row in queries.schedules()], "tasks": tasks})

    @describe(
        "Put a task on a schedule; its jobs run with the rights of the caller",
        answer=ref("Schedule"),
        status=201,
        body=shape(task=TEXT, **WHEN, **WHAT, required=["title", "task", "kind"]),
        errors=(409,),
        tag="jobs",
    )
    def post(self, call: Call) -> HttpResponse:
        self.allow(call)
        given = _read(call, {"task", *WHEN, *WHAT}, required=("title", "task", "kind"))
        made = services.create(
            task=given["task"],
            timing=_timing(given, Timing(given["kind"])),
            by=call.actor,
            **({"args": {}} | {name: given[name] for name in WHAT if name in given}),
        )
        return answers.send(wire(made), status=201)


class OneScheduleDoor(ScheduleDoor):
    """`GET`, `PATCH` and `DELETE /schedules/:id`."""

    @describe("One schedule with its next moments and last jobs", answer=ref("Schedule"), tag="jobs")
    def get(self, call: Call, schedule_id: str) -> HttpResponse:
        self.allow(call)
        row = _found(schedule_id)
        upcoming = [instant(moment) for moment in queries.upcoming(row)]
        jobs = [str(job.pk) for job in queries.jobs_of(row)]
        return answers.send(wire(row) | {"upcoming": upcoming, "jobs": jobs})

    @describe(
        "Change a schedule; its jobs run with the rights of the caller from now on",
        answer=ref("Schedule"),
        body=shape(**WHEN, **WHAT, required=[]),
        errors=(404, 409),
        tag="jobs",
    )
    def patch(self, call: Call, schedule_id: str) -> HttpResponse:
        self.allow(call)
        row = _found(schedule_id)
        given = _read(call, {*WHEN, *WHAT})
        timing = _timing(given, timing_of(row)) if given.keys() & WHEN.keys() else None
        changes = {name: given[name] for name in WHAT if name in given}
        return answers.send(wire(services.change(row.pk, by=call.actor, timing=timing, **changes)))

    @describe(
        "Remove a schedule; jobs already made go on",
        answer=shape(success={"const": True}, id=TEXT),
        errors=(404, 409),
        tag="jobs",
    )
    def delete(self, call: Call, schedule_id: str) -> HttpResponse:
        self.allow(call)
        row = _found(schedule_id)
        services.remove(row.pk, by=call.actor)
        return answers.send({"success": True, "id": str(row.pk)})


class PauseScheduleDoor(ScheduleDoor):
    """`POST /schedules/:id/pause`."""

    @describe("Ask for nothing until it is resumed", answer=ref("Schedule"), errors=(404, 409), tag="jobs")
    def post(self, call: Call, schedule_id: str) -> HttpResponse:
        self.allow(call)
        return answers.send(wire(services.pause(_found(schedule_id).pk, by=call.actor)))


class ResumeScheduleDoor(ScheduleDoor):
    """`POST /schedules/:id/resume`."""

    @describe("Go on with the next moment", answer=ref("Schedule"), errors=(404, 409), tag="jobs")
    def post(self, call: Call, schedule_id: str) -> HttpResponse:
        self.allow(call)
        return answers.send(wire(services.resume(_found(schedule_id).pk, by=call.actor)))


class RunScheduleDoor(ScheduleDoor):
    """`POST /schedules/:id/run`."""

    @describe(
        "Make a job now, beside the planned ones",
        answer=shape(job=TEXT),
        status=202,
        errors=(404, 409),
        tag="jobs",
    )
    def post(self, call: Call, schedule_id: str) -> HttpResponse:
        self.allow(call)
        made = services.run_now(_found(schedule_id).pk, by=call.actor)
        return answers.send({"job": str(made)}, status=202)


def wire(row: Schedule) -> dict[str, Any]:
    """Return a schedule as the API shows it."""
    moments = {"at": row.at, "nextAt": row.next_at, "lastAt": row.last_at}
    return {
        "id": str(row.pk),
        "title": row.title,
        "task": row.task,
        "args": row.args,
        "kind": row.kind,
        "cron": row.cron,
        "every": row.every,
        "timeZone": row.time_zone,
        "missed": row.missed,
        "overlap": row.overlap,
        "priority": row.priority,
        "status": row.state,
        "runs": row.runs,
        "leftOut": row.left_out,
        "trouble": row.trouble or None,
        "lastJob": str(row.last_job_id) if row.last_job_id else None,
        "by": {"id": row.actor["id"], "label": row.actor["label"]},
    } | {name: instant(value) if value else None for name, value in moments.items()}


def _found(text: str) -> Schedule:
    try:
        return queries.get(UUID(text))
    except (ValueError, NotFound):
        raise NotFound("There is no such schedule.", code="RESOURCE_NOT_FOUND") from None


def _read(call: Call, known: set[str], required: tuple[str, ...] = ()) -> dict[str, Any]:
    given = call.mapping()
    faults = [
        FieldError(name, "unknown", "There is no such key.") for name in sorted(given.keys() - known)[:20]
    ]
    faults += [FieldError(name, "required", "It is missing.") for name in required if name not in given]
    faults += [
        FieldError(name, "invalid_type", "A value of this kind does not belong here.")
        for name in sorted(given.keys() & known)
        if not isinstance(given[name], KINDS[name]) or isinstance(given[name], bool)
    ]
    if faults:
        raise Invalid("The body does not describe a schedule.", fields=faults)
    return given


def _timing(given: Mapping[str, Any], before: Timing) -> Timing:
    moment = before.at
    if given.get("at") is not None:
        try:
            moment = dt.datetime.fromisoformat(given["at"])
        except ValueError:
            fault = FieldError("at", "invalid_date", "Write a moment such as 2030-01-31T08:00:00Z.")
            raise Invalid("The body does not describe a schedule.", fields=[fault]) from None
    return Timing(
        kind=given.get("kind", before.kind),
        cron=given.get("cron", before.cron),
        every=given.get("every", before.every),
        at=moment,
        time_zone=given.get("timeZone", before.time_zone),
    )
