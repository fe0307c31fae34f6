"""Periods of time as the query names them (2026-11, 2026-Q4, 2026-W47): their words, their days, what follows."""

import datetime as dt
import re

from dateutil.relativedelta import relativedelta
from django.utils import formats
from django.utils.translation import gettext as _

STEPS = {
    "day": relativedelta(days=1),
    "week": relativedelta(weeks=1),
    "month": relativedelta(months=1),
    "quarter": relativedelta(months=3),
    "year": relativedelta(years=1),
}
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_QUARTER = re.compile(r"(\d{4})-Q([1-4])")
MOST = 120


def start(text: str) -> dt.date:
    """Return the first day of a period; raises ValueError for a text that names none."""
    if week := _WEEK.fullmatch(text):
        return dt.date.fromisocalendar(int(week[1]), int(week[2]), 1)
    if quarter := _QUARTER.fullmatch(text):
        return dt.date(int(quarter[1]), int(quarter[2]) * 3 - 2, 1)
    parts = [int(part) for part in text.split("-")]
    return dt.date(*[*parts, 1, 1][:3])


def end(text: str, bucket: str) -> dt.date:
    """Return the last day of a period."""
    return start(text) + STEPS[bucket] - dt.timedelta(days=1)


def name(day: dt.date, bucket: str) -> str:
    """Return the period that a day is in, as the query writes it."""
    year, week, _day = day.isocalendar()
    return {
        "day": day.isoformat(),
        "week": f"{year:04}-W{week:02}",
        "month": f"{day:%Y-%m}",
        "quarter": f"{day.year}-Q{(day.month + 2) // 3}",
        "year": f"{day.year}",
    }[bucket]


def label(text: str, bucket: str) -> str:
    """Return a period in the reader's words."""
    first = start(text)
    if bucket == "month":
        return formats.date_format(first, "M Y")
    if bucket == "quarter":
        return _("Q%(quarter)s %(year)s") % {"quarter": (first.month + 2) // 3, "year": first.year}
    if bucket == "week":
        year, week, _day = first.isocalendar()
        return _("Week %(week)s, %(year)s") % {"week": week, "year": year}
    return formats.date_format(first, "SHORT_DATE_FORMAT") if bucket == "day" else str(first.year)


def without_gaps(texts: list[str], bucket: str) -> list[str]:
    """Return the periods from the first to the last, those without a record too; too many stay as they are."""
    ordered = sorted(set(texts), key=start)
    if not ordered:
        return []
    found: list[str] = []
    day, last = start(ordered[0]), start(ordered[-1])
    while day <= last and len(found) <= MOST:
        found.append(name(day, bucket))
        day += STEPS[bucket]
    return found if len(found) <= MOST else ordered
