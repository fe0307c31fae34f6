"""What waits: events that were not handed over, jobs that nobody took, and jobs that need a person."""

from django.db import connections
from django.utils.translation import gettext_lazy as _

from apps.core.health import Finding, Status, check
from apps.core.scope import platform_scope
from apps.events import reader
from apps.events.bus import choice
from apps.events.delivery import GROUP
from apps.events.relay import name_of

LATE, FAR_TOO_LATE = 5.0, 60.0
SLOW_QUEUE, STUCK_QUEUE = 60.0, 600.0
MANY_LETTERS = 100
QUEUE = """
SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'running'),
       count(*) FILTER (WHERE state = 'running' AND lease_until < clock_timestamp()),
       coalesce(extract(epoch FROM clock_timestamp()
                        - min(run_at) FILTER (WHERE state = 'queued' AND run_at <= clock_timestamp())), 0)
FROM public.events_job WHERE state IN ('queued', 'running')
"""
LETTERS = """
SELECT count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state = 'quarantined'),
       count(*) FILTER (WHERE finished_at > clock_timestamp() - interval '1 hour'),
       count(*) FILTER (WHERE finished_at > clock_timestamp() - interval '1 day')
FROM public.events_job WHERE state IN ('failed', 'quarantined')
"""


@check("outbox_lag", title=_("Events waiting"), group="events", measure="outbox_lag_seconds")
def outbox_lag() -> Finding:
    """Judge the age of the oldest event that was not handed to its subscribers, or not carried to the bus."""
    bus = choice.current()
    behind = [bus.lag(GROUP)]
    if not bus.is_log:
        behind.append(reader.lag(name_of(bus), bus=bus.name))
    age, waiting = max(item.seconds for item in behind), max(item.events for item in behind)
    figures = {"outbox_waiting_events": waiting, "outbox_lag_seconds": round(age, 3)}
    message = f"{waiting} events wait, the oldest for {age:.1f} s."
    return Finding(judge(age, LATE, FAR_TOO_LATE), message, figures)


@check("bus", title=_("Bus"), group="events")
def bus_health() -> Finding:
    """Ask the back end of the bus whether it takes and gives events."""
    return choice.current().health()


@check("job_queue", title=_("Jobs waiting"), group="work", measure="job_queue_lag_seconds")
def job_queue() -> Finding:
    """Judge how long the oldest due job has been waiting for a worker."""
    with platform_scope("health: job queue"), connections["default"].cursor() as cursor:
        cursor.execute(QUEUE)
        queued, running, expired, seconds = cursor.fetchone()
    age = max(0.0, float(seconds))
    figures = {
        "jobs_queued": queued,
        "jobs_running": running,
        "jobs_lease_expired": expired,
        "job_queue_lag_seconds": round(age, 3),
    }
    message = f"{queued} jobs wait, {running} run, the oldest due one waits for {age:.0f} s."
    return Finding(judge(age, SLOW_QUEUE, STUCK_QUEUE), message, figures)


@check("dead_letters", title=_("Dead letters"), group="work", measure="dead_letters")
def dead_letters() -> Finding:
    """Count the jobs that ran out of attempts; many new ones in an hour mean that something is broken for all."""
    with platform_scope("health: dead letters"), connections["default"].cursor() as cursor:
        cursor.execute(LETTERS)
        failed, quarantined, hour, day = cursor.fetchone()
    figures = {
        "dead_letters": failed,
        "dead_letters_quarantined": quarantined,
        "dead_letters_last_hour": hour,
        "jobs_failed_last_day": day,
    }
    if not failed and not quarantined:
        return Finding("ok", "No job waits for a decision.", figures)
    status: Status = "failed" if hour >= MANY_LETTERS else "degraded" if hour else "ok"
    return Finding(
        status,
        f"{failed} jobs failed for good, {quarantined} are quarantined; {hour} came in the last hour.",
        figures,
    )


def judge(age: float, late: float, too_late: float) -> Status:
    """Return ok below `late`, failed from `too_late` on, degraded between them."""
    if age < late:
        return "ok"
    return "failed" if age >= too_late else "degraded"
