"""The probe: runs every check each ten seconds, remembers what was found, and says when something changed.

Any number of pumps may run it; an advisory lock lets one at a time keep what it found, and a probe just kept by
another is not kept again.
"""

import datetime as dt
import json
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from django.db import connections

from apps.core import health
from apps.core.actor import SYSTEM
from apps.core.db import loss
from apps.core.health import RANK, Finding
from apps.core.scope import platform_scope
from apps.events import outbox
from apps.events.health import alarms, tampering
from apps.events.health.healing import healed
from apps.events.health.processes import mark_lost
from apps.events.jobs import sweeper
from apps.events.models import CheckState
from apps.events.registry import EventType, register

logger = logging.getLogger("aibos.health")

EVERY = 10.0
FRESH = 35.0
SETTLES = 2
KEEP_DAYS = 7
KEEP_ALERTS_DAYS = 90
STALE_LEASE = 20.0
GLANCE = 30.0
CHANGED = "health.changed"
ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('aibos:health', 0))"
KEEP = """
INSERT INTO public.events_check (name, status, message, figures, seconds, at, since, settled, streak)
VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE SET status = excluded.status, message = excluded.message, figures = excluded.figures,
  seconds = excluded.seconds, at = excluded.at, since = excluded.since, settled = excluded.settled,
  streak = excluded.streak
"""
MINUTE = """
INSERT INTO public.events_check_minute AS kept (name, start, worst, message, peak, probes)
VALUES (%s, date_trunc('minute', %s), %s, %s, %s, 1)
ON CONFLICT (start, name) DO UPDATE SET probes = kept.probes + 1, peak = greatest(kept.peak, excluded.peak),
  message = CASE WHEN excluded.worst >= kept.worst THEN excluded.message ELSE kept.message END,
  worst = greatest(kept.worst, excluded.worst)
"""
FORGET = "DELETE FROM public.events_check_minute WHERE start < %s"
GONE = "DELETE FROM public.events_check WHERE NOT name = ANY(%s) AND at < %s"
OVER = "DELETE FROM public.events_alert WHERE resolved_at < %s"
STALE = """
SELECT count(*) FROM public.events_job
WHERE state = 'running' AND lease_until < clock_timestamp() - %s * interval '1 second'
"""

register(
    EventType(
        CHANGED,
        "A check of health settled on another status.",
        {
            "type": "object",
            "properties": {
                "check": {"type": "string"},
                "before": {"type": "string"},
                "after": {"type": "string"},
                "message": {"type": "string"},
            },
            "required": ["check", "before", "after", "message"],
        },
    )
)


@dataclass(frozen=True)
class Before:
    """What is remembered of a check when it is probed again."""

    status: str
    since: dt.datetime
    settled: str
    streak: int


def probe() -> dict[str, Finding]:
    """Run every check, keep what was found, and act on what changed; return the findings. Outside any scope."""
    findings = health.run(local=False)
    with platform_scope("health: keep"), connections["default"].cursor() as cursor:
        cursor.execute(ALONE)
        if cursor.fetchone()[0]:
            _keep(cursor, findings, dt.datetime.now(dt.UTC))
    return findings


def probe_forever(stop: threading.Event, every: float = EVERY) -> None:
    """Probe and heal every `every` seconds until `stop` is set; a database that was away is written down after."""
    away_since: float | None = None
    glanced = 0.0
    while not stop.wait(every):
        try:
            if not recently(every / 2):
                probe()
            heal()
            if time.monotonic() - glanced >= GLANCE:
                tampering.look_closer()
                glanced = time.monotonic()
        except loss.ERRORS as error:
            away_since = away_since or time.monotonic()
            logger.critical("The health of the product cannot be kept: %s", error)
            loss.reset()
            continue
        if away_since is not None:
            seconds = time.monotonic() - away_since
            message = f"The database was away for about {seconds:.0f} s; connections were opened anew."
            healed("connection_reset", message, seconds=round(seconds))
            away_since = None


def heal() -> None:
    """Put right what can be put right safely: processes that vanished, and leases that no sweeper took back."""
    mark_lost()
    with platform_scope("health: stale leases"), connections["default"].cursor() as cursor:
        cursor.execute(STALE, [STALE_LEASE])
        stale = cursor.fetchone()[0]
    if stale:
        taken = sweeper.sweep()
        message = f"{stale} leases had ended {STALE_LEASE:.0f} s ago and no sweeper came; {taken} jobs were taken back."
        healed("stale_lease", message, stale=stale, taken_back=taken)


def recently(seconds: float) -> bool:
    """Return whether somebody has probed in the last `seconds`."""
    with platform_scope("health: last probe"):
        found = CheckState.objects.order_by("-at").values_list("at", flat=True).first()
    return found is not None and (dt.datetime.now(dt.UTC) - found).total_seconds() < seconds


def _keep(cursor: Any, findings: dict[str, Finding], now: dt.datetime) -> None:
    rows = CheckState.objects.values_list("name", "status", "since", "settled", "streak")
    known = {row[0]: Before(*row[1:]) for row in rows}
    checks = health.checks()
    for name, found in findings.items():
        before = known.get(name, Before(found.status, now, "ok", 0))
        same = before.status == found.status
        streak = before.streak + 1 if same else 1
        settled = found.status if streak >= SETTLES else before.settled
        since = before.since if same else now
        figures = json.dumps(found.figures, default=str)
        cursor.execute(
            KEEP,
            [name, found.status, found.message, figures, found.seconds, now, since, settled, streak],
        )
        measure = checks[name].measure if name in checks else ""
        peak = found.figures.get(measure, None) if measure else found.seconds
        cursor.execute(MINUTE, [name, now, RANK[found.status], found.message, peak])
        if settled != before.settled:
            _announce(name, before.settled, found)
        alarms.weigh(name, found, streak)
    if now.minute % 10 == 0:
        forget(cursor, now)


def forget(cursor: Any, now: dt.datetime) -> None:
    """Remove what is too old of minutes and alerts that are over, and checks that nobody registers any more."""
    cursor.execute(FORGET, [now - dt.timedelta(days=KEEP_DAYS)])
    cursor.execute(OVER, [now - dt.timedelta(days=KEEP_ALERTS_DAYS)])
    cursor.execute(GONE, [list(health.checks()), now - dt.timedelta(minutes=10)])


def _announce(name: str, before: str, found: Finding) -> None:
    data = {"check": name, "before": before, "after": found.status, "message": found.message}
    outbox.emit(CHANGED, subject=f"check:{name}", data=data, by=SYSTEM, tenant=None)


def remembered() -> health.Report | None:
    """Return what the last probe found, or None when it is older than `FRESH` seconds or there was none."""
    with platform_scope("health: what is remembered"):
        rows = list(CheckState.objects.all())
    newest = max((row.at for row in rows), default=None)
    if newest is None or (dt.datetime.now(dt.UTC) - newest).total_seconds() > FRESH:
        return None
    known = health.checks()
    findings = {
        row.name: Finding(row.status, row.message, row.figures, row.seconds)  # type: ignore[arg-type]
        for row in rows
        if row.name in known
    }
    return health.Report(findings, newest)


health.remember(remembered)
