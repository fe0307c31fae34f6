"""Reading one field of an object."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from apps.core.cel.compiling import source_of
from apps.objects.definitions import FieldDef
from apps.objects.kinds import KINDS, FieldProblem, kind_of, public_kinds
from apps.objects.kinds.refused import REFUSED
from apps.objects.parse.field_keys import FIELD_KEYS, GENERAL, LATER, humanize
from apps.objects.parse.field_rules import judge_keys, judge_name, judge_values
from apps.objects.parse.shape import BAD, Reading, choice, read_shape
from apps.objects.parse.tree import Spot

ALIASES = {"reference_to": "reference"}
PART_KEYS = frozenset({"type", "label", "description", "required", "defaultValue"})
MOST_PARTS = 30


def read_field(reading: Reading, spot: Spot, field_name: str) -> FieldDef | None:
    """Return the field, or None when it cannot be judged further; faults are noted."""
    before = len(reading.errors)
    judge_name(reading, spot, field_name)
    if not isinstance(spot.value, dict):
        reading.fail(spot, "invalid_type", "A field is a mapping.", f"Write {field_name}: {{type: text}}.")
        return None
    spot = _without_aliases(reading, spot)
    found = read_shape(reading, spot, FIELD_KEYS, later=LATER)
    type_spot = found.pop("type", None)
    if type_spot is None:
        reading.fail(spot, "required", "The field has no type.", f"Add one of {', '.join(public_kinds())}.")
        return None
    if isinstance(type_spot.value, str) and type_spot.value in REFUSED:
        message = f"A {type_spot.value} field cannot be kept yet."
        reading.fail(type_spot, "unsupported", message, REFUSED[type_spot.value])
        return None
    if choice(*public_kinds())(reading, type_spot) is BAD:
        return None
    parts = read_parts(reading, found.pop("parts", None))
    field = FieldDef(name=field_name, type=type_spot.value, parts=parts, **_values(found, field_name))
    field = _settled(field)
    judge_keys(reading, spot, field)
    judge_values(reading, spot, field)
    if len(reading.errors) == before:
        field = _with_default(reading, spot, field)
    return field


def read_parts(reading: Reading, spot: Spot | None) -> tuple[FieldDef, ...]:
    """Return the fields inside a field; each is of a plain type and has only what a plain value needs."""
    if spot is None:
        return ()
    if not isinstance(spot.value, dict) or not spot.value:
        reading.fail(spot, "invalid_type", "`fields` maps names to fields.", "Write {width: {type: number}}.")
        return ()
    if len(spot.value) > MOST_PARTS:
        reading.fail(spot, "too_large", f"A field holds at most {MOST_PARTS} fields.")
    return tuple(
        made for name, child in spot.value.items() if (made := _part(reading, child, name)) is not None
    )


def _part(reading: Reading, spot: Spot, name: str) -> FieldDef | None:
    field = read_field(reading, spot, name)
    if field is None:
        return None
    if not kind_of(field).nestable:
        plain = ", ".join(k for k in public_kinds() if KINDS[k].nestable)
        message = f"A {field.type} field cannot stand inside another."
        reading.fail(spot.child("type") or spot, "not_applicable", message, f"Use one of {plain}.")
    for key, child in spot.value.items():
        if key in GENERAL - PART_KEYS:
            reading.fail(child, "not_applicable", f"A field inside another has no {key!r}.", "Remove it.")
    if field.multiple:
        reading.fail(spot, "not_applicable", "A field inside another holds one value.", "Remove multiple.")
    return field


def _values(found: dict[str, Any], field_name: str) -> dict[str, Any]:
    values = dict(found)
    values.setdefault("label", humanize(field_name))
    values |= values.pop("permissions", {})
    if isinstance(values.get("default_value"), Spot):
        plain = values["default_value"].plain()
        source = source_of(plain) if isinstance(plain, dict) and "dialect" in plain else None
        values |= (
            {"default_value": plain}
            if source is None
            else {"default_value": None, "default_expression": source}
        )
    return values


def _settled(field: FieldDef) -> FieldDef:
    """Fill what the type implies."""
    if field.type == "master_detail":
        field = replace(field, required=True, delete_behavior="cascade")
    if field.type in ("summary", "formula"):
        field = replace(field, readonly=True, required=False)
    if field.type == "autonumber":
        field = replace(field, readonly=True, unique=True, required=False)
    if kind_of(field).is_array:
        field = replace(field, multiple=True)
    if kind_of(field).write_only:
        field = replace(field, encrypted="value")
    elif field.encrypted and (field.unique or field.external_id):
        field = replace(field, encrypted="equality")
    if not kind_of(field).sortable:
        field = replace(field, sortable=False)
    return field


def _without_aliases(reading: Reading, spot: Spot) -> Spot:
    values = dict(spot.value)
    for alias, proper in ALIASES.items():
        if alias not in values:
            continue
        if proper in values:
            reading.fail(
                values[alias], "duplicate_key", f"{alias!r} and {proper!r} say the same.", "Keep one."
            )
        values.setdefault(proper, values.pop(alias))
        values.pop(alias, None)
    return Spot(values, spot.line, spot.path)


def default_option(field: FieldDef) -> Any:
    """Return the value of the options marked default, or None."""
    chosen = [o.value for o in field.options if o.default]
    if not chosen:
        return None
    return chosen if kind_of(field).is_array else chosen[0]


def _with_default(reading: Reading, spot: Spot, field: FieldDef) -> FieldDef:
    if field.default_value is None:
        chosen = default_option(field) if field.options else None
        if chosen is None:
            return field
        field = replace(field, default_value=chosen)
    place = spot.child("defaultValue") or spot
    kind = kind_of(field)
    if kind.generated:
        reading.fail(place, "not_applicable", f"A {field.type} field has no default.", "Remove it.")
        return field
    try:
        kind.default(field)
    except FieldProblem as problem:
        if not (kind.name == "user" and field.default_value == "{current_user_id}"):
            reading.fail(place, problem.code, f"The default is not a value of the field: {problem.message}")
    if isinstance(field.default_value, Decimal):
        return replace(field, default_value=format(field.default_value, "f"))
    return field
