"""Reading what the probe remembers: each check over time, what was put right, and the alerts."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.utils import timezone

from apps.audit import queries as ledger
from apps.audit.types import LedgerEntry
from apps.core.health import RANK, Status
from apps.core.scope import platform_scope
from apps.events.health.healing import HEALED
from apps.events.models import Alert

EPOCH = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
NAMES: dict[int, Status] = {0: "ok", 1: "degraded", 2: "failed"}
BINS = """
SELECT name, date_bin(%s, start, %s) AS bin, max(worst), max(peak), (array_agg(message ORDER BY worst DESC))[1]
FROM public.events_check_minute WHERE start >= %s GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Span:
    """How far back, and in what steps."""

    key: str
    length: dt.timedelta
    step: dt.timedelta

    def starts(self, now: dt.datetime) -> list[dt.datetime]:
        """The beginnings of the steps, oldest first; the last one holds the present."""
        last = EPOCH + ((now - EPOCH) // self.step) * self.step
        count = self.length // self.step
        return [last - self.step * back for back in range(count - 1, -1, -1)]


HOUR = Span("hour", dt.timedelta(hours=1), dt.timedelta(minutes=1))
DAY = Span("day", dt.timedelta(days=1), dt.timedelta(minutes=20))
WEEK = Span("week", dt.timedelta(days=7), dt.timedelta(hours=2))
SPANS = (HOUR, DAY, WEEK)


@dataclass(frozen=True)
class Point:
    """One step of a check's history; status and peak are None where nothing was probed."""

    start: dt.datetime
    status: Status | None
    peak: float | None
    message: str = ""


def of_checks(span: Span = HOUR, now: dt.datetime | None = None) -> dict[str, list[Point]]:
    """Return every check's history in equal steps; in the platform's scope."""
    starts = span.starts(now or timezone.now())
    params: list[Any] = [span.step, EPOCH, starts[0]]
    with connections["default"].cursor() as cursor:
        cursor.execute(BINS, params)
        rows = cursor.fetchall()
    found: dict[str, dict[dt.datetime, Point]] = {}
    for name, start, worst, peak, message in rows:
        found.setdefault(name, {})[start] = Point(start, NAMES[worst], peak, message)
    return {
        name: [points.get(start, Point(start, None, None)) for start in starts]
        for name, points in found.items()
    }


def share_well(points: Sequence[Point]) -> float | None:
    """Return which share of the probed steps found nothing failed, None when nothing was probed."""
    probed = [point.status for point in points if point.status is not None]
    return sum(RANK[status] < RANK["failed"] for status in probed) / len(probed) if probed else None


def healings(limit: int = 20) -> tuple[LedgerEntry, ...]:
    """Return what was put right, newest first; in the platform's scope."""
    return ledger.browse(ledger.Filters(action=HEALED), limit=limit).entries


def open_alerts() -> list[Alert]:
    """Return the alerts that are not over, newest first, of the scope in force."""
    return list(Alert.objects.filter(resolved_at=None).order_by("-id")[:100])


def past_alerts(limit: int = 20) -> list[Alert]:
    """Return the alerts that are over, newest first, of the scope in force."""
    return list(Alert.objects.exclude(resolved_at=None).order_by("-resolved_at")[:limit])


def as_json(history: dict[str, list[Point]]) -> dict[str, Any]:
    """Return the probed steps of a history as `[time, status, peak]`."""
    return {
        name: [[point.start, point.status, point.peak] for point in points if point.status is not None]
        for name, points in history.items()
    }


def of_last_hour() -> dict[str, Any]:
    """Return the history of the last hour for programs; enters its own scope."""
    with platform_scope("health: history"):
        return as_json(of_checks(HOUR))
