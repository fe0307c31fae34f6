"""Reading one field of an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from apps.objects.definitions import (
    DELETE_BEHAVIORS,
    FIELD_NAME_LIMIT,
    NAME_PATTERN,
    OBJECT_NAME_LIMIT,
    SYSTEM_FIELDS,
    FieldDef,
    Option,
)
from apps.objects.kinds import FieldProblem, kind_of, public_kinds
from apps.objects.kinds.autonumber import format_problem
from apps.objects.kinds.numeric import MOST_DECIMALS, MOST_DIGITS
from apps.objects.parse.shape import (
    BAD,
    Key,
    Reading,
    anything,
    boolean,
    choice,
    decimal,
    integer,
    items,
    name,
    read_shape,
    text,
)
from apps.objects.parse.tree import Spot, below

TESTS = "tests/objects/test_definitions.py::"
SCHEMA_TESTS = "tests/objects/test_schema.py::"
KIND_TESTS = "tests/objects/test_kinds.py::"
RESERVED = frozenset(SYSTEM_FIELDS) | {"pk", "objects", "owner"}
LATER = frozenset(
    "expression returnType summaryOperations currencyConfig dimensions maskingRule visibleWhen readonlyWhen "
    "requiredWhen internal dependsOn lookupFilters storage".split()
)
GENERAL = frozenset(
    "type label description required unique defaultValue readonly hidden searchable sortable externalId "
    "trackHistory group renamedFrom permissions".split()
)


def _uniqueness(reading: Reading, spot: Spot) -> Any:
    if spot.value in (True, False) and isinstance(spot.value, bool):
        return spot.value
    if spot.value == "organization":
        return True
    return reading.fail(spot, "invalid_value", f"{spot.value!r} is not accepted.", "Write true, false or organization.")


def _option(reading: Reading, spot: Spot) -> Any:
    if isinstance(spot.value, str):
        spot = Spot({"value": spot}, spot.line, spot.path)
    found = read_shape(reading, spot, OPTION_KEYS, later=frozenset({"visibleWhen"}))
    if "value" not in found:
        return reading.fail(spot, "required", "An option needs a value.", "Write {value: hot, label: Hot}.")
    return Option(**({"label": humanize(found["value"])} | found))


def _option_value(reading: Reading, spot: Spot) -> Any:
    value = str(spot.value) if isinstance(spot.value, int) and not isinstance(spot.value, bool) else spot.value
    if isinstance(value, str) and 0 < len(value) <= 80 and value == value.strip() and value.isprintable():
        return value
    return reading.fail(spot, "invalid_value", f"{value!r} cannot be an option.", "Quote it; 1 to 80 characters.")


def _permissions(reading: Reading, spot: Spot) -> Any:
    found = read_shape(reading, spot, PERMISSION_KEYS)
    return {key: frozenset(value) for key, value in found.items()}


def _at(module: str) -> str:
    return f"apps.objects.{module}"


OPTION_KEYS: Mapping[str, Key] = {
    "value": Key("value", _option_value, "What is stored.", _at("kinds.choices:judge_option"), KIND_TESTS + "test_select"),
    "label": Key("label", text(120), "What is shown.", _at("describe:field_item"), TESTS + "test_labels"),
    "color": Key(
        "color", text(32), "Colour name of the badge.", _at("describe:field_item"), TESTS + "test_describe_field"
    ),
    "default": Key(
        "default", boolean, "Chosen when a new record names none.", _at("parse.fields:default_option"),
        TESTS + "test_default_option",
    ),
}
_set_names = items(name(OBJECT_NAME_LIMIT))
PERMISSION_KEYS: Mapping[str, Key] = {
    "visible_to": Key(
        "visible_to", _set_names, "Permission sets that may read the field; others never see it.",
        _at("parse.grants:field_grants"), TESTS + "test_objectos_permissions",
    ),
    "editable_by": Key(
        "editable_by", _set_names, "Permission sets that may write the field.",
        _at("parse.grants:field_grants"), TESTS + "test_objectos_permissions",
    ),
}
FIELD_KEYS: Mapping[str, Key] = {
    "type": Key("type", anything, "The field's type.", _at("kinds.kind:kind_of"), KIND_TESTS + "test_every_kind"),
    "label": Key("label", text(120), "What people read.", _at("describe:field_item"), TESTS + "test_labels"),
    "description": Key(
        "description", text(2000, empty=True), "Help beside the field.", _at("describe:field_item"),
        TESTS + "test_describe_field",
    ),
    "required": Key(
        "required", boolean, "No record without a value.", _at("kinds.kind:Kind.accept"),
        KIND_TESTS + "test_required",
    ),
    "unique": Key(
        "unique", _uniqueness, "No two living records of the tenant share a value.",
        _at("schema.state:uniqueness"), SCHEMA_TESTS + "test_unique_counts_living_records_only",
    ),
    "multiple": Key(
        "multiple", boolean, "A select that takes several options.", _at("kinds.kind:kind_of"),
        KIND_TESTS + "test_select_multiple",
    ),
    "defaultValue": Key(
        "default_value", anything, "Value of a new record that names none; or {today}, {now}, {current_user_id}.",
        _at("kinds.kind:Kind.default"), KIND_TESTS + "test_defaults",
    ),
    "options": Key(
        "options", items(_option, most=500), "The choices of a select.", _at("kinds.choices:judge_option"),
        KIND_TESTS + "test_select",
    ),
    "reference": Key(
        "reference", name(OBJECT_NAME_LIMIT), "The object a lookup points to.",
        _at("kinds.references:LookupKind.constraints"), SCHEMA_TESTS + "test_lookup_is_a_foreign_key",
    ),
    "deleteBehavior": Key(
        "delete_behavior", choice(*DELETE_BEHAVIORS), "What happens when the record pointed to is deleted.",
        _at("kinds.constraints:ReferenceConstraint.create_sql"), SCHEMA_TESTS + "test_delete_behaviour",
    ),
    "maxLength": Key(
        "max_length", integer(1, 131_072), "Most characters of a text.", _at("kinds.text:TextKind.parse"),
        KIND_TESTS + "test_text_length",
    ),
    "minLength": Key(
        "min_length", integer(1, 131_072), "Fewest characters of a text.", _at("kinds.text:TextKind.parse"),
        KIND_TESTS + "test_text_length",
    ),
    "min": Key(
        "min", decimal, "Smallest number.", _at("kinds.numeric:NumberKind.parse"), KIND_TESTS + "test_number_bounds"
    ),
    "max": Key(
        "max", decimal, "Largest number.", _at("kinds.numeric:NumberKind.parse"), KIND_TESTS + "test_number_bounds"
    ),
    "precision": Key(
        "precision", integer(1, MOST_DIGITS), "All digits of a number.", _at("kinds.numeric:NumberKind.digits"),
        KIND_TESTS + "test_number_digits",
    ),
    "scale": Key(
        "scale", integer(0, MOST_DECIMALS), "Decimals of a number.", _at("kinds.numeric:NumberKind.digits"),
        KIND_TESTS + "test_number_digits",
    ),
    "autonumberFormat": Key(
        "autonumber_format", text(60), "Format of the number, such as ACC-{0000}.",
        _at("kinds.autonumber:NextNumber.as_sql"), SCHEMA_TESTS + "test_autonumber",
    ),
    "currency": Key(
        "currency", text(3), "ISO 4217 code the amount is in; the tenant's own when absent.",
        _at("describe:field_item"), TESTS + "test_describe_field",
    ),
    "readonly": Key(
        "readonly", boolean, "Written by the platform only; dropped from what people write.",
        "apps.objects.records.accept:accept", "tests/objects/test_records.py::test_readonly_fields_are_dropped",
    ),
    "hidden": Key(
        "hidden", boolean, "Left out of forms and of default columns.",
        _at("definitions:ObjectDef.sections"), TESTS + "test_sections",
    ),
    "searchable": Key(
        "searchable", boolean, "Found by the object's search.", _at("parse.objects:searchable_fields"),
        TESTS + "test_searchable_fields",
    ),
    "sortable": Key(
        "sortable", boolean, "May order a list.", "apps.objects.query.reading:order",
        "tests/objects/test_query.py::test_unsortable_field_is_refused",
    ),
    "externalId": Key(
        "external_id", boolean, "The id of another system: unique, and an upsert may match by it.",
        _at("schema.state:uniqueness"), SCHEMA_TESTS + "test_external_id_is_unique",
    ),
    "trackHistory": Key(
        "track_history", boolean, "Changes are kept with the values before and after.",
        "apps.objects.records.history:write", "tests/objects/test_records.py::test_untracked_field_has_no_history",
    ),
    "group": Key(
        "group", text(60), "The section of the form.", _at("definitions:ObjectDef.sections"), TESTS + "test_sections"
    ),
    "renamedFrom": Key(
        "renamed_from", name(FIELD_NAME_LIMIT), "The field's former name, so that a rename keeps the data.",
        _at("schema.rename:field_renames"), SCHEMA_TESTS + "test_rename_keeps_data",
    ),
    "permissions": Key(
        "permissions", _permissions, "ObjectOS form: which permission sets may see or edit the field.",
        _at("parse.grants:field_grants"), TESTS + "test_objectos_permissions",
    ),
}
ALIASES = {"reference_to": "reference"}


def humanize(word: str) -> str:
    """Turn `annual_revenue` into `Annual revenue`."""
    return word.replace("_", " ").strip().capitalize()


def read_field(reading: Reading, spot: Spot, field_name: str) -> FieldDef | None:
    """Return the field, or None when it cannot be judged further; faults are noted."""
    before = len(reading.errors)
    _judge_name(reading, spot, field_name)
    if not isinstance(spot.value, dict):
        reading.fail(spot, "invalid_type", "A field is a mapping.", f"Write {field_name}: {{type: text}}.")
        return None
    spot = _without_aliases(reading, spot)
    found = read_shape(reading, spot, FIELD_KEYS, later=LATER)
    type_spot = found.pop("type", None)
    if type_spot is None:
        reading.fail(spot, "required", "The field has no type.", f"Add one of {', '.join(public_kinds())}.")
        return None
    if choice(*public_kinds())(reading, type_spot) is BAD:
        return None
    field = FieldDef(name=field_name, type=type_spot.value, **_values(found, field_name))
    field = _settled(field)
    _judge_keys(reading, spot, field)
    _judge_values(reading, spot, field)
    if len(reading.errors) == before:
        field = _with_default(reading, spot, field)
    return field


def _values(found: dict[str, Any], field_name: str) -> dict[str, Any]:
    values = dict(found)
    values.setdefault("label", humanize(field_name))
    values |= values.pop("permissions", {})
    if isinstance(values.get("default_value"), Spot):
        values["default_value"] = values["default_value"].plain()
    return values


def _settled(field: FieldDef) -> FieldDef:
    """Fill what the type implies."""
    if field.type == "master_detail":
        field = replace(field, required=True, delete_behavior="cascade")
    if field.type == "autonumber":
        field = replace(field, readonly=True, unique=True, required=True)
    if field.type == "multiselect":
        field = replace(field, multiple=True)
    if not kind_of(field).sortable:
        field = replace(field, sortable=False)
    return field


def _without_aliases(reading: Reading, spot: Spot) -> Spot:
    values = dict(spot.value)
    for alias, proper in ALIASES.items():
        if alias not in values:
            continue
        if proper in values:
            reading.fail(values[alias], "duplicate_key", f"{alias!r} and {proper!r} say the same.", "Keep one.")
        values.setdefault(proper, values.pop(alias))
        values.pop(alias, None)
    return Spot(values, spot.line, spot.path)


def _judge_name(reading: Reading, spot: Spot, field_name: str) -> None:
    if not NAME_PATTERN.fullmatch(field_name) or len(field_name) > FIELD_NAME_LIMIT:
        cure = f"Use lower case letters, digits and single underscores, at most {FIELD_NAME_LIMIT}."
        reading.fail(spot, "invalid_name", f"{field_name!r} cannot name a field.", cure)
    elif field_name in RESERVED:
        reading.fail(spot, "reserved_name", f"{field_name!r} is a field of the platform.", "Choose another name.")


def _judge_keys(reading: Reading, spot: Spot, field: FieldDef) -> None:
    allowed = GENERAL | kind_of(field).keys
    for key, child in spot.value.items():
        if key in FIELD_KEYS and key not in allowed:
            reading.fail(child, "not_applicable", f"A {field.type} field has no {key!r}.", "Remove it.")


def _judge_values(reading: Reading, spot: Spot, field: FieldDef) -> None:
    def fail(key: str, code: str, message: str, cure: str = "") -> None:
        reading.fail(spot.child(key) or Spot(None, spot.line, below(spot.path, key)), code, message, cure)

    kind = kind_of(field)
    if "options" in kind.keys:
        values = field.option_values
        if not values and "options" not in spot.value:
            fail("options", "required", f"A {field.type} field needs options.", "Add options: [{value: …, label: …}].")
        if len(set(values)) != len(values):
            fail("options", "duplicate", "Two options have the same value.", "Keep one of them.")
    if "reference" in kind.keys and field.reference is None and "reference" not in spot.value:
        fail("reference", "required", f"A {field.type} field needs the object it points to.", "Add reference: ….")
    if field.type == "lookup" and field.required and field.delete_behavior == "set_null":
        fail("deleteBehavior", "conflict", "A required lookup cannot become empty.", "Use restrict or cascade.")
    ceiling = getattr(kind, "ceiling", None)
    if ceiling and (field.max_length or 0) > ceiling:
        fail("maxLength", "out_of_range", f"A {field.type} field holds at most {ceiling} characters.")
    if field.min_length and field.min_length > (field.max_length or ceiling or field.min_length):
        fail("minLength", "conflict", "minLength is greater than maxLength.")
    if field.min is not None and field.max is not None and field.min > field.max:
        fail("min", "conflict", "min is greater than max.")
    if field.scale is not None and field.precision is not None and field.scale > field.precision:
        fail("scale", "conflict", "scale is greater than precision.")
    if field.autonumber_format and (problem := format_problem(field.autonumber_format)):
        fail("autonumberFormat", "invalid_value", f"The format is wrong: {problem}.")
    if field.currency and not (len(field.currency) == 3 and field.currency.isascii() and field.currency.isupper()):
        fail("currency", "invalid_value", f"{field.currency!r} is no currency code.", "Use three letters: EUR.")
    if field.unique and not kind.uniqueable:
        fail("unique", "not_applicable", f"A {field.type} field cannot be unique.", "Remove it.")
    if field.searchable and not kind.searchable:
        fail("searchable", "not_applicable", f"A {field.type} field cannot be searched.", "Remove it.")


def default_option(field: FieldDef) -> Any:
    """Return the value of the options marked default, or None."""
    chosen = [o.value for o in field.options if o.default]
    if not chosen:
        return None
    return chosen if kind_of(field).is_array else chosen[0]


def _with_default(reading: Reading, spot: Spot, field: FieldDef) -> FieldDef:
    if field.default_value is None:
        field = replace(field, default_value=default_option(field))
    if field.default_value is None:
        return field
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
