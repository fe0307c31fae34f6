"""What a tenant may know of the platform's health: a word for each part, its own figures, and nothing of others."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from django.db import connections
from django.utils import timezone

from apps.core.health import RANK
from apps.core.scope import current_tenant
from apps.events.health.history import DAY, NAMES
from apps.events.health.probe import FRESH
from apps.events.models import CheckState

Word = Literal["ok", "degraded", "failed", "unknown"]
PARTS: dict[str, frozenset[str]] = {
    "pages": frozenset({"database", "database_load", "cache", "disk"}),
    "work": frozenset({"job_queue", "workers", "schedulers", "broker"}),
    "events": frozenset({"outbox_lag", "bus", "loops"}),
    "ledger": frozenset({"ledger_lag", "checkpoint_age"}),
}
OWN = """
SELECT (SELECT count(*) FROM public.events_job WHERE tenant_id = %(id)s AND state = 'queued' AND run_at <= clock_timestamp()),
       (SELECT count(*) FROM public.events_job WHERE tenant_id = %(id)s AND state = 'running'),
       (SELECT count(*) FROM public.events_job WHERE tenant_id = %(id)s AND state IN ('failed', 'quarantined')),
       (SELECT count(*) FROM public.audit_pending WHERE tenant_id = %(id)s)
"""
SHARES = """
SELECT part, count(DISTINCT start), count(DISTINCT start) FILTER (WHERE worst >= 2)
FROM public.events_check_minute JOIN unnest(%s::text[], %s::text[]) AS wanted(name, part) USING (name)
WHERE start >= %s GROUP BY 1
"""


@dataclass(frozen=True)
class Part:
    """A part of the product: how it is, since when, and for which share of the last day it was not down.

    `share` is None when nothing was probed.
    """

    key: str
    status: Word
    since: dt.datetime | None
    share: float | None


@dataclass(frozen=True)
class Own:
    """The tenant's own figures."""

    jobs_waiting: int
    jobs_running: int
    dead_letters: int
    entries_waiting: int


def parts() -> list[Part]:
    """Return the parts in their order; a part whose checks have not been probed lately is unknown."""
    now = timezone.now()
    rows = list(CheckState.objects.values_list("name", "settled", "since", "at"))
    shares = _shares(now - DAY.length)
    return [_part(key, names, rows, shares[key], now) for key, names in PARTS.items()]


def own() -> Own:
    """Return the figures of the tenant in force."""
    with connections["default"].cursor() as cursor:
        cursor.execute(OWN, {"id": current_tenant().id})
        return Own(*cursor.fetchone())


def _part(
    key: str,
    names: frozenset[str],
    rows: list[tuple[str, str, dt.datetime, dt.datetime]],
    share: float | None,
    now: dt.datetime,
) -> Part:
    mine = [row for row in rows if row[0] in names and (now - row[3]).total_seconds() <= FRESH]
    if not mine:
        return Part(key, "unknown", None, share)
    worst = max(RANK[row[1]] for row in mine)
    since = max(row[2] for row in mine if RANK[row[1]] == worst) if worst else None
    return Part(key, NAMES[worst], since, share)


def _shares(since: dt.datetime) -> dict[str, float | None]:
    """Return for each part which share of the probed minutes nothing of it was down in."""
    names, groups = zip(*[(name, key) for key, found in PARTS.items() for name in found], strict=True)
    params: list[Any] = [list(names), list(groups), since]
    with connections["default"].cursor() as cursor:
        cursor.execute(SHARES, params)
        found = {key: 1 - down / probed for key, probed, down in cursor.fetchall()}
    return {key: found.get(key) for key in PARTS}
