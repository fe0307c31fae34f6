"""Words in braces that stand for a value in filters: `{today}`, `{current_user_id}`, `{30_days_ago}` …"""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta

from apps.core.errors import Invalid
from apps.core.ids import NIL

TOKEN = re.compile(r"\{([a-z0-9_]{1,60})\}")
DISTANCE = re.compile(r"(\d{1,5})_(minute|hour|day|week|month|quarter|year)s?_(ago|from_now)")
PERIOD = re.compile(r"(last|current|this|next)_(week|month|quarter|year)_(start|end)")
DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
STEPS: dict[str, Callable[[int], relativedelta]] = {
    "week": lambda n: relativedelta(weeks=n),
    "month": lambda n: relativedelta(months=n),
    "quarter": lambda n: relativedelta(months=3 * n),
    "year": lambda n: relativedelta(years=n),
    "minute": lambda n: relativedelta(minutes=n),
    "hour": lambda n: relativedelta(hours=n),
    "day": lambda n: relativedelta(days=n),
}


@dataclass(frozen=True)
class Moment:
    """Who asks, and when; days begin in `zone`."""

    user_id: UUID | None = None
    tenant_id: UUID | None = None
    zone: dt.tzinfo = dt.UTC
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def today(self) -> dt.date:
        return self.now.astimezone(self.zone).date()


def resolve(value: Any, moment: Moment) -> Any:
    """Return what a token stands for, other values as they are; an unknown token is refused (400)."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    found = TOKEN.fullmatch(value)
    if found is None:
        return value
    name = found[1]
    fixed = _fixed(name, moment)
    if fixed is not None:
        return fixed
    if distance := DISTANCE.fullmatch(name):
        return _distance(int(distance[1]), distance[2], distance[3], moment)
    if period := PERIOD.fullmatch(name):
        return _period(period[1], period[2], period[3], moment.today)
    message = f"Unknown filter token {value[:80]}."
    raise Invalid(message, code="FILTER_TOKEN_UNKNOWN", details={"token": value[:80]})


def _fixed(name: str, moment: Moment) -> Any:
    if name in DAYS:
        return (moment.today + dt.timedelta(days=DAYS[name])).isoformat()
    if name == "now":
        return moment.now.isoformat()
    if name == "current_user_id":
        return str(moment.user_id or NIL)
    if name in ("current_org_id", "current_organization_id"):
        return str(moment.tenant_id or NIL)
    return None


def _distance(count: int, unit: str, direction: str, moment: Moment) -> str:
    step = STEPS[unit](-count if direction == "ago" else count)
    try:
        if unit in ("minute", "hour"):
            return (moment.now + step).isoformat()
        return (moment.today + step).isoformat()
    except (ValueError, OverflowError) as error:
        message = f"{{{count}_{unit}s_{direction}}} is out of range."
        raise Invalid(message, code="FILTER_TOKEN_UNKNOWN") from error


def _period(which: str, unit: str, edge: str, today: dt.date) -> str:
    start = {
        "week": today - dt.timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "quarter": today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1),
        "year": today.replace(month=1, day=1),
    }[unit]
    start += STEPS[unit]({"last": -1, "next": 1}.get(which, 0))
    end = start + STEPS[unit](1) - dt.timedelta(days=1)
    return (start if edge == "start" else end).isoformat()
