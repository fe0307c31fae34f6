"""Days and instants in SQL, counted in UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from apps.core.cel.terms import Build, Const, Sql, Term, may_be_null, q, strict, unlowerable, whole_of
from apps.core.cel.tree import Node
from apps.core.cel.types import DATE, DURATION, INT, TIMESTAMP

FIRST, LAST = "'0001-01-01 00:00:00+00'::timestamptz", "'9999-12-31 23:59:59.999999+00'::timestamptz"
MOST_DAYS, MOST_MONTHS = 3_700_000, 120_000


def as_instant(term: Term) -> Term:
    """Return a date as its midnight in UTC; an instant stays."""
    if term.type != DATE:
        return term
    text = q("(({})::timestamp AT TIME ZONE 'UTC')", term.sql)
    return Term(text, TIMESTAMP, term.absent, term.faults, term.fault)


def _in_range(text: Sql) -> Sql:
    """Return NULL for instants that expressions do not know: years beyond 9999."""
    return q(f"(CASE WHEN {{}} BETWEEN {FIRST} AND {LAST} THEN {{}} END)", text, text)


def moved(node: Node, moment: Term, span: Term, sign: str) -> Term:
    only = span.sql[0] if len(span.sql) == 1 else None
    if not isinstance(only, Const) or not isinstance(only.value, dt.timedelta) or moment.type != TIMESTAMP:
        raise unlowerable(node, "Adding anything but a constant duration to a moment")
    text = q(f"(({{}} AT TIME ZONE 'UTC' {sign} {{}}) AT TIME ZONE 'UTC')", moment.sql, span.sql)
    return Term(_in_range(text), TIMESTAMP, faults=True)


def _days_on(node: Node, terms: list[Term]) -> Term:
    moment, days = terms
    count = whole_of(node, days, MOST_DAYS)
    if moment.type == DATE:
        return _day_in_range(q(f"({{}} + ({count}))", moment.sql))
    span = Term((Const(dt.timedelta(days=count), "interval"),), DURATION)
    return moved(node, moment, span, "+")


def _months_on(node: Node, terms: list[Term]) -> Term:
    moment, months = terms
    count = whole_of(node, months, MOST_MONTHS)
    if moment.type == DATE:
        return _day_in_range(q(f"({{}} + make_interval(months => {count}))::date", moment.sql))
    text = q(f"(({{}} AT TIME ZONE 'UTC' + make_interval(months => {count})) AT TIME ZONE 'UTC')", moment.sql)
    return Term(_in_range(text), TIMESTAMP, faults=True)


def _day_in_range(text: Sql) -> Term:
    within_ = "(CASE WHEN {} BETWEEN '0001-01-01'::date AND '9999-12-31'::date THEN {} END)"
    return Term(q(within_, text, text), DATE, faults=True)


def _as_day(node: Node, terms: list[Term]) -> Term:
    (term,) = terms
    if term.type == TIMESTAMP:
        return strict("({} AT TIME ZONE 'UTC')::date", DATE, term)
    if term.type == DATE:
        return Term(term.sql, DATE, faults=may_be_null(terms))
    raise unlowerable(node, "Reading a day from a text that is not constant")


def _as_moment(node: Node, terms: list[Term]) -> Term:
    if terms[0].type not in (DATE, TIMESTAMP):
        raise unlowerable(node, "Reading a moment from anything that is not constant")
    return Term(as_instant(terms[0]).sql, TIMESTAMP, faults=may_be_null(terms))


def _days_between(node: Node, terms: list[Term]) -> Term:
    first, second = (_as_day(node, [term]) for term in terms)
    return strict("({} - {})::numeric", INT, second, first, digits=7)


PARTS: Mapping[str, str] = {
    "getFullYear": "extract(year from {})",
    "getMonth": "(extract(month from {}) - 1)",
    "getDate": "extract(day from {})",
    "getDayOfMonth": "(extract(day from {}) - 1)",
    "getDayOfWeek": "extract(dow from {})",
    "getDayOfYear": "(extract(doy from {}) - 1)",
    "getHours": "extract(hour from {})",
    "getMinutes": "extract(minute from {})",
    "getSeconds": "floor(extract(second from {}))",
    "getMilliseconds": "mod(floor(extract(milliseconds from {})), 1000)",
}


def _part(template: str) -> Build:
    def build(node: Node, terms: list[Term]) -> Term:
        if len(terms) != 1 or terms[0].type not in (DATE, TIMESTAMP):
            raise unlowerable(node, "A part of a moment in a time zone")
        local = as_instant(terms[0])
        return strict(template.replace("{}", "({} AT TIME ZONE 'UTC')"), INT, local, digits=5)

    return build


MOMENT_FUNCTIONS: Mapping[str, Build] = {
    "date": _as_day,
    "datetime": _as_moment,
    "timestamp": _as_moment,
    "addDays": _days_on,
    "addMonths": _months_on,
    "daysBetween": _days_between,
    **{name: _part(template) for name, template in PARTS.items()},
}
