"""Moments in expressions: reading and writing them, their parts in a time zone, and the calendar."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.core.cel.errors import Fault
from apps.core.cel.values import is_number, midnight, word

INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LENGTH = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)
MICROSECONDS = {
    "ns": Decimal("0.001"),
    "us": Decimal(1),
    "µs": Decimal(1),
    "ms": Decimal(1_000),
    "s": Decimal(1_000_000),
    "m": Decimal(60_000_000),
    "h": Decimal(3_600_000_000),
}
MOST_MICROSECONDS = (2**63 - 1) // 1000


def instant(text: str) -> dt.datetime:
    """Return the instant of an RFC 3339 text; digits beyond the microsecond are cut."""
    match = INSTANT.fullmatch(text)
    if match is None:
        raise Fault(f"{text[:40]!r} is no instant such as 2026-01-31T09:30:00Z.", "conversion")
    year, month, day, hour, minute, second, part, sign, hours, minutes = match.groups()
    try:
        ahead = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
        moment = dt.datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=dt.UTC
        )
        return moment + dt.timedelta(microseconds=int((part or "0").ljust(9, "0")[:6])) - ahead
    except (ValueError, OverflowError) as error:
        raise Fault(f"There is no instant {text[:40]!r}.", "conversion") from error


def day(text: str) -> dt.date:
    """Return the day of `YYYY-MM-DD`, or that of an RFC 3339 text in UTC."""
    try:
        return dt.date.fromisoformat(text) if DAY.fullmatch(text) else instant(text).date()
    except ValueError as error:
        raise Fault(f"There is no day {text[:40]!r}.", "conversion") from error


def length(text: str) -> dt.timedelta:
    """Return the duration of a text such as `1h30m` or `-1.5s`."""
    body = text.removeprefix("-").removeprefix("+")
    parts = LENGTH.findall(body)
    if "".join(number + unit for number, unit in parts) != body or not (parts or body == "0"):
        raise Fault(f"{text[:40]!r} is no duration such as 1h30m.", "conversion")
    micro = sum((Decimal(number) * MICROSECONDS[unit] for number, unit in parts), Decimal(0))
    if micro > MOST_MICROSECONDS:
        raise Fault("The duration is out of range.", "overflow")
    return dt.timedelta(microseconds=int(micro) * (-1 if text.startswith("-") else 1))


def zone_of(name: str) -> dt.tzinfo:
    """Return a time zone by its name or its distance from UTC such as `-08:00`."""
    match = OFFSET.fullmatch(name)
    if match:
        ahead = dt.timedelta(hours=int(match[2]), minutes=int(match[3]))
        try:
            return dt.timezone(-ahead if match[1] == "-" else ahead)
        except ValueError as error:
            raise Fault(f"There is no time zone {name!r}.", "conversion") from error
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise Fault(f"There is no time zone {name[:40]!r}.", "conversion") from error


def fraction(micro: int) -> str:
    """Return the digits after the point, without zeros at the end, with the point."""
    return f".{micro:06d}".rstrip("0").rstrip(".") if micro else ""


def written(value: dt.date | dt.timedelta) -> str:
    """Return the text of a day, an instant or a duration."""
    if isinstance(value, dt.timedelta):
        micro = value // dt.timedelta(microseconds=1)
        return f"{'-' if micro < 0 else ''}{abs(micro) // 1_000_000}{fraction(abs(micro) % 1_000_000)}s"
    if isinstance(value, dt.datetime):
        value = value.astimezone(dt.UTC)
        return f"{value:%H:%M:%S}".join((f"{value.date().isoformat()}T", f"{fraction(value.microsecond)}Z"))
    return value.isoformat()


PARTS: Mapping[str, Callable[[dt.datetime], int]] = {
    "getFullYear": lambda m: m.year,
    "getMonth": lambda m: m.month - 1,
    "getDate": lambda m: m.day,
    "getDayOfMonth": lambda m: m.day - 1,
    "getDayOfWeek": lambda m: m.isoweekday() % 7,
    "getDayOfYear": lambda m: m.timetuple().tm_yday - 1,
    "getHours": lambda m: m.hour,
    "getMinutes": lambda m: m.minute,
    "getSeconds": lambda m: m.second,
    "getMilliseconds": lambda m: m.microsecond // 1000,
}
SPANS: Mapping[str, int] = {"getHours": 3_600_000, "getMinutes": 60_000, "getSeconds": 1_000}


def part(name: str) -> Callable[..., int]:
    """Return the function that reads one part of an instant, a day or a duration."""
    read = PARTS[name]

    def reader(value: Any, zone: Any = None) -> int:
        if isinstance(value, dt.timedelta) and name in (*SPANS, "getMilliseconds"):
            milli = abs(value) // dt.timedelta(milliseconds=1)
            found = milli % 1000 if name == "getMilliseconds" else milli // SPANS[name]
            return found if value >= dt.timedelta(0) else -found
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            value = midnight(value)
        if not isinstance(value, dt.datetime):
            raise Fault(f"{name}() needs an instant, not {word(value)}.", "null_operand")
        try:
            return read(value.astimezone(zone_of(zone) if zone is not None else dt.UTC))
        except OverflowError as error:
            raise Fault("The moment is out of range.", "overflow") from error

    return reader


def add_days(value: Any, days: Any) -> Any:
    """Return the day or instant so many days on."""
    if not isinstance(value, dt.date) or not is_number(days) or days != int(days):
        raise Fault("addDays() needs a moment and a whole number of days.", "null_operand")
    try:
        return value + dt.timedelta(days=int(days))
    except OverflowError as error:
        raise Fault("The moment is out of range.", "overflow") from error


def add_months(value: Any, months: Any) -> Any:
    """Return the same day of another month, or its last day when it is shorter."""
    if not isinstance(value, dt.date) or not is_number(months) or months != int(months):
        raise Fault("addMonths() needs a moment and a whole number of months.", "null_operand")
    year, month = divmod(value.year * 12 + value.month - 1 + int(months), 12)
    if not 1 <= year <= 9999:
        raise Fault("The moment is out of range.", "overflow")
    last = calendar.monthrange(year, month + 1)[1]
    return value.replace(year=year, month=month + 1, day=min(value.day, last))


def days_between(first: Any, second: Any) -> int:
    """Return the days from the first moment to the second, counted in UTC."""
    if not isinstance(first, dt.date) or not isinstance(second, dt.date):
        raise Fault("daysBetween() needs two moments.", "null_operand")
    return (as_day(second) - as_day(first)).days


def as_day(value: Any) -> dt.date:
    """Return the day of a moment in UTC, or of a text."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).date()
    if isinstance(value, dt.date):
        return value
    if isinstance(value, str):
        return day(value)
    raise Fault(f"{word(value)} is no day.", "null_operand")


def as_instant(value: Any) -> dt.datetime:
    """Return the instant of a text, of a day's beginning in UTC, or of seconds since 1970."""
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return midnight(value)
    if isinstance(value, str):
        return instant(value) if not DAY.fullmatch(value) else midnight(day(value))
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=value)
        except OverflowError as error:
            raise Fault("The moment is out of range.", "overflow") from error
    raise Fault(f"{word(value)} is no moment.", "null_operand")
