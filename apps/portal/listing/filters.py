"""Filters in the address of a list: `f=<group>.<field>.<operator>.<value>`, read, written and compiled.

A group is a path: `0` and `1` are alternatives; the conditions of one must all hold. `0-1` is a group within `0`.
A segment may end in `o` (one of its parts must hold) or `n` (none of them may): `0o`, `0-1n`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.kinds.problem import FieldProblem
from apps.portal.listing.operators import OPERATORS, PERIODS, RANGE_SEPARATOR, Operator, offered

_SHAPE = re.compile(
    r"(\d{1,2}[on]?(?:-\d{1,2}[on]?){0,5})\.([a-z][a-z0-9_]*)\.([a-z]+)(?:\.(.*))?", re.DOTALL
)
MOST, MOST_DEPTH = 60, 5


@dataclass(frozen=True)
class Condition:
    """One line of the filter builder."""

    group: str
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
        group, name, code, value = match[1], match[2], match[3], (match[4] or "").strip()
        found_field = definition.all_fields.get(name)
        if found_field is None or name not in readable or not _sensible(found_field, code, value):
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
    if not value or (operator.takes == "days" and not value.isdecimal()):
        return False
    if operator.takes == "period":
        return value in PERIODS
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


MODES = {"": "all", "o": "any", "n": "none"}
LETTERS = {mode: letter for letter, mode in MODES.items()}


@dataclass
class Group:
    """Conditions and groups of which all, any or none must hold; `number` is its place in the group around it."""

    number: str
    mode: str
    items: "list[Condition | Group]" = field(default_factory=list)


def tree(conditions: Iterable[Condition]) -> Group:
    """Return the conditions as the tree that their paths mean; the outermost group holds alternatives."""
    root = Group("", "any")
    for condition in conditions:
        here = root
        for segment in condition.group.split("-"):
            number, mode = segment.rstrip("on"), MODES[segment[-1] if segment[-1] in "on" else ""]
            inner = next((g for g in here.items if isinstance(g, Group) and g.number == number), None)
            if inner is None:
                inner = Group(number, mode)
                here.items.append(inner)
            here = inner
        here.items.append(condition)
    return root


def outermost(conditions: Iterable[Condition]) -> Group:
    """Return the tree without needless layers: one group that means the same, its parts numbered anew."""
    root = tree(conditions)
    while len(root.items) == 1 and isinstance(root.items[0], Group) and root.mode != "none":
        root = root.items[0]
    return root


def where(conditions: Iterable[Condition]) -> Mapping[str, Any] | None:
    """Return the filter in the query's object form, or None when nothing is filtered."""
    root = tree(conditions)
    return _compiled(root) if root.items else None


def _compiled(group: Group) -> Mapping[str, Any]:
    parts = [
        _compiled(item)
        if isinstance(item, Group)
        else {item.field: OPERATORS[item.operator].test(item.value)}
        for item in group.items
    ]
    if group.mode == "none":
        return {"$not": parts[0] if len(parts) == 1 else {"$or": parts}}
    if len(parts) == 1:
        return parts[0]
    return {"$and" if group.mode == "all" else "$or": parts}


def narrowed(conditions: Iterable[Condition], name: str, operator: str, value: str) -> tuple[Condition, ...]:
    """Return the conditions with one more that must hold whatever else does."""
    given = tuple(conditions)
    firsts = {condition.group.split("-")[0] for condition in given}
    if len(firsts) == 1 and (first := firsts.pop()).isdecimal():
        return (*given, Condition(first, name, operator, value))
    moved = tuple(replace(condition, group=f"0-0o-{condition.group}") for condition in given)
    return (*moved, Condition("0", name, operator, value))


def from_where(where_: Mapping[str, Any]) -> list[Condition] | None:
    """Return the conditions of a declared filter, or None when the builder has no words for it."""
    return _from(where_, "0")


def _from(where_: Mapping[str, Any], path: str) -> list[Condition] | None:
    found: list[Condition] = []
    for number, (name, test) in enumerate(where_.items()):
        made = _nested(name, test, f"{path}-{number}") if name.startswith("$") else _simple(name, test, path)
        if made is None or path.count("-") > MOST_DEPTH:
            return None
        found += made
    return found


def _nested(word: str, value: Any, path: str) -> list[Condition] | None:
    letter = {"$and": "", "$or": "o", "$not": "n"}.get(word)
    parts = [value] if isinstance(value, Mapping) else list(value)
    if letter is None:
        return None
    found: list[Condition] = []
    for number, part in enumerate(parts):
        made = _from(part, f"{path}{letter}-{number}")
        if made is None:
            return None
        found += made
    return found


def _simple(name: str, test: Any, path: str) -> list[Condition] | None:
    tests = dict(test) if isinstance(test, Mapping) else {"$eq": test}
    if "$between" in tests and isinstance(tests["$between"], list | tuple):
        low, high = tests.pop("$between")
        tests |= {"$gte": low, "$lte": high}
    bounds = tests.get("$gte", ""), tests.get("$lte", "")
    for code, (_label, low, high) in PERIODS.items():
        if tests.keys() == {"$gte", "$lte"} and bounds == (low, high):
            return [Condition(path, name, "within", code)]
    made = [_condition(path, name, operator, value) for operator, value in tests.items()]
    return [c for c in made if c] if all(made) else None


_WORDS = {
    "$eq": "is", "$ne": "not", "$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte", "$icontains": "has",
    "$contains": "includes", "$notContains": "excludes", "$under": "under",
}  # fmt: skip


def _condition(path: str, name: str, operator: str, value: Any) -> Condition | None:
    code, text = "", ""
    if isinstance(value, bool):
        pairs = {"$null": ("filled", "empty"), "$eq": ("no", "yes")}
        code = pairs.get(operator, ("", ""))[value]
    elif value == "{current_user_id}" and operator == "$eq":
        code = "me"
    elif operator in ("$in", "$nin") and isinstance(value, list | tuple):
        code, text = operator[1:], ",".join(str(item) for item in value)
    elif operator in _WORDS and isinstance(value, str | int) and not str(value).startswith("{"):
        code, text = _WORDS[operator], str(value)
    return Condition(path, name, code, text) if code else None
