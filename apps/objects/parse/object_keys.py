"""The keys that an object may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.objects.definitions import (
    API_METHODS,
    FIELD_NAME_LIMIT,
    OBJECT_NAME_LIMIT,
    OWNERSHIPS,
    SHARING_MODELS,
    Enable,
    FieldGroup,
    IndexDef,
)
from apps.objects.parse.field_keys import humanize
from apps.objects.parse.shape import Key, Reading, anything, boolean, choice, items, name, read_shape, text
from apps.objects.parse.tree import Spot

TESTS = "tests/objects/test_definitions.py::"
SCHEMA_TESTS = "tests/objects/test_schema.py::"
LATER = frozenset(
    [
        "stageField",
        "actions",
        "activityMilestones",
        "externalSharingModel",
        "publicSharing",
        "access",
        "requiredPermissions",
        "tenancy",
        "systemFields",
        "lifecycle",
        "datasource",
        "external",
        "userActions",
        "managedBy",
        "isSystem",
    ]
)
ENABLE_LATER = frozenset(["files", "feeds", "activities", "clone"])
_name = name(FIELD_NAME_LIMIT)


def _at(place: str) -> str:
    return f"apps.objects.{place}"


GROUP_KEYS: Mapping[str, Key] = {
    "key": Key(
        "key", _name, "Name of the section.", _at("definitions:ObjectDef.sections"), TESTS + "test_sections"
    ),
    "label": Key(
        "label",
        text(120),
        "Title of the section.",
        _at("definitions:ObjectDef.sections"),
        TESTS + "test_sections",
    ),
}
INDEX_KEYS: Mapping[str, Key] = {
    "fields": Key(
        "fields",
        items(_name, most=8),
        "Fields of the index, in order.",
        _at("schema.state:declared_indexes"),
        SCHEMA_TESTS + "test_declared_indexes",
    ),
    "unique": Key(
        "unique",
        boolean,
        "No two living records share the combination.",
        _at("schema.state:declared_indexes"),
        SCHEMA_TESTS + "test_declared_indexes",
    ),
}
ENABLE_KEYS: Mapping[str, Key] = {
    "trackHistory": Key(
        "track_history",
        boolean,
        "Keep every field's values before and after a change.",
        _at("records.history:write"),
        "tests/objects/test_records.py::test_history_can_be_switched_off",
    ),
    "trackReads": Key(
        "track_reads",
        boolean,
        "Whoever reads records is written into the ledger before the answer leaves.",
        _at("query.watch:note"),
        "tests/objects/test_reads.py::test_reading_a_record_is_in_the_ledger",
    ),
    "searchable": Key(
        "searchable",
        boolean,
        "Found by the search over all objects.",
        _at("parse.objects:searchable_fields"),
        TESTS + "test_searchable_fields",
    ),
    "apiEnabled": Key(
        "api_enabled",
        boolean,
        "Served under /api/v1/data.",
        "apps.api.data.access:served_object",
        "tests/api/test_data.py::test_api_can_be_switched_off",
    ),
    "apiMethods": Key(
        "api_methods",
        items(choice(*API_METHODS)),
        "The methods served.",
        "apps.api.data.access:served_object",
        "tests/api/test_data.py::test_api_methods",
    ),
}


def _shape(keys: Mapping[str, Key], make: Any, *needed: str, later: frozenset[str] = frozenset()) -> Any:
    def read(reading: Reading, spot: Spot) -> Any:
        found = read_shape(reading, spot, keys, later=later)
        for key in needed:
            if keys[key].attr not in found:
                return reading.fail(spot, "required", f"{key!r} is missing.")
        return make(**found)

    return read


def _group(**found: Any) -> FieldGroup:
    return FieldGroup(found["key"], found.get("label") or humanize(found["key"]))


def _enable(**found: Any) -> Enable:
    if "api_methods" in found:
        found["api_methods"] = frozenset(found["api_methods"])
    return Enable(**found)


OBJECT_KEYS: Mapping[str, Key] = {
    "name": Key(
        "name",
        name(OBJECT_NAME_LIMIT),
        "The object's name.",
        _at("catalog:Catalog.object"),
        TESTS + "test_names",
    ),
    "label": Key(
        "label", text(120), "Its name for people.", _at("describe:object_item"), TESTS + "test_labels"
    ),
    "pluralLabel": Key(
        "plural_label",
        text(120),
        "Its name for people, of many.",
        _at("describe:object_item"),
        TESTS + "test_labels",
    ),
    "description": Key(
        "description",
        text(4000, empty=True),
        "What it is for.",
        _at("describe:object_item"),
        TESTS + "test_describe_object",
    ),
    "icon": Key(
        "icon", text(60), "Name of its icon.", _at("describe:object_item"), TESTS + "test_describe_object"
    ),
    "fields": Key(
        "fields", anything, "The fields by name.", _at("schema.state:model_state"), TESTS + "test_fields"
    ),
    "nameField": Key(
        "name_field",
        _name,
        "The field that names a record; `name` or the first text field when absent.",
        _at("parse.objects:name_field"),
        TESTS + "test_name_field",
    ),
    "highlightFields": Key(
        "highlight_fields",
        items(_name, most=12),
        "Fields at the head of a record.",
        _at("describe:object_item"),
        TESTS + "test_describe_object",
    ),
    "searchableFields": Key(
        "searchable_fields",
        items(_name, most=20),
        "Fields that the search looks at.",
        _at("parse.objects:searchable_fields"),
        TESTS + "test_searchable_fields",
    ),
    "fieldGroups": Key(
        "field_groups",
        items(_shape(GROUP_KEYS, _group, "key"), most=40),
        "Sections of the form.",
        _at("definitions:ObjectDef.sections"),
        TESTS + "test_sections",
    ),
    "indexes": Key(
        "indexes",
        items(_shape(INDEX_KEYS, IndexDef, "fields"), most=30),
        "Indexes over several fields.",
        _at("schema.state:declared_indexes"),
        SCHEMA_TESTS + "test_declared_indexes",
    ),
    "enable": Key(
        "enable",
        _shape(ENABLE_KEYS, _enable, later=ENABLE_LATER),
        "What the platform does for the records.",
        _at("definitions:Enable"),
        TESTS + "test_enable",
    ),
    "personal": Key(
        "personal",
        boolean,
        "Every field is personal data, as if each said so.",
        _at("definitions:ObjectDef.personal_fields"),
        "tests/objects/test_sealing.py::test_a_personal_object_seals_every_field",
    ),
    "ownership": Key(
        "ownership",
        choice(*OWNERSHIPS),
        "Whether a record belongs to a member.",
        _at("definitions:ObjectDef.owner_field"),
        TESTS + "test_ownership",
    ),
    "sharingModel": Key(
        "sharing_model",
        choice(*SHARING_MODELS),
        "What members see of each other's records.",
        "apps.permissions.access:Access.predicate",
        "tests/permissions/test_access.py::test_sharing_model",
    ),
    "listViews": Key(
        "list_views", anything, "Named lists.", _at("describe:object_item"), TESTS + "test_list_views"
    ),
    "recordTypes": Key(
        "record_types",
        anything,
        "Kinds of records with fields and options of their own, told apart by a select field.",
        _at("parse.record_types:settle_record_types"),
        "tests/objects/test_record_types.py::test_fields_of_another_type_are_not_there",
    ),
    "validations": Key(
        "validations",
        anything,
        "Rules that every write of a record must satisfy.",
        "apps.objects.records.rules:judge_change",
        "tests/objects/test_rules.py::test_a_script_that_is_true_refuses_the_write",
    ),
    "permission_sets": Key(
        "permission_sets",
        anything,
        "ObjectOS form: rights by permission set.",
        _at("parse.grants:object_grants"),
        TESTS + "test_objectos_permissions",
    ),
    "translations": Key(
        "translations",
        anything,
        "Labels by language.",
        _at("definitions:ObjectDef.label_for"),
        TESTS + "test_translations",
    ),
    "renamedFrom": Key(
        "renamed_from",
        name(OBJECT_NAME_LIMIT),
        "The object's former name, so that a rename keeps the data.",
        _at("schema.rename:object_renames"),
        SCHEMA_TESTS + "test_object_rename_keeps_data",
    ),
}
