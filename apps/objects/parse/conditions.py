"""Judging every expression of an object against its own fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apps.core.cel import CelError, Env, compiled
from apps.core.cel.types import BOOL, DYN, Type
from apps.objects.definitions import SYSTEM_FIELDS, FieldDef
from apps.objects.expressions import environment_of
from apps.objects.parse.shape import Reading
from apps.objects.parse.tree import Spot
from apps.objects.validations import Validation

FIELD_CONDITIONS = (
    ("visibleWhen", "visible_when"),
    ("readonlyWhen", "readonly_when"),
    ("requiredWhen", "required_when"),
)
RULE_CONDITIONS = (("condition", "condition"), ("when", "when"))


def judge_expressions(
    reading: Reading,
    spot: Spot,
    object_name: str,
    fields: Mapping[str, FieldDef],
    rules: Sequence[Validation],
) -> None:
    """Note every expression that cannot be meant: bad syntax, unknown names, operands that do not fit."""
    asked = [*_of_fields(spot, fields), *_of_rules(spot, rules)]
    if not asked:
        return
    env = environment_of({**SYSTEM_FIELDS, **fields}, object_name)
    for place, source, result in asked:
        _judge(reading, place, source, env, result)


def _judge(reading: Reading, place: Spot, source: str, env: Env, result: Type) -> None:
    try:
        compiled(source, env, result)
    except CelError as error:
        reading.fail(place, "invalid_expression", f"{error.at(source)} In: {_short(source)}", error.cure)


def _short(source: str) -> str:
    flat = " ".join(source.split())
    return flat if len(flat) <= 120 else f"{flat[:117]}…"


Asked = tuple[Spot, str, Type]


def _of_fields(spot: Spot, fields: Mapping[str, FieldDef]) -> Iterator[Asked]:
    holder = spot.child("fields") or spot
    for name, found in fields.items():
        place = holder.child(name) or holder
        for key, attribute in FIELD_CONDITIONS:
            source = getattr(found, attribute)
            if source is not None:
                yield place.child(key) or place, source, BOOL
        if found.default_expression is not None:
            yield place.child("defaultValue") or place, found.default_expression, DYN
        for option in found.options:
            if option.visible_when is not None:
                yield place.child("options") or place, option.visible_when, BOOL


def _of_rules(spot: Spot, rules: Sequence[Validation]) -> Iterator[Asked]:
    holder = spot.child("validations") or spot
    places: dict[str, Any] = {}
    for child in holder.value if isinstance(holder.value, list) else ():
        named = child.child("name")
        places[named.value if named else ""] = child
    for rule in rules:
        yield from _of_rule(rule, places.get(rule.name, holder))


def _of_rule(rule: Validation, place: Spot) -> Iterator[Asked]:
    for key, attribute in RULE_CONDITIONS:
        source = getattr(rule, attribute)
        if source is not None:
            yield place.child(key) or place, source, BOOL
    for inner, key in ((rule.then, "then"), (rule.otherwise, "otherwise")):
        if inner is not None:
            yield from _of_rule(inner, place.child(key) or place)
