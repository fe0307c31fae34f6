"""Minutes of the installation: requests served, and how far ledger and jobs were behind at that time."""

import datetime as dt
from collections.abc import Sequence
from typing import ClassVar

from django.db import connections, models

from apps.audit.aside import Aside
from apps.core.traffic import Minute as Counted

KEEP_DAYS = 90
GAUGES = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(written_at)) * 1000, 0)::bigint,
       (SELECT count(*) FROM public.events_job WHERE state = 'queued' AND run_at <= clock_timestamp())
FROM public.audit_pending
"""
ADD = """
INSERT INTO public.events_minute AS kept (start, requests, errors, millis, ledger_lag_millis, jobs_waiting)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (start) DO UPDATE SET requests = kept.requests + excluded.requests,
  errors = kept.errors + excluded.errors, millis = kept.millis + excluded.millis,
  ledger_lag_millis = greatest(kept.ledger_lag_millis, excluded.ledger_lag_millis),
  jobs_waiting = greatest(kept.jobs_waiting, excluded.jobs_waiting)
"""
FORGET = "DELETE FROM public.events_minute WHERE start < clock_timestamp() - %s * interval '1 day'"

side = Aside("traffic")


class Minute(models.Model):
    """One minute of all processes together; lag and waiting jobs are the worst seen in it."""

    placement: ClassVar[str] = "public"

    start = models.DateTimeField(primary_key=True)
    requests = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    millis = models.BigIntegerField(default=0)
    ledger_lag_millis = models.BigIntegerField(default=0)
    jobs_waiting = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}"


def keep(counted: Sequence[Counted]) -> None:
    """Add what a process has counted, and sample the gauges; beside every other transaction."""
    side.submit(lambda: write(counted))


def write(counted: Sequence[Counted]) -> None:
    """Add the minutes in the scope in force; forget what is older than `KEEP_DAYS`."""
    now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    rows = list(counted) or [Counted(now, 0, 0, 0)]
    with connections["default"].cursor() as cursor:
        cursor.execute(GAUGES)
        lag, waiting = cursor.fetchone()
        for row in rows:
            gauges = [lag, waiting] if row.start == now else [0, 0]
            cursor.execute(ADD, [row.start, row.requests, row.errors, row.millis, *gauges])
        if now.minute == 0:
            cursor.execute(FORGET, [KEEP_DAYS])
