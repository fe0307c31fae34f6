"""The scheduler: makes the jobs of due moments; any number may run, a moment is served once.

Three things keep it so: the schedule's row is locked while its moment is served, the moment to come is moved in the
same transaction as the job is made, and the job's key names schedule and moment.
"""

import datetime as dt
import logging
import threading
from uuid import UUID

from django.db import connections, transaction

from apps.core import queue
from apps.core.actor import Actor
from apps.core.db import loss
from apps.core.scope import platform_scope
from apps.events.jobs.claim import SCHEDULED
from apps.events.jobs.states import JobState
from apps.events.models import Job, Missed, Overlap, Schedule, ScheduleState
from apps.events.schedules.standing import ensure
from apps.events.schedules.timing import Timing

logger = logging.getLogger("aibos.work")

PAUSE = 1.0
KEEP_STANDING = 60  # looks between two checks that the product's own schedules stand
MOST_AT_ONCE = 200
MOST_MISSED, MOST_CAUGHT_UP = 1000, 50
GRACE = dt.timedelta(minutes=5)
AGAIN = dt.timedelta(minutes=1)
# A closed tenant's schedules wait; when it opens again, what was missed is treated as the schedule says.
DUE = """
SELECT s.id, coalesce(%s, clock_timestamp()) FROM public.events_schedule s
WHERE s.state = 'active' AND s.next_at <= coalesce(%s, clock_timestamp())
  AND (s.tenant_id IS NULL OR EXISTS (
    SELECT 1 FROM public.tenants_tenant t WHERE t.id = s.tenant_id AND t.state = 'active'))
ORDER BY s.next_at, s.id LIMIT 1 FOR UPDATE OF s SKIP LOCKED
"""


def tick(now: dt.datetime | None = None) -> int:
    """Serve what is due (by the database's clock, or at `now`); return how many schedules were. Outside a scope."""
    served = 0
    while served < MOST_AT_ONCE and _serve_one(now):
        served += 1
    return served


def run_forever(stop: threading.Event, pause: float = PAUSE) -> None:
    """Look every `pause` seconds until `stop` is set."""
    looks = 0
    while not stop.is_set():
        try:
            if looks % KEEP_STANDING == 0:
                ensure()
            tick()
            looks += 1
        except loss.ERRORS:
            logger.warning("The scheduler lost its database; it tries again.", exc_info=True)
            loss.reset()
        stop.wait(pause)


def _serve_one(now: dt.datetime | None) -> bool:
    with platform_scope("schedules: a due moment"):
        with connections["default"].cursor() as cursor:
            cursor.execute(DUE, [now, now])
            found = cursor.fetchone()
        if found is None:
            return False
        schedule, moment = Schedule.objects.get(pk=found[0]), found[1]
        try:
            with transaction.atomic():
                _serve(schedule, moment)
        except Exception as error:
            if isinstance(error, loss.ERRORS) and loss.is_lost(error):
                raise
            logger.exception("The schedule %s (%s) could not be served.", schedule.pk, schedule.task)
            trouble = f"{type(error).__name__}: {error}"[:2000]
            Schedule.objects.filter(pk=schedule.pk).update(trouble=trouble, next_at=moment + AGAIN)
        return True


def _serve(schedule: Schedule, now: dt.datetime) -> None:
    timing = timing_of(schedule)
    due = _moments(schedule, timing, now)
    if schedule.missed == Missed.ALL:
        due = due[:MOST_CAUGHT_UP]
        schedule.next_at = timing.after(due[-1])
    else:
        schedule.next_at = timing.after(now)
    made = [job for moment in _wanted(schedule, due, now) if (job := _make(schedule, moment)) is not None]
    schedule.runs += len(made)
    schedule.left_out += len(due) - len(made)
    schedule.last_at, schedule.trouble = due[-1], ""
    schedule.last_job_id = made[-1] if made else schedule.last_job_id
    if schedule.next_at is None:
        schedule.state = ScheduleState.ENDED
    schedule.save(update_fields=["next_at", "runs", "left_out", "last_at", "last_job_id", "trouble", "state"])


def _moments(schedule: Schedule, timing: Timing, now: dt.datetime) -> list[dt.datetime]:
    """Return the moments that have come and were not served, oldest first, some of them when there are very many."""
    found: list[dt.datetime] = []
    moment = schedule.next_at
    while moment is not None and moment <= now and len(found) < MOST_MISSED:
        found.append(moment)
        moment = timing.after(moment)
    return found


def _wanted(schedule: Schedule, due: list[dt.datetime], now: dt.datetime) -> list[dt.datetime]:
    if schedule.missed == Missed.ALL:
        return due
    if schedule.missed == Missed.SKIP and now - due[-1] > GRACE:
        return []
    return due[-1:]


def _make(schedule: Schedule, moment: dt.datetime) -> UUID | None:
    if schedule.overlap == Overlap.SKIP and is_busy(schedule):
        return None
    return enqueue(schedule, moment)


def enqueue(schedule: Schedule, moment: dt.datetime) -> UUID:
    """Make the job of a moment; the same moment again is the same job. Needs the platform's or tenant's scope."""
    job_id = queue.enqueue(
        schedule.task,
        tenant=schedule.tenant_id,
        args=schedule.args,
        title=schedule.title,
        by=Actor.from_dict(schedule.actor),
        key=f"{SCHEDULED}{schedule.pk}@{moment.isoformat()}",
        priority=schedule.priority,
    )
    Job.objects.filter(pk=job_id).update(schedule_id=schedule.pk)
    return job_id


def is_busy(schedule: Schedule) -> bool:
    """Return whether a job of this schedule waits or runs."""
    under_way = [JobState.QUEUED, JobState.RUNNING]
    return Job.objects.filter(schedule_id=schedule.pk, state__in=under_way).exists()


def timing_of(schedule: Schedule) -> Timing:
    """Return the moments of a row."""
    return Timing(
        kind=schedule.kind,
        cron=schedule.cron,
        every=schedule.every,
        at=schedule.at,
        time_zone=schedule.time_zone,
    )


def now() -> dt.datetime:
    """Return the database's time, by which all schedulers go. Needs a scope."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: dt.datetime = cursor.fetchone()[0]
    return moment
