"""Windows of time by name: `last_7_days`, `this_quarter` …, as a filter on whole days of a zone."""

import datetime as dt
from typing import Any

from apps.core.errors import Invalid

UNITS = ("week", "month", "quarter", "year")
LASTS = {"last_7_days": 7, "last_30_days": 30, "last_90_days": 90}
PRESETS = ("today", "yesterday", *(f"{which}_{unit}" for unit in UNITS for which in ("this", "last")), *LASTS)


def range_filter(name: str, wanted: Any, zone: dt.tzinfo, now: dt.datetime | None = None) -> dict[str, Any]:
    """Return the filter of a preset or of `[start, end]`, both days included."""
    if isinstance(wanted, list) and len(wanted) == 2 and all(isinstance(item, str) for item in wanted):
        return {name: {"$gte": wanted[0], "$lte": wanted[1]}}
    if wanted not in PRESETS:
        message = f"A dateRange is [start, end] or one of {', '.join(PRESETS)}."
        raise Invalid(message, code="ANALYTICS_DATE_RANGE_UNRECOGNIZED")
    start, end = window(wanted, (now or dt.datetime.now(zone)).astimezone(zone).date())
    return {name: {"$gte": start.isoformat(), "$lte": end.isoformat()}}


def window(preset: str, today: dt.date) -> tuple[dt.date, dt.date]:
    """Return the first and the last day of a preset."""
    day = dt.timedelta(days=1)
    if preset in ("today", "yesterday"):
        found = today if preset == "today" else today - day
        return found, found
    if preset in LASTS:
        return today - day * (LASTS[preset] - 1), today
    which, _, unit = preset.partition("_")
    start = _start(unit, today)
    if which == "last":
        return _start(unit, start - day), start - day
    return start, _start(
        unit, start + dt.timedelta(days={"week": 7, "month": 31, "quarter": 92, "year": 366}[unit])
    ) - day


def _start(unit: str, day: dt.date) -> dt.date:
    if unit == "week":
        return day - dt.timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1)
