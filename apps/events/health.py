"""State of health of events and work: how old the oldest undelivered event and the oldest due job are."""

from django.db import connections

from apps.core.health import Finding, Status, check
from apps.core.scope import platform_scope

LATE, FAR_TOO_LATE = 5.0, 60.0
SLOW_QUEUE, STUCK_QUEUE = 60.0, 600.0
OUTBOX = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0) FROM public.events_outbox
"""
QUEUE = """
SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'running'),
       count(*) FILTER (WHERE state = 'failed' AND finished_at > clock_timestamp() - interval '1 day'),
       coalesce(extract(epoch FROM clock_timestamp()
                        - min(run_at) FILTER (WHERE state = 'queued' AND run_at <= clock_timestamp())), 0)
FROM public.events_job WHERE state IN ('queued', 'running', 'failed')
"""


@check("outbox_lag")
def outbox_lag() -> Finding:
    """Judge the age of the oldest event that was not handed to its subscribers."""
    with platform_scope("health: outbox lag"), connections["default"].cursor() as cursor:
        cursor.execute(OUTBOX)
        waiting, seconds = cursor.fetchone()
    age = max(0.0, float(seconds))
    figures = {"outbox_waiting_events": waiting, "outbox_lag_seconds": round(age, 3)}
    message = f"{waiting} events wait, the oldest for {age:.1f} s."
    return Finding(_judge(age, LATE, FAR_TOO_LATE), message, figures)


@check("job_queue")
def job_queue() -> Finding:
    """Judge how long the oldest due job has been waiting for a worker."""
    with platform_scope("health: job queue"), connections["default"].cursor() as cursor:
        cursor.execute(QUEUE)
        queued, running, failed, seconds = cursor.fetchone()
    age = max(0.0, float(seconds))
    figures = {
        "jobs_queued": queued,
        "jobs_running": running,
        "jobs_failed_last_day": failed,
        "job_queue_lag_seconds": round(age, 3),
    }
    message = f"{queued} jobs wait, {running} run, the oldest due one waits for {age:.0f} s."
    return Finding(_judge(age, SLOW_QUEUE, STUCK_QUEUE), message, figures)


def _judge(age: float, late: float, too_late: float) -> Status:
    if age < late:
        return "ok"
    return "failed" if age >= too_late else "degraded"
