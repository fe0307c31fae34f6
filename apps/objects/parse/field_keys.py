"""The keys that one field of an object may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.objects.definitions import DELETE_BEHAVIORS, FIELD_NAME_LIMIT, OBJECT_NAME_LIMIT, Option
from apps.objects.formulas import RETURN_TYPES
from apps.objects.kinds.numeric import MOST_DECIMALS, MOST_DIGITS
from apps.objects.masking import STRATEGIES
from apps.objects.parse.field_readers import read_encryption, read_uniqueness
from apps.objects.parse.kind_keys import SHAPE_KEYS
from apps.objects.parse.shape import (
    Key,
    Reading,
    anything,
    boolean,
    choice,
    decimal,
    expression,
    integer,
    items,
    name,
    read_shape,
    text,
)
from apps.objects.parse.summaries import read_summary
from apps.objects.parse.tree import Spot

TESTS = "tests/objects/test_definitions.py::"
SCHEMA_TESTS = "tests/objects/test_schema.py::"
KIND_TESTS = "tests/objects/test_kinds.py::"
FORMULA_TESTS = "tests/objects/test_formulas.py::"
RULE_TESTS = "tests/objects/test_rules.py::"
LATER = frozenset(
    [
        "currencyConfig",
        "internal",
        "dependsOn",
        "lookupFilters",
        "storage",
    ]
)
GENERAL = frozenset(
    [
        "type",
        "label",
        "description",
        "required",
        "unique",
        "defaultValue",
        "readonly",
        "hidden",
        "searchable",
        "sortable",
        "externalId",
        "trackHistory",
        "personal",
        "maskingRule",
        "encrypted",
        "group",
        "visibleWhen",
        "readonlyWhen",
        "requiredWhen",
        "renamedFrom",
        "permissions",
    ]
)


def humanize(word: str) -> str:
    """Turn `annual_revenue` into `Annual revenue`."""
    return word.replace("_", " ").strip().capitalize()


def _option(reading: Reading, spot: Spot) -> Any:
    if isinstance(spot.value, str):
        spot = Spot({"value": spot}, spot.line, spot.path)
    found = read_shape(reading, spot, OPTION_KEYS)
    if "value" not in found:
        return reading.fail(spot, "required", "An option needs a value.", "Write {value: hot, label: Hot}.")
    return Option(**({"label": humanize(found["value"])} | found))


def _option_value(reading: Reading, spot: Spot) -> Any:
    value = (
        str(spot.value) if isinstance(spot.value, int) and not isinstance(spot.value, bool) else spot.value
    )
    if isinstance(value, str) and 0 < len(value) <= 80 and value == value.strip() and value.isprintable():
        return value
    return reading.fail(
        spot, "invalid_value", f"{value!r} cannot be an option.", "Quote it; 1 to 80 characters."
    )


def _permissions(reading: Reading, spot: Spot) -> Any:
    found = read_shape(reading, spot, PERMISSION_KEYS)
    return {key: frozenset(value) for key, value in found.items()}


def _at(module: str) -> str:
    return f"apps.objects.{module}"


OPTION_KEYS: Mapping[str, Key] = {
    "value": Key(
        "value",
        _option_value,
        "What is stored.",
        _at("kinds.choices:judge_option"),
        KIND_TESTS + "test_select",
    ),
    "label": Key("label", text(120), "What is shown.", _at("describe:field_item"), TESTS + "test_labels"),
    "color": Key(
        "color",
        text(32),
        "Colour name of the badge.",
        _at("describe:field_item"),
        TESTS + "test_describe_field",
    ),
    "default": Key(
        "default",
        boolean,
        "Chosen when a new record names none.",
        _at("parse.fields:default_option"),
        TESTS + "test_default_option",
    ),
    "visibleWhen": Key(
        "visible_when",
        expression,
        "Condition (CEL) under which the option may be chosen.",
        "apps.objects.records.rules:judge_change",
        RULE_TESTS + "test_an_option_is_taken_only_while_its_condition_holds",
    ),
}
_set_names = items(name(OBJECT_NAME_LIMIT))
PERMISSION_KEYS: Mapping[str, Key] = {
    "visible_to": Key(
        "visible_to",
        _set_names,
        "Permission sets that may read the field; others never see it.",
        _at("parse.grants:field_grants"),
        TESTS + "test_objectos_permissions",
    ),
    "editable_by": Key(
        "editable_by",
        _set_names,
        "Permission sets that may write the field.",
        _at("parse.grants:field_grants"),
        TESTS + "test_objectos_permissions",
    ),
}
FIELD_KEYS: Mapping[str, Key] = {
    "type": Key(
        "type", anything, "The field's type.", _at("kinds.kind:kind_of"), KIND_TESTS + "test_every_kind"
    ),
    "label": Key("label", text(120), "What people read.", _at("describe:field_item"), TESTS + "test_labels"),
    "description": Key(
        "description",
        text(2000, empty=True),
        "Help beside the field.",
        _at("describe:field_item"),
        TESTS + "test_describe_field",
    ),
    "required": Key(
        "required",
        boolean,
        "No record without a value.",
        _at("kinds.kind:Kind.accept"),
        KIND_TESTS + "test_required",
    ),
    "unique": Key(
        "unique",
        read_uniqueness,
        "No two living records of the tenant share a value.",
        _at("schema.state:uniqueness"),
        SCHEMA_TESTS + "test_unique_counts_living_records_only",
    ),
    "multiple": Key(
        "multiple",
        boolean,
        "A select, lookup or user that takes several values.",
        _at("kinds.kind:kind_of"),
        KIND_TESTS + "test_select_multiple",
    ),
    "summaryOperations": Key(
        "summary",
        read_summary,
        "What a summary rolls up.",
        _at("schema.rollups:rollups"),
        "tests/objects/test_rollups.py::test_every_function_follows_every_change",
    ),
    "defaultValue": Key(
        "default_value",
        anything,
        "Value of a new record that names none; {today}, {now}, {current_user_id}; or {dialect: cel, source: …}.",
        _at("kinds.kind:Kind.default"),
        KIND_TESTS + "test_defaults",
    ),
    "options": Key(
        "options",
        items(_option, most=500),
        "The choices of a select, radio, multiselect or checkboxes field.",
        _at("kinds.choices:judge_option"),
        KIND_TESTS + "test_select",
    ),
    "reference": Key(
        "reference",
        name(OBJECT_NAME_LIMIT),
        "The object a lookup points to.",
        _at("kinds.references:LookupKind.constraints"),
        SCHEMA_TESTS + "test_lookup_is_a_foreign_key",
    ),
    "deleteBehavior": Key(
        "delete_behavior",
        choice(*DELETE_BEHAVIORS),
        "What happens when the record pointed to is deleted.",
        _at("kinds.constraints:ReferenceConstraint.create_sql"),
        SCHEMA_TESTS + "test_delete_behaviour",
    ),
    "maxLength": Key(
        "max_length",
        integer(1, 131_072),
        "Most characters of a text.",
        _at("kinds.text:TextKind.parse"),
        KIND_TESTS + "test_text_length",
    ),
    "minLength": Key(
        "min_length",
        integer(1, 131_072),
        "Fewest characters of a text.",
        _at("kinds.text:TextKind.parse"),
        KIND_TESTS + "test_text_length",
    ),
    "min": Key(
        "min",
        decimal,
        "Smallest number.",
        _at("kinds.numeric:NumberKind.parse"),
        KIND_TESTS + "test_number_bounds",
    ),
    "max": Key(
        "max",
        decimal,
        "Largest number.",
        _at("kinds.numeric:NumberKind.parse"),
        KIND_TESTS + "test_number_bounds",
    ),
    "precision": Key(
        "precision",
        integer(1, MOST_DIGITS),
        "All digits of a number.",
        _at("kinds.numeric:NumberKind.digits"),
        KIND_TESTS + "test_number_digits",
    ),
    "scale": Key(
        "scale",
        integer(0, MOST_DECIMALS),
        "Decimals of a number.",
        _at("kinds.numeric:NumberKind.digits"),
        KIND_TESTS + "test_number_digits",
    ),
    "autonumberFormat": Key(
        "autonumber_format",
        text(60),
        "Format of the number, such as ACC-{0000}.",
        _at("kinds.autonumber:NextNumber.as_sql"),
        SCHEMA_TESTS + "test_autonumber",
    ),
    "currency": Key(
        "currency",
        text(3),
        "ISO 4217 code the amount is in; the tenant's own when absent.",
        _at("describe:field_item"),
        TESTS + "test_describe_field",
    ),
    "readonly": Key(
        "readonly",
        boolean,
        "Written by the platform only; dropped from what people write.",
        "apps.objects.records.accept:accept",
        "tests/objects/test_records.py::test_readonly_fields_are_dropped",
    ),
    "hidden": Key(
        "hidden",
        boolean,
        "Left out of forms and of default columns.",
        _at("definitions:ObjectDef.sections"),
        TESTS + "test_sections",
    ),
    "searchable": Key(
        "searchable",
        boolean,
        "Found by the object's search.",
        _at("parse.objects:searchable_fields"),
        TESTS + "test_searchable_fields",
    ),
    "sortable": Key(
        "sortable",
        boolean,
        "May order a list.",
        "apps.objects.query.reading:order",
        "tests/objects/test_query.py::test_unsortable_field_is_refused",
    ),
    "externalId": Key(
        "external_id",
        boolean,
        "The id of another system: unique, and an upsert may match by it.",
        _at("schema.state:uniqueness"),
        SCHEMA_TESTS + "test_external_id_is_unique",
    ),
    "trackHistory": Key(
        "track_history",
        boolean,
        "Changes are kept with the values before and after.",
        "apps.objects.records.history:write",
        "tests/objects/test_records.py::test_untracked_field_has_no_history",
    ),
    "personal": Key(
        "personal",
        boolean,
        "Personal data: sealed in the ledger with the record's key, so that it can be erased there.",
        "apps.objects.records.history:write",
        "tests/objects/test_sealing.py::test_personal_fields_are_sealed_and_erased",
    ),
    "encrypted": Key(
        "encrypted",
        read_encryption,
        "The column holds sealed bytes; `equality` lets equal values be found, and dumps show which are equal.",
        _at("encryption.opening:close"),
        "tests/objects/test_encryption.py::test_no_value_lies_open_in_a_dump",
    ),
    "maskingRule": Key(
        "masking",
        choice(*STRATEGIES),
        "How those see the value who hold no set that unmasks it: redact, partial, last4 or hash.",
        _at("query.compiler:Compiler.shown"),
        "tests/objects/test_masking.py::test_the_mask_is_on_every_answer",
    ),
    "group": Key(
        "group",
        text(60),
        "The section of the form.",
        _at("definitions:ObjectDef.sections"),
        TESTS + "test_sections",
    ),
    "expression": Key(
        "expression",
        expression,
        "What a formula computes (CEL over the record's fields).",
        _at("schema.generated:generated"),
        FORMULA_TESTS + "test_a_formula_is_computed_by_the_database",
    ),
    "returnType": Key(
        "return_type",
        choice(*RETURN_TYPES),
        "What a formula gives: number, currency, percent, text, boolean, date or datetime; found out when absent.",
        _at("parse.formulas:settle_formulas"),
        FORMULA_TESTS + "test_the_type_of_the_result",
    ),
    "visibleWhen": Key(
        "visible_when",
        expression,
        "Condition (CEL) under which the form shows the field.",
        "apps.objects.records.looks:looks",
        "tests/portal/test_conditions.py::test_a_field_is_shown_while_its_condition_holds",
    ),
    "readonlyWhen": Key(
        "readonly_when",
        expression,
        "Condition (CEL) under which nobody writes the field; what is sent is dropped and named.",
        "apps.objects.records.rules:judge_change",
        RULE_TESTS + "test_a_field_is_dropped_while_it_is_read_only",
    ),
    "requiredWhen": Key(
        "required_when",
        expression,
        "Condition (CEL) under which the field needs a value.",
        "apps.objects.records.rules:judge_change",
        RULE_TESTS + "test_a_field_is_required_when_its_condition_begins_to_hold",
    ),
    "renamedFrom": Key(
        "renamed_from",
        name(FIELD_NAME_LIMIT),
        "The field's former name, so that a rename keeps the data.",
        _at("schema.rename:field_renames"),
        SCHEMA_TESTS + "test_rename_keeps_data",
    ),
    "permissions": Key(
        "permissions",
        _permissions,
        "ObjectOS form: which permission sets may see or edit the field.",
        _at("parse.grants:field_grants"),
        TESTS + "test_objectos_permissions",
    ),
    **SHAPE_KEYS,
}
ALIASES = {"reference_to": "reference"}
