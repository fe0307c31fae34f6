"""Tests of fields as rules; what has no rule is refused, never guessed.

Literals are brought to the type of their field's column, so that both back ends compare alike.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any
from uuid import UUID

from apps.permissions import rules

TEXTS = frozenset(
    {
        "text",
        "textarea",
        "email",
        "url",
        "phone",
        "select",
        "radio",
        "autonumber",
        "markdown",
        "html",
        "color",
        "code",
    }
)
NUMBERS = frozenset({"number", "currency", "percent", "integer", "rating", "slider", "progress", "summary"})
FLAGS = frozenset({"boolean", "toggle"})
IDS = frozenset({"id", "lookup", "master_detail", "user", "tree"})
LISTS = frozenset({"multiselect", "checkboxes", "tags"})
COMPARED = NUMBERS | {"date", "datetime"}
ORDER: Mapping[str, rules.Comparison] = MappingProxyType({"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="})
TESTS: Mapping[str, rules.TextTest] = MappingProxyType(
    {"$startsWith": "starts", "$endsWith": "ends", "$contains": "contains"}
)


class NotLowerable(Exception):
    """The condition has no rule over records; the message says which part has none."""


def mapping(condition: Mapping[str, Any], fields: Mapping[str, Any]) -> rules.Rule:
    """Return the rule of `{field: value | {operator: value}}`, all of which must hold."""
    parts = []
    for name, wanted in condition.items():
        kind = type_of(name, fields)
        tests = wanted if isinstance(wanted, Mapping) else {"$eq": wanted}
        parts += [_test(name, kind, operator, value) for operator, value in tests.items()]
    return rules.conjunction(parts)


def _test(name: str, kind: str, operator: str, value: Any) -> rules.Rule:
    if operator in ("$eq", "$ne"):
        found = equals(name, kind, value)
        return found if operator == "$eq" else rules.Not(found)
    if operator in ("$in", "$nin") and isinstance(value, list | tuple):
        found = rules.disjunction([equals(name, kind, item) for item in value])
        return found if operator == "$in" else rules.Not(found)
    if operator in ORDER:
        return compare(name, kind, ORDER[operator], value)
    if operator in TESTS:
        return reads(name, kind, TESTS[operator], value)
    if operator == "$null" and isinstance(value, bool):
        empty = rules.FieldEquals(name, None)
        return empty if value else rules.Not(empty)
    msg = f"{operator} is no operator here."
    raise NotLowerable(msg)


def type_of(name: Any, fields: Mapping[str, Any]) -> str:
    """Return the type of a field, `list:<type>` when it holds several values; raises for an unknown one."""
    found = fields.get(name)
    if found is None:
        msg = f"{name} is no field of the object."
        raise NotLowerable(msg)
    if getattr(found, "encrypted", False):
        msg = f"{name} is encrypted: the database cannot look at its values."
        raise NotLowerable(msg)
    kind = str(getattr(found, "type", "text"))
    if kind in LISTS or getattr(found, "multiple", False):
        return f"list:{kind}"
    return kind


def equals(name: str, kind: str, value: Any) -> rules.Rule:
    """Return "the field is this value"; a list is so when it has the value among its items."""
    if value is None:
        return rules.FieldEquals(name, None)
    if kind.startswith("list:"):
        return rules.FieldHas(name, literal(kind.removeprefix("list:"), value))
    return rules.FieldEquals(name, literal(kind, value))


def compare(name: str, kind: str, operator: rules.Comparison, value: Any) -> rules.Rule:
    """Return "the field is less (…) than this value"; numbers, dates and instants have an order."""
    if kind not in COMPARED:
        msg = f"{name} is a {kind}, and only numbers, dates and instants have an order."
        raise NotLowerable(msg)
    return rules.FieldCompare(name, operator, literal(kind, value))


def reads(name: str, kind: str, test: rules.TextTest, value: Any) -> rules.Rule:
    """Return "the text of the field starts with (…) this one"."""
    if kind not in TEXTS or not isinstance(value, str):
        msg = f"{name} is a {kind}, and only texts can be looked into."
        raise NotLowerable(msg)
    return rules.FieldText(name, test, value)


def literal(kind: str, value: Any) -> Any:
    """Return a literal in the type of the field's column; raises when it can be none of its values."""
    made = next((convert for kinds, convert in CONVERSIONS if kind in kinds), None)
    if made is None:
        msg = f"Values of the type {kind} cannot be compared."
        raise NotLowerable(msg)
    try:
        return made(value)
    except (ValueError, TypeError, InvalidOperation) as error:
        msg = f"{str(value)[:80]!r} is no value of the type {kind}."
        raise NotLowerable(msg) from error


def literals(kind: str, values: Iterable[Any]) -> tuple[Any, ...]:
    """Return literals of one type, as the database wants the items of a list."""
    made = tuple(literal(kind, value) for value in values)
    return tuple(map(Decimal, made)) if any(isinstance(value, Decimal) for value in made) else made


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError
    if isinstance(value, int):
        return value
    made = Decimal(str(value))
    if not made.is_finite():
        raise ValueError
    return made


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _id(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(_text(value))


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        raise TypeError
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(_text(value))


def _instant(value: Any) -> dt.datetime:
    made = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(_text(value))
    if made.tzinfo is None:
        raise ValueError
    return made


CONVERSIONS: tuple[tuple[frozenset[str], Callable[[Any], Any]], ...] = (
    (TEXTS, _text),
    (LISTS, _text),
    (NUMBERS, _number),
    (FLAGS, _flag),
    (IDS, _id),
    (frozenset({"date"}), _date),
    (frozenset({"datetime"}), _instant),
)
