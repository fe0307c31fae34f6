"""Reading schedules, for pages and doors: lists, one, the moments to come."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from apps.core.errors import NotFound
from apps.core.scope import current_scope
from apps.events.models import Job, Schedule, ScheduleState
from apps.events.schedules.scheduler import now, timing_of

MOST = 500


def schedules(*, tenant_id: UUID | None = None, state: str | None = None) -> Sequence[Schedule]:
    """Return the scope's schedules, the soonest first and the ended last.

    A tenant's scope sees its own; the platform's sees all, or those of `tenant_id`.
    """
    found = Schedule.objects.filter(_scope_condition(tenant_id))
    if state:
        found = found.filter(state=state)
    return list(found.order_by("next_at", "title", "id")[:MOST])


def get(schedule_id: UUID) -> Schedule:
    """Return one schedule; raise NotFound when the scope has no such one."""
    found = Schedule.objects.filter(_scope_condition(None), pk=schedule_id).first()
    if found is None:
        raise NotFound("There is no such schedule.")
    return found


def upcoming(schedule: Schedule, number: int = 5) -> list[dt.datetime]:
    """Return the next moments in UTC; empty while it is paused or when it has ended."""
    if schedule.state != ScheduleState.ACTIVE or schedule.next_at is None:
        return []
    first = schedule.next_at
    moment = max(first, now())
    rest = timing_of(schedule).upcoming(moment, number)
    return ([first, *rest] if first not in rest else rest)[:number]


def jobs_of(schedule: Schedule, number: int = 20) -> list[Job]:
    """Return the last jobs that it made, newest first."""
    return list(Job.objects.filter(schedule_id=schedule.pk).order_by("-id")[:number])


def _scope_condition(tenant_id: UUID | None) -> Q:
    here = current_scope().tenant
    wanted = here.id if here else tenant_id
    return Q(tenant_id=wanted) if wanted else Q()
