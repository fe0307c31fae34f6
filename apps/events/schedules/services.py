"""What people may do to schedules: make, change, pause, resume, run now, remove. Each leaves an entry."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit import ledger
from apps.core import queue
from apps.core.actor import Actor
from apps.core.canonical import plain
from apps.core.errors import Conflict, FieldError, Invalid, NotFound, PermissionDenied
from apps.core.scope import current_scope
from apps.events.jobs.work import MANAGERS
from apps.events.models import Missed, Overlap, Schedule, ScheduleKind, ScheduleState
from apps.events.schedules import scheduler
from apps.events.schedules.timing import Timing

MOST_OF_A_TENANT = 200
LONGEST_TITLE, MOST_PRIORITY = 200, 100
TOLD = (
    "title",
    "task",
    "args",
    "kind",
    "cron",
    "every",
    "at",
    "time_zone",
    "missed",
    "overlap",
    "priority",
    "state",
)


@transaction.atomic
def create(
    *,
    title: str,
    task: str,
    args: Mapping[str, Any],
    timing: Timing,
    by: Actor,
    tenant: UUID | None = None,
    missed: str = Missed.ONCE,
    overlap: str = Overlap.SKIP,
    priority: int = 0,
    key: str | None = None,
) -> Schedule:
    """Put a task on a schedule; its jobs run with the rights of `by`.

    In a tenant's scope it belongs to that tenant, in the platform's to `tenant` or to the platform itself.
    """
    here = current_scope().tenant
    owner = here.id if here else tenant
    _allow(by, owner)
    known = _task(task, owner, by)
    if owner and Schedule.objects.filter(tenant_id=owner).count() >= MOST_OF_A_TENANT:
        raise Conflict(f"A tenant has at most {MOST_OF_A_TENANT} schedules.", code="LIMIT_EXCEEDED")
    if timing.kind == ScheduleKind.INTERVAL and timing.at is None:
        timing = replace(timing, at=scheduler.now())
    schedule = Schedule(tenant_id=owner, key=key, task=task, args_version=known.version, actor=by.as_dict())
    _put(schedule, timing, title=title, args=args, missed=missed, overlap=overlap, priority=priority)
    schedule.next_at = _first(timing)
    schedule.save(force_insert=True)
    _record("schedule.created", schedule, by, after=told(schedule))
    return schedule


@transaction.atomic
def change(schedule_id: UUID, *, by: Actor, timing: Timing | None = None, **changes: Any) -> Schedule:
    """Change title, args, timing, missed, overlap or priority; its jobs run with the rights of `by` from now on."""
    schedule = _locked(schedule_id, by)
    if schedule.key:
        raise Conflict("The product keeps this schedule as it is; it can be paused.", code="INVALID_STATE")
    if unknown := changes.keys() - {"title", "args", "missed", "overlap", "priority"}:
        raise Invalid(f"A schedule has no {', '.join(sorted(unknown))} to change.")
    _task(schedule.task, schedule.tenant_id, by)
    before = told(schedule)
    wanted = timing or scheduler.timing_of(schedule)
    if wanted.kind == ScheduleKind.INTERVAL and wanted.at is None:
        wanted = replace(wanted, at=schedule.at or scheduler.now())
    kept = {name: getattr(schedule, name) for name in ("title", "args", "missed", "overlap", "priority")}
    _put(schedule, wanted, **(kept | changes))
    schedule.actor = by.as_dict()
    if timing is not None:
        schedule.next_at = _first(wanted)
        schedule.state = ScheduleState.ACTIVE if schedule.state == ScheduleState.ENDED else schedule.state
    _save(schedule)
    _record("schedule.changed", schedule, by, before=before, after=told(schedule))
    return schedule


@transaction.atomic
def pause(schedule_id: UUID, *, by: Actor) -> Schedule:
    """Ask for nothing until it is resumed; jobs already made go on."""
    schedule = _locked(schedule_id, by)
    return _turn(schedule, ScheduleState.ACTIVE, ScheduleState.PAUSED, "schedule.paused", by)


@transaction.atomic
def resume(schedule_id: UUID, *, by: Actor) -> Schedule:
    """Go on with the next moment from now; the moments of the pause count as left out by intent."""
    schedule = _locked(schedule_id, by)
    schedule.next_at = scheduler.timing_of(schedule).after(scheduler.now())
    if schedule.next_at is None:
        raise Conflict("Its moment has passed; give it another one.", code="INVALID_STATE")
    return _turn(schedule, ScheduleState.PAUSED, ScheduleState.ACTIVE, "schedule.resumed", by)


@transaction.atomic
def run_now(schedule_id: UUID, *, by: Actor) -> UUID:
    """Make a job now, beside the planned ones, and return its id; pressed twice, the second finds it busy."""
    schedule = _locked(schedule_id, by)
    _task(schedule.task, schedule.tenant_id, by)
    if scheduler.is_busy(schedule):
        raise Conflict("A job of this schedule waits or runs already.", code="INVALID_STATE")
    job_id = scheduler.enqueue(schedule, scheduler.now())
    schedule.runs, schedule.last_job_id = schedule.runs + 1, job_id
    _save(schedule)
    _record("schedule.run", schedule, by, details={"job": str(job_id), "title": schedule.title})
    return job_id


@transaction.atomic
def remove(schedule_id: UUID, *, by: Actor) -> None:
    """Delete it; jobs already made go on."""
    schedule = _locked(schedule_id, by)
    if schedule.key:
        raise Conflict("The product keeps this schedule; it can be paused.", code="INVALID_STATE")
    _record("schedule.removed", schedule, by, before=told(schedule))
    schedule.delete()


def told(schedule: Schedule) -> dict[str, Any]:
    """Return what the ledger keeps of a schedule."""
    return {name: plain(getattr(schedule, name)) for name in TOLD}


def may_manage(by: Actor, tenant_id: UUID | None) -> bool:
    """Return whether `by` may change the tenant's schedules (None: the platform's)."""
    if by.kind in {"operator", "system"}:
        return True
    return tenant_id is not None and by.tenant_id == tenant_id and by.role in MANAGERS


def schedulable(by: Actor, tenant_id: UUID | None) -> list[str]:
    """Return the names of the tasks that `by` may put on a schedule of the tenant (None: of the platform)."""
    return sorted(name for name, task in queue.tasks.items() if _fits(task, tenant_id, by))


def _fits(task: queue.Task, tenant_id: UUID | None, by: Actor) -> bool:
    if task.tenant == ("forbidden" if tenant_id else "required"):
        return False
    return task.schedulable or by.kind in {"operator", "system"}


def _task(name: str, tenant_id: UUID | None, by: Actor) -> queue.Task:
    task = queue.tasks.get(name)
    if task is None or not _fits(task, tenant_id, by):
        raise Invalid(
            "The task cannot be put on a schedule.",
            fields=[FieldError("task", "invalid_option", f"{name!r} is not a task for schedules here.")],
        )
    return task


def _allow(by: Actor, tenant_id: UUID | None) -> None:
    if not may_manage(by, tenant_id):
        raise PermissionDenied("Only the tenant's managers and operators may change schedules.")


def _locked(schedule_id: UUID, by: Actor) -> Schedule:
    here = current_scope().tenant
    rows = Schedule.objects.select_for_update().filter(pk=schedule_id)
    schedule = (rows.filter(tenant_id=here.id) if here else rows).first()
    if schedule is None:
        raise NotFound("There is no such schedule.")
    _allow(by, schedule.tenant_id)
    return schedule


def _put(schedule: Schedule, timing: Timing, **values: Any) -> None:
    task = queue.tasks[schedule.task]
    faults = timing.faults()
    faults += [FieldError("args", "invalid_format", text) for text in task.faults(values["args"])]
    if not 0 < len(values["title"].strip()) <= LONGEST_TITLE:
        faults.append(
            FieldError("title", "required", f"A title of 1 to {LONGEST_TITLE} characters is needed.")
        )
    for name, words in (("missed", Missed.values), ("overlap", Overlap.values)):
        if values[name] not in words:
            faults.append(FieldError(name, "invalid_option", f"It is one of {', '.join(words)}."))
    if values["missed"] == Missed.ALL and values["overlap"] != Overlap.ALLOW:
        text = "Runs for each missed moment wait for one another in the queue; allow them to overlap."
        faults.append(FieldError("overlap", "invalid_option", text))
    if abs(values["priority"]) > MOST_PRIORITY:
        faults.append(FieldError("priority", "out_of_range", f"It is {-MOST_PRIORITY} to {MOST_PRIORITY}."))
    if faults:
        raise Invalid("The schedule has no meaning yet.", fields=faults)
    for name, value in (values | vars(timing)).items():
        setattr(schedule, name, value)
    schedule.args, schedule.args_version = plain(values["args"]), task.version


def _first(timing: Timing) -> Any:
    found = timing.after(scheduler.now())
    if found is None:
        fault = FieldError("at", "out_of_range", "The moment has passed.")
        raise Invalid("The schedule has no moment to come.", fields=[fault])
    return found


def _turn(schedule: Schedule, before: str, after: str, action: str, by: Actor) -> Schedule:
    if schedule.state != before:
        now = ScheduleState(schedule.state).label
        raise Conflict(f"The schedule is {now}.", code="INVALID_STATE")
    schedule.state = after
    _save(schedule)
    _record(action, schedule, by, before={"state": before}, after={"state": after})
    return schedule


def _save(schedule: Schedule) -> None:
    schedule.updated_at = scheduler.now()
    schedule.save()


def _record(action: str, schedule: Schedule, by: Actor, **more: Any) -> None:
    ledger.record(action, by=by, target=f"schedule:{schedule.pk}", tenant=schedule.tenant_id, **more)
