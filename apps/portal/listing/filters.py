"""Filters in the address of a list: `f=<group>.<field>.<operator>.<value>`, read, written and compiled.

Conditions of one group must all hold; a record is listed when one of the groups holds.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.kinds.problem import FieldProblem
from apps.portal.listing.operators import OPERATORS, RANGE_SEPARATOR, Operator, offered

_SHAPE = re.compile(r"(\d{1,2})\.([a-z][a-z0-9_]*)\.([a-z]+)(?:\.(.*))?", re.DOTALL)
MOST = 30


@dataclass(frozen=True)
class Condition:
    """One line of the filter builder."""

    group: int
    field: str
    operator: str
    value: str = ""

    def encoded(self) -> str:
        """Return the address form, which `decode` reads back."""
        tail = f".{self.value}" if self.value else ""
        return f"{self.group}.{self.field}.{self.operator}{tail}"


def decode(texts: Iterable[str], definition: ObjectDef, readable: frozenset[str]) -> list[Condition]:
    """Return the conditions that make sense; a stale or forged part of an address is left out."""
    found = []
    for text in list(texts)[:MOST]:
        match = _SHAPE.fullmatch(text)
        if match is None:
            continue
        group, name, code, value = int(match[1]), match[2], match[3], (match[4] or "").strip()
        field = definition.all_fields.get(name)
        if field is None or name not in readable or not _sensible(field, code, value):
            continue
        found.append(Condition(group, name, code, value))
    return found


def _sensible(field: FieldDef, code: str, value: str) -> bool:
    """Say whether the field offers the operator and takes the value."""
    if code not in {operator.code for operator in offered(field)}:
        return False
    operator = OPERATORS[code]
    if operator.takes == "none":
        return True
    if not value or (operator.takes == "days" and not value.isdigit()):
        return False
    try:
        for part in _parts(operator, value):
            kind_of(field).filter_value(field, part)
    except FieldProblem:
        return False
    return True


def _parts(operator: Operator, value: str) -> list[str]:
    if operator.takes == "range":
        return [part for part in value.split(RANGE_SEPARATOR) if part.strip()]
    if operator.takes == "many":
        return [part for part in value.split(",") if part]
    return [] if operator.takes == "days" else [value]


def where(conditions: Iterable[Condition]) -> Mapping[str, Any] | None:
    """Return the filter in the query's object form, or None when nothing is filtered."""
    groups: dict[int, list[Mapping[str, Any]]] = {}
    for condition in conditions:
        test = OPERATORS[condition.operator].test(condition.value)
        groups.setdefault(condition.group, []).append({condition.field: test})
    branches = [tests[0] if len(tests) == 1 else {"$and": tests} for tests in groups.values()]
    if not branches:
        return None
    return branches[0] if len(branches) == 1 else {"$or": branches}


def from_where(where_: Mapping[str, Any]) -> list[Condition] | None:
    """Return the conditions of a declared filter (a flat one), or None when the builder has no words for it."""
    found = []
    for name, test in where_.items():
        if name.startswith("$"):
            return None
        tests = test if isinstance(test, Mapping) else {"$eq": test}
        for operator, value in tests.items():
            condition = _condition(name, operator, value)
            if condition is None:
                return None
            found.append(condition)
    return found


_WORDS = {"$eq": "is", "$ne": "not", "$gt": "gt", "$lt": "lt", "$icontains": "has", "$contains": "includes"}


def _condition(name: str, operator: str, value: Any) -> Condition | None:
    if isinstance(value, bool):
        if operator == "$null":
            return Condition(0, name, "empty" if value else "filled")
        return Condition(0, name, "yes" if value else "no") if operator == "$eq" else None
    if value == "{current_user_id}" and operator == "$eq":
        return Condition(0, name, "me")
    if operator in ("$in", "$nin") and isinstance(value, list | tuple):
        return Condition(0, name, operator[1:], ",".join(str(item) for item in value))
    if operator in _WORDS and isinstance(value, str | int):
        return Condition(0, name, _WORDS[operator], str(value))
    return None
