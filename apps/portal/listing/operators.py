"""The words of the filter builder: which operators a field offers and what each means to the query."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import Kind, kind_of

LIST_SEPARATOR, RANGE_SEPARATOR = ",", ".."


@dataclass(frozen=True)
class Operator:
    """One operator. `takes` is value, many, range, days, period or none; `test` turns the text into a condition."""

    code: str
    label: Promise
    takes: str
    test: Callable[[str], Any]


def escaped(text: str) -> str:
    """Return `text` so that `$ilike` takes it literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _between(text: str) -> dict[str, Any]:
    low, _dots, high = text.partition(RANGE_SEPARATOR)
    bounds = {"$gte": low.strip(), "$lte": high.strip()}
    return {name: bound for name, bound in bounds.items() if bound}


def _last_days(text: str) -> dict[str, Any]:
    days = min(int(text), 36_500)
    return {"$gte": (timezone.localdate() - dt.timedelta(days=days)).isoformat()}


def _next_days(text: str) -> dict[str, Any]:
    today, days = timezone.localdate(), min(int(text), 36_500)
    return {"$gte": today.isoformat(), "$lte": (today + dt.timedelta(days=days)).isoformat()}


PERIODS: Mapping[str, tuple[Promise, str, str]] = {
    "today": (_("today"), "{today}", "{today}"),
    "yesterday": (_("yesterday"), "{yesterday}", "{yesterday}"),
    "tomorrow": (_("tomorrow"), "{tomorrow}", "{tomorrow}"),
    "thisweek": (_("this week"), "{current_week_start}", "{current_week_end}"),
    "lastweek": (_("last week"), "{last_week_start}", "{last_week_end}"),
    "nextweek": (_("next week"), "{next_week_start}", "{next_week_end}"),
    "thismonth": (_("this month"), "{current_month_start}", "{current_month_end}"),
    "lastmonth": (_("last month"), "{last_month_start}", "{last_month_end}"),
    "nextmonth": (_("next month"), "{next_month_start}", "{next_month_end}"),
    "thisquarter": (_("this quarter"), "{current_quarter_start}", "{current_quarter_end}"),
    "lastquarter": (_("last quarter"), "{last_quarter_start}", "{last_quarter_end}"),
    "nextquarter": (_("next quarter"), "{next_quarter_start}", "{next_quarter_end}"),
    "thisyear": (_("this year"), "{current_year_start}", "{current_year_end}"),
    "lastyear": (_("last year"), "{last_year_start}", "{last_year_end}"),
    "nextyear": (_("next year"), "{next_year_start}", "{next_year_end}"),
    "past": (_("the past"), "", "{yesterday}"),
    "future": (_("the future"), "{tomorrow}", ""),
}


def _within(text: str) -> dict[str, Any]:
    _label, low, high = PERIODS[text]
    return {name: bound for name, bound in (("$gte", low), ("$lte", high)) if bound}


def _many(text: str) -> list[str]:
    return [part for part in text.split(LIST_SEPARATOR) if part]


_ALL = (
    Operator("has", _("contains"), "value", lambda v: {"$icontains": v}),
    Operator("starts", _("starts with"), "value", lambda v: {"$ilike": escaped(v) + "%"}),
    Operator("is", _("is"), "value", lambda v: {"$eq": v}),
    Operator("not", _("is not"), "value", lambda v: {"$ne": v}),
    Operator("gt", _("is more than"), "value", lambda v: {"$gt": v}),
    Operator("lt", _("is less than"), "value", lambda v: {"$lt": v}),
    Operator("gte", _("is at least"), "value", lambda v: {"$gte": v}),
    Operator("lte", _("is at most"), "value", lambda v: {"$lte": v}),
    Operator("between", _("is between"), "range", _between),
    Operator("within", _("is in"), "period", _within),
    Operator("on", _("is on"), "value", lambda v: {"$gte": v, "$lte": v}),
    Operator("after", _("is after"), "value", lambda v: {"$gt": v}),
    Operator("before", _("is before"), "value", lambda v: {"$lt": v}),
    Operator("days", _("in the last days"), "days", _last_days),
    Operator("next", _("in the next days"), "days", _next_days),
    Operator("in", _("is any of"), "many", lambda v: {"$in": _many(v)}),
    Operator("nin", _("is none of"), "many", lambda v: {"$nin": _many(v)}),
    Operator("yes", _("is yes"), "none", lambda _v: {"$eq": True}),
    Operator("no", _("is no"), "none", lambda _v: {"$eq": False}),
    Operator("me", _("is me"), "none", lambda _v: {"$eq": "{current_user_id}"}),
    Operator("includes", _("includes"), "value", lambda v: {"$contains": v}),
    Operator("excludes", _("does not include"), "value", lambda v: {"$notContains": v}),
    Operator("under", _("is below"), "value", lambda v: {"$under": v}),
    Operator("empty", _("is empty"), "none", lambda _v: {"$null": True}),
    Operator("filled", _("is not empty"), "none", lambda _v: {"$null": False}),
)
OPERATORS: Mapping[str, Operator] = {operator.code: operator for operator in _ALL}
_PRESENCE = ("empty", "filled")
_TEXT = ("has", "starts", "is", "not", *_PRESENCE)
_NUMBER = ("is", "not", "gt", "gte", "lt", "lte", "between", *_PRESENCE)
_TIME = ("within", "on", "after", "before", "between", "days", "next", *_PRESENCE)
BY_CELL: Mapping[str, tuple[str, ...]] = {
    "number": _NUMBER,
    "currency": _NUMBER,
    "percent": _NUMBER,
    "date": _TIME,
    "datetime": _TIME,
    "boolean": ("yes", "no", *_PRESENCE),
    "badge": ("in", "nin", "is", "not", *_PRESENCE),
    "badges": ("includes", "excludes", *_PRESENCE),
    "lookup": ("is", "not", *_PRESENCE),
    "lookups": ("includes", "excludes", *_PRESENCE),
    "users": ("includes", "excludes", *_PRESENCE),
    "user": ("me", "is", "not", *_PRESENCE),
    "tags": ("includes", "excludes", *_PRESENCE),
    "time": ("is", "after", "before", "between", *_PRESENCE),
    "id": ("is",),
}


def offered(field: FieldDef) -> list[Operator]:
    """Return the operators of a field, the most useful first; a cell without a row has those of its kind."""
    kind = kind_of(field)
    codes = BY_CELL.get(kind.cell) or _of_kind(kind)
    return [OPERATORS[code] for code in (*codes, *(("under",) if "$under" in kind.operators else ()))]


def _of_kind(kind: Kind) -> tuple[str, ...]:
    if "$icontains" in kind.operators:
        return _TEXT
    if "$gt" in kind.operators:
        return _NUMBER
    return ("is", "not", *_PRESENCE) if "$eq" in kind.operators else _PRESENCE
