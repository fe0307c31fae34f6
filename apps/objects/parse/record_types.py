"""Record types: kinds of records within one object, told apart by a select field.

A type names fields of its own, which other types do not have, fields that it requires, and the options that it
leaves of a select. All of it is lowered to the conditions of fields and options, so that one judge rules
forms, writes, imports and the API alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from apps.objects.definitions import FIELD_NAME_LIMIT, FieldDef, RecordType
from apps.objects.kinds import kind_of
from apps.objects.parse.shape import BAD, Key, Reading, anything, items, name, read_shape
from apps.objects.parse.tree import Spot

HERE = "apps.objects.parse.record_types:settle_record_types"
TESTS = "tests/objects/test_record_types.py::"
_names = items(name(FIELD_NAME_LIMIT))
HOLDER_KEYS: Mapping[str, Key] = {
    "field": Key(
        "field",
        name(FIELD_NAME_LIMIT),
        "The select or radio field that says of which type a record is.",
        HERE,
        TESTS + "test_fields_of_another_type_are_not_there",
    ),
    "types": Key(
        "types",
        anything,
        "The types, by option value.",
        HERE,
        TESTS + "test_fields_of_another_type_are_not_there",
    ),
}
TYPE_KEYS: Mapping[str, Key] = {
    "fields": Key(
        "fields",
        _names,
        "Fields that only this type has.",
        HERE,
        TESTS + "test_fields_of_another_type_are_not_there",
    ),
    "required": Key(
        "required", _names, "Fields that this type needs.", HERE, TESTS + "test_a_type_requires_its_fields"
    ),
    "options": Key(
        "options",
        anything,
        "Options left of a select, by field.",
        HERE,
        TESTS + "test_a_type_leaves_some_options",
    ),
}


@dataclass
class _Plan:
    """What the types say, by field."""

    own: dict[str, list[str]] = field(default_factory=dict)
    required: dict[str, list[str]] = field(default_factory=dict)
    options: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)


def settle_record_types(
    reading: Reading, spot: Spot | None, fields: dict[str, FieldDef]
) -> tuple[RecordType, ...]:
    """Put the conditions of `recordTypes` into `fields`; return the types, none when they are wrong."""
    if spot is None:
        return ()
    before, found = len(reading.errors), read_shape(reading, spot, HOLDER_KEYS)
    chooser = fields.get(found.get("field", ""))
    if chooser is None or chooser.type not in ("select", "radio") or chooser.multiple:
        place = spot.child("field") or spot
        reading.fail(
            place, "unknown_field", "recordTypes needs a select or radio field.", "Write field: kind."
        )
        return ()
    holder = found.get("types")
    if holder is None or not isinstance(holder.value, dict) or not holder.value:
        reading.fail(holder or spot, "required", "recordTypes names no type.", "Write types: {person: {…}}.")
        return ()
    plan = _Plan()
    for value, child in holder.value.items():
        _read_type(reading, child, value, chooser, fields, plan)
    if len(reading.errors) > before:
        return ()
    _lower(chooser.name, plan, list(holder.value), fields)
    return tuple(RecordType(chooser.name, value) for value in holder.value)


def _read_type(
    reading: Reading, spot: Spot, value: str, chooser: FieldDef, fields: Mapping[str, FieldDef], plan: _Plan
) -> None:
    if value not in chooser.option_values:
        reading.fail(
            spot, "invalid_value", f"{value!r} is no option of {chooser.name!r}.", "Add it to the options."
        )
    told = read_shape(reading, spot, TYPE_KEYS)
    for key, into in (("fields", plan.own), ("required", plan.required)):
        for mentioned in told.get(key, ()):
            place = spot.child(key) or spot
            if _usable(reading, place, mentioned, chooser, fields, always=key == "fields"):
                into.setdefault(mentioned, []).append(value)
    options = told.get("options")
    for mentioned, left in options.value.items() if options and isinstance(options.value, dict) else ():
        _read_options(reading, left, mentioned, value, fields, plan)


def _usable(
    reading: Reading,
    place: Spot,
    mentioned: str,
    chooser: FieldDef,
    fields: Mapping[str, FieldDef],
    *,
    always: bool,
) -> bool:
    found = fields.get(mentioned)
    if found is None or mentioned == chooser.name or kind_of(found).generated:
        reading.fail(place, "unknown_field", f"{mentioned!r} is no field that a type may have of its own.")
    elif always and found.required:
        cure = "Remove required: true, and name it in `required` of the types that need it."
        reading.fail(place, "conflict", f"{mentioned!r} is required of every record.", cure)
    else:
        return True
    return False


def _read_options(
    reading: Reading, spot: Spot, mentioned: str, value: str, fields: Mapping[str, FieldDef], plan: _Plan
) -> None:
    left = items(anything)(reading, spot)
    found = fields.get(mentioned)
    if left is BAD or found is None or not found.options:
        reading.fail(spot, "unknown_field", f"{mentioned!r} is no field with options.")
        return
    words = {str(item.value) for item in left}
    if unknown := sorted(words - set(found.option_values)):
        reading.fail(spot, "invalid_value", f"{unknown[0]!r} is no option of {mentioned!r}.")
    plan.options.setdefault(mentioned, {})[value] = frozenset(words)


def _lower(chooser: str, plan: _Plan, types: list[str], fields: dict[str, FieldDef]) -> None:
    for mentioned, values in plan.own.items():
        found, own = fields[mentioned], _one_of(chooser, values)
        closed = _closed(chooser, values)
        closed = f"({found.readonly_when}) || {closed}" if found.readonly_when else closed
        fields[mentioned] = replace(found, visible_when=_both(found.visible_when, own), readonly_when=closed)
    for mentioned, values in plan.required.items():
        found = fields[mentioned]
        own = _one_of(chooser, values)
        fields[mentioned] = replace(
            found, required_when=f"({found.required_when}) || {own}" if found.required_when else own
        )
    for mentioned, by_type in plan.options.items():
        found = fields[mentioned]
        options = []
        for option in found.options:
            without = [value for value in types if option.value not in by_type.get(value, {option.value})]
            condition = f"!({_one_of(chooser, without)})" if without else None
            options.append(replace(option, visible_when=_both(option.visible_when, condition)))
        fields[mentioned] = replace(found, options=tuple(options))


def _one_of(chooser: str, values: list[str], whose: str = "record") -> str:
    words = ", ".join("'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for value in values)
    return f"({whose}.{chooser} != null && {whose}.{chooser} in [{words}])"


def _closed(chooser: str, values: list[str]) -> str:
    """Return "the record is of another type": by what is being written, else by what it was."""
    becomes = _one_of(chooser, values, "input")
    return f"!({becomes} || (input.{chooser} == null && {_one_of(chooser, values)}))"


def _both(first: Any, second: str | None) -> str | None:
    if first is None or second is None:
        return first or second
    return f"({first}) && {second}"
