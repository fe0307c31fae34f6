"""A month of records: on which day each of them stands, in the reader's calendar and time zone."""

import calendar
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import formats, timezone
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR

from apps.core.actor import Actor
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.permissions.access import Access
from apps.portal import records, show
from apps.portal.listing import cards
from apps.portal.listing import page as listing
from apps.portal.listing.address import ListAddress

MOST = 500
SHOWN = 4


@dataclass(frozen=True)
class Entry:
    """A record on its day; `time` where the field has one."""

    card: cards.Card
    time: str


@dataclass(frozen=True)
class Day:
    """One day: what stands on it, and where all of it is listed."""

    date: dt.date
    label: str
    inside: bool
    today: bool
    entries: list[Entry]
    rest: int
    href: str


@dataclass(frozen=True)
class Month:
    """The weeks that hold a month. `full` says that there were more records than a month shows."""

    label: str
    weekdays: list[tuple[str, str]]
    weeks: list[list[Day]]
    previous_href: str
    next_href: str
    today_href: str
    full: bool
    count: int


def first_of(text: str) -> dt.date:
    """Return the first day of the month in an address; today's month for anything that is none."""
    try:
        return dt.date.fromisoformat(f"{text}-01")
    except ValueError:
        return timezone.localdate().replace(day=1)


def month(address: ListAddress, definition: ObjectDef, access: Access, *, by: Actor) -> Month:
    """Return the month of the address with its records."""
    first, start_of_week = first_of(address.month), (formats.get_format("FIRST_DAY_OF_WEEK") - 1) % 7
    weeks = calendar.Calendar(start_of_week).monthdatescalendar(first.year, first.month)
    found = _find(address, definition, access, weeks[0][0], weeks[-1][-1], by)
    made = cards.many(found.rows, address, definition, access, by=by)
    timed = kind_of(definition.all_fields[address.by]).cell == "datetime"
    days: dict[dt.date, list[Entry]] = {}
    for record, card in zip(found.rows, made, strict=True):
        at = show.moment(record[address.by]) if timed else None
        date = at.date() if at else dt.date.fromisoformat(record[address.by])
        days.setdefault(date, []).append(Entry(card, formats.time_format(at, "TIME_FORMAT") if at else ""))
    order = [(start_of_week + n) % 7 for n in range(7)]
    return Month(
        label=formats.date_format(first, "YEAR_MONTH_FORMAT"),
        weekdays=[(str(WEEKDAYS_ABBR[n]), str(WEEKDAYS[n])) for n in order],
        weeks=[[_day(date, first, days, address) for date in week] for week in weeks],
        previous_href=address.query(month=f"{first - dt.timedelta(days=1):%Y-%m}"),
        next_href=address.query(month=f"{first + dt.timedelta(days=31):%Y-%m}"),
        today_href=address.query(month=""),
        full=bool(found.next_cursor),
        count=sum(len(entries) for entries in days.values()),
    )


def _day(date: dt.date, first: dt.date, days: Mapping[dt.date, list[Entry]], address: ListAddress) -> Day:
    entries = days.get(date, [])
    shown = entries if len(entries) <= SHOWN else entries[: SHOWN - 1]
    on_it = listing.with_condition(address, address.by, "on", date.isoformat())
    return Day(
        date=date,
        label=formats.date_format(date, "DATE_FORMAT"),
        inside=date.month == first.month,
        today=date == timezone.localdate(),
        entries=shown,
        rest=len(entries) - len(shown),
        href=on_it.query(layout="table"),
    )


def _find(
    address: ListAddress, definition: ObjectDef, access: Access, start: dt.date, end: dt.date, by: Actor
) -> records.Found:
    """Return the records between two days, both included, in the reader's zone."""
    low: Any = start.isoformat()
    high: Any = {"$lte": end.isoformat()}
    if kind_of(definition.all_fields[address.by]).cell == "datetime":
        zone = timezone.get_current_timezone()
        low = dt.datetime.combine(start, dt.time(), zone).isoformat()
        high = {"$lt": dt.datetime.combine(end + dt.timedelta(days=1), dt.time(), zone).isoformat()}
    body = listing.ast(address, definition) | {"limit": MOST, "after": ""}
    body["fields"] = cards.wanted(address, definition, access)
    body["orderBy"] = [{"field": address.by, "order": "asc"}]
    between = {address.by: {"$gte": low} | high}
    body["where"] = {"$and": [body["where"], between]} if "where" in body else between
    return records.find(definition, body, by=by)
