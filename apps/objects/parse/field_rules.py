"""Judging what one field says, beyond the form of each key."""

from __future__ import annotations

from collections.abc import Callable

from apps.objects.definitions import FIELD_NAME_LIMIT, NAME_PATTERN, SYSTEM_FIELDS, FieldDef
from apps.objects.kinds import Kind, kind_of
from apps.objects.kinds.autonumber import format_problem
from apps.objects.kinds.gauges import MOST_STARS, RatingKind
from apps.objects.kinds.numeric import NumberKind
from apps.objects.kinds.sealed import SealedKind
from apps.objects.parse.field_keys import FIELD_KEYS, GENERAL
from apps.objects.parse.shape import Reading
from apps.objects.parse.tree import Spot, below

RESERVED = frozenset(SYSTEM_FIELDS) | {"pk", "objects", "owner"}
Fail = Callable[..., None]


def judge_name(reading: Reading, spot: Spot, field_name: str) -> None:
    """Note a name that no column can have."""
    if not NAME_PATTERN.fullmatch(field_name) or len(field_name) > FIELD_NAME_LIMIT:
        cure = f"Use lower case letters, digits and single underscores, at most {FIELD_NAME_LIMIT}."
        reading.fail(spot, "invalid_name", f"{field_name!r} cannot name a field.", cure)
    elif field_name in RESERVED:
        reading.fail(
            spot, "reserved_name", f"{field_name!r} is a field of the platform.", "Choose another name."
        )


def judge_keys(reading: Reading, spot: Spot, field: FieldDef) -> None:
    """Note keys that the field's type has no use for."""
    allowed = GENERAL | kind_of(field).keys
    for key, child in spot.value.items():
        if key in FIELD_KEYS and key not in allowed:
            reading.fail(child, "not_applicable", f"A {field.type} field has no {key!r}.", "Remove it.")


def judge_values(reading: Reading, spot: Spot, field: FieldDef) -> None:
    """Note values that contradict each other or the type."""

    def fail(key: str, code: str, message: str, cure: str = "") -> None:
        place = spot.child(key) or Spot(None, spot.line, below(spot.path, key))
        reading.fail(place, code, message, cure)

    kind = kind_of(field)
    _judge_options(fail, spot, field, kind)
    _judge_reference(fail, spot, field, kind)
    _judge_lengths(fail, field, kind)
    _judge_numbers(fail, field, kind)
    _judge_needs(fail, spot, field, kind)
    if kind.write_only and field.default_value is not None:
        cure = "Remove it; a definition is read by many."
        fail("defaultValue", "not_applicable", f"A {field.type} field has no default.", cure)
    if field.autonumber_format and (problem := format_problem(field.autonumber_format)):
        fail("autonumberFormat", "invalid_value", f"The format is wrong: {problem}.")
    if field.unique and not kind.uniqueable:
        fail("unique", "not_applicable", f"A {field.type} field cannot be unique.", "Remove it.")
    if field.external_id and not kind.uniqueable:
        fail("externalId", "not_applicable", f"A {field.type} field cannot be an external id.", "Remove it.")
    if field.encrypted and not isinstance(kind, SealedKind):
        fail("encrypted", "not_applicable", f"A {field.type} field cannot be encrypted.", "Remove it.")
    if field.masking and not kind.maskable:
        fail("maskingRule", "not_applicable", f"A {field.type} field cannot be masked.", "Remove it.")
    if field.searchable and not kind.searchable:
        fail("searchable", "not_applicable", f"A {field.type} field cannot be searched.", "Remove it.")


def _judge_needs(fail: Fail, spot: Spot, field: FieldDef, kind: Kind) -> None:
    if "dimensions" in kind.keys and field.dimensions is None:
        fail(
            "dimensions",
            "required",
            f"A {field.type} field needs its count of numbers.",
            "Add dimensions: 3.",
        )
    if field.type == "formula" and field.expression is None and spot.child("expression") is None:
        fail(
            "expression", "required", "A formula needs an expression.", "Add expression: record.amount * 0.5."
        )


def _judge_options(fail: Fail, spot: Spot, field: FieldDef, kind: Kind) -> None:
    if "options" not in kind.keys:
        return
    values = field.option_values
    written = spot.child("options")
    if not values and (written is None or written.value == []):
        cure = "Add options: [{value: …, label: …}]."
        fail("options", "required", f"A {field.type} field needs options.", cure)
    if len(set(values)) != len(values):
        fail("options", "duplicate", "Two options have the same value.", "Keep one of them.")


def _judge_reference(fail: Fail, spot: Spot, field: FieldDef, kind: Kind) -> None:
    if field.type == "summary" and field.summary is None and spot.child("summaryOperations") is None:
        fail(
            "summaryOperations",
            "required",
            "A summary says what it rolls up.",
            "Add {object: …, function: count}.",
        )
    if field.multiple and field.delete_behavior == "cascade":
        cure = "Use set_null (the id leaves the list) or restrict."
        fail("deleteBehavior", "conflict", "A record of several others does not go with one of them.", cure)
    if "reference" in kind.keys and "reference" not in spot.value and field.type != "tree":
        fail(
            "reference",
            "required",
            f"A {field.type} field needs the object it points to.",
            "Add reference: ….",
        )
    if field.type == "tree" and field.required:
        fail("required", "conflict", "The top of a tree has nothing above it.", "Remove it.")
    if field.type == "lookup" and field.required and field.delete_behavior == "set_null":
        fail(
            "deleteBehavior", "conflict", "A required lookup cannot become empty.", "Use restrict or cascade."
        )


def _judge_lengths(fail: Fail, field: FieldDef, kind: Kind) -> None:
    ceiling = getattr(kind, "ceiling", None)
    if ceiling and (field.max_length or 0) > ceiling:
        fail("maxLength", "out_of_range", f"A {field.type} field holds at most {ceiling} characters.")
    limit = getattr(kind, "max_length", None)
    if field.min_length and limit and field.min_length > limit(field):
        fail("minLength", "conflict", f"minLength is greater than the most characters, {limit(field)}.")


def _judge_numbers(fail: Fail, field: FieldDef, kind: Kind) -> None:
    low, high = kind.bounds(field) if isinstance(kind, NumberKind) else (field.min, field.max)
    if low is not None and high is not None and low > high:
        fail("min", "conflict", "min is greater than max.")
    if isinstance(kind, RatingKind) and not (1 <= (high or 0) <= MOST_STARS and high == int(high or 0)):
        fail("max", "out_of_range", f"A rating has 1 to {MOST_STARS} stars.")
    if field.step is not None and field.step <= 0:
        fail("step", "out_of_range", "A step is greater than zero.")
    if field.scale is not None and field.precision is not None and field.scale > field.precision:
        fail("scale", "conflict", "scale is greater than precision.")
    code = field.currency
    if code is not None and not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        fail("currency", "invalid_value", f"{code!r} is no currency code.", "Use three letters: EUR.")
