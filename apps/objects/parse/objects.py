"""Reading a whole object."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from apps.objects.definitions import (
    API_METHODS,
    FIELD_NAME_LIMIT,
    OBJECT_NAME_LIMIT,
    OWNERSHIPS,
    SHARING_MODELS,
    SYSTEM_FIELDS,
    Enable,
    FieldDef,
    FieldGroup,
    IndexDef,
    ObjectDef,
)
from apps.objects.kinds import kind_of
from apps.objects.parse.fields import humanize, read_field
from apps.objects.parse.grants import read_sets
from apps.objects.parse.shape import BAD, Key, Reading, anything, boolean, choice, items, name, read_shape, text
from apps.objects.parse.translations import judge_translations
from apps.objects.parse.tree import Spot, below
from apps.objects.parse.views import read_views

TESTS = "tests/objects/test_definitions.py::"
SCHEMA_TESTS = "tests/objects/test_schema.py::"
MOST_FIELDS = 300
LATER = frozenset(
    "stageField validations actions activityMilestones externalSharingModel publicSharing access "
    "requiredPermissions tenancy systemFields lifecycle datasource external userActions managedBy isSystem".split()
)
ENABLE_LATER = frozenset("files feeds activities clone".split())
_name = name(FIELD_NAME_LIMIT)


def _at(place: str) -> str:
    return f"apps.objects.{place}"


GROUP_KEYS: Mapping[str, Key] = {
    "key": Key("key", _name, "Name of the section.", _at("definitions:ObjectDef.sections"), TESTS + "test_sections"),
    "label": Key(
        "label", text(120), "Title of the section.", _at("definitions:ObjectDef.sections"), TESTS + "test_sections"
    ),
}
INDEX_KEYS: Mapping[str, Key] = {
    "fields": Key(
        "fields", items(_name, most=8), "Fields of the index, in order.", _at("schema.state:declared_indexes"),
        SCHEMA_TESTS + "test_declared_indexes",
    ),
    "unique": Key(
        "unique", boolean, "No two living records share the combination.", _at("schema.state:declared_indexes"),
        SCHEMA_TESTS + "test_declared_indexes",
    ),
}
ENABLE_KEYS: Mapping[str, Key] = {
    "trackHistory": Key(
        "track_history", boolean, "Keep every field's values before and after a change.",
        _at("records.history:write"), "tests/objects/test_records.py::test_history_can_be_switched_off",
    ),
    "searchable": Key(
        "searchable", boolean, "Found by the search over all objects.", _at("parse.objects:searchable_fields"),
        TESTS + "test_searchable_fields",
    ),
    "apiEnabled": Key(
        "api_enabled", boolean, "Served under /api/v1/data.", "apps.api.data.access:served_object",
        "tests/api/test_data.py::test_api_can_be_switched_off",
    ),
    "apiMethods": Key(
        "api_methods", items(choice(*API_METHODS)), "The methods served.", "apps.api.data.access:served_object",
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
    "name": Key("name", name(OBJECT_NAME_LIMIT), "The object's name.", _at("catalog:Catalog.object"), TESTS + "test_names"),
    "label": Key("label", text(120), "Its name for people.", _at("describe:object_item"), TESTS + "test_labels"),
    "pluralLabel": Key(
        "plural_label", text(120), "Its name for people, of many.", _at("describe:object_item"), TESTS + "test_labels"
    ),
    "description": Key(
        "description", text(4000, empty=True), "What it is for.", _at("describe:object_item"),
        TESTS + "test_describe_object",
    ),
    "icon": Key(
        "icon", text(60), "Name of its icon.", _at("describe:object_item"), TESTS + "test_describe_object"
    ),
    "fields": Key("fields", anything, "The fields by name.", _at("schema.state:model_state"), TESTS + "test_fields"),
    "nameField": Key(
        "name_field", _name, "The field that names a record; `name` or the first text field when absent.",
        _at("parse.objects:name_field"), TESTS + "test_name_field",
    ),
    "highlightFields": Key(
        "highlight_fields", items(_name, most=12), "Fields at the head of a record.", _at("describe:object_item"),
        TESTS + "test_describe_object",
    ),
    "searchableFields": Key(
        "searchable_fields", items(_name, most=20), "Fields that the search looks at.",
        _at("parse.objects:searchable_fields"), TESTS + "test_searchable_fields",
    ),
    "fieldGroups": Key(
        "field_groups", items(_shape(GROUP_KEYS, _group, "key"), most=40), "Sections of the form.",
        _at("definitions:ObjectDef.sections"), TESTS + "test_sections",
    ),
    "indexes": Key(
        "indexes", items(_shape(INDEX_KEYS, IndexDef, "fields"), most=30), "Indexes over several fields.",
        _at("schema.state:declared_indexes"), SCHEMA_TESTS + "test_declared_indexes",
    ),
    "enable": Key(
        "enable", _shape(ENABLE_KEYS, _enable, later=ENABLE_LATER), "What the platform does for the records.",
        _at("definitions:Enable"), TESTS + "test_enable",
    ),
    "ownership": Key(
        "ownership", choice(*OWNERSHIPS), "Whether a record belongs to a member.",
        _at("definitions:ObjectDef.owner_field"), TESTS + "test_ownership",
    ),
    "sharingModel": Key(
        "sharing_model", choice(*SHARING_MODELS), "What members see of each other's records.",
        "apps.permissions.access:Access.predicate", "tests/permissions/test_access.py::test_sharing_models",
    ),
    "listViews": Key(
        "list_views", anything, "Named lists.", _at("describe:object_item"), TESTS + "test_list_views"
    ),
    "permission_sets": Key(
        "permission_sets", anything, "ObjectOS form: rights by permission set.",
        _at("parse.grants:object_grants"), TESTS + "test_objectos_permissions",
    ),
    "translations": Key(
        "translations", anything, "Labels by language.", _at("definitions:ObjectDef.label_for"),
        TESTS + "test_translations",
    ),
    "renamedFrom": Key(
        "renamed_from", name(OBJECT_NAME_LIMIT), "The object's former name, so that a rename keeps the data.",
        _at("schema.rename:object_renames"), SCHEMA_TESTS + "test_object_rename_keeps_data",
    ),
}


def read_object(reading: Reading, spot: Spot, *, module: str | None = None) -> ObjectDef | None:
    """Return the object, or None when its faults (all noted) forbid it."""
    before = len(reading.errors)
    found = read_shape(reading, spot, OBJECT_KEYS, later=LATER)
    if not isinstance(spot.value, dict):
        return None
    if "name" not in spot.value:
        reading.fail(spot, "required", "The object has no name.", "Add name: ….")
    object_name = str(found.get("name", ""))
    _judge_object_name(reading, spot, object_name, module)
    fields = _fields(reading, spot)
    known = {**SYSTEM_FIELDS, **fields}
    views_spot, sets_spot, words_spot = (found.pop(k, None) for k in ("list_views", "permission_sets", "translations"))
    found.pop("fields", None)
    views = read_views(reading, views_spot, fields) if views_spot else {}
    sets = read_sets(reading, sets_spot, object_name, fields.values()) if sets_spot else {}
    if words_spot:
        judge_translations(reading, words_spot, fields, found.get("field_groups", ()), views)
    _judge_mentions(reading, spot, found, known)
    found["name_field"] = name_field(reading, spot, found.get("name_field"), fields)
    found["searchable_fields"] = searchable_fields(reading, spot, found, fields)
    if found.get("ownership") == "none" and found.get("sharing_model", "private") == "private":
        place = spot.child("ownership") or spot
        cure = "Add sharingModel: public_read or public_read_write."
        reading.fail(place, "conflict", "Private records without owners would be visible to nobody.", cure)
    if len(reading.errors) > before:
        return None
    found["label"] = found.get("label") or humanize(object_name)
    found.setdefault("plural_label", f"{found['label']}s")
    return ObjectDef(
        **found,
        fields=MappingProxyType(fields),
        list_views=MappingProxyType(views),
        permission_sets=MappingProxyType(sets),
        translations=MappingProxyType(words_spot.plain() if words_spot else {}),
        module=module,
    )


def _fields(reading: Reading, spot: Spot) -> dict[str, FieldDef]:
    holder = spot.child("fields")
    if holder is None or not isinstance(holder.value, dict) or not holder.value:
        place = holder or spot
        reading.fail(place, "required", "The object has no fields.", "Add fields: {name: {type: text}}.")
        return {}
    if len(holder.value) > MOST_FIELDS:
        reading.fail(holder, "too_large", f"An object has at most {MOST_FIELDS} fields.")
    fields = {}
    for key, child in holder.value.items():
        field = read_field(reading, child, key)
        if field is not None:
            fields[key] = field
    former = [f.renamed_from for f in fields.values() if f.renamed_from]
    for field in fields.values():
        if field.renamed_from and (field.renamed_from in fields or former.count(field.renamed_from) > 1):
            place = holder.value[field.name].child("renamedFrom") or holder
            reading.fail(place, "conflict", f"{field.renamed_from!r} still is a field, or is named twice.")
    return fields


def _judge_object_name(reading: Reading, spot: Spot, object_name: str, module: str | None) -> None:
    place = spot.child("name") or spot
    if object_name.startswith("sys_"):
        reading.fail(place, "reserved_name", "Names that start with sys_ belong to the platform.")
    if module and object_name and not object_name.startswith(module.replace("-", "_") + "_"):
        prefix = module.replace("-", "_") + "_"
        reading.fail(place, "invalid_name", f"An object of the module {module} starts with {prefix!r}.")


def _judge_mentions(
    reading: Reading, spot: Spot, found: Mapping[str, Any], known: Mapping[str, FieldDef]
) -> None:
    """Note every key that names a field or section the object does not have."""
    mentions = [("nameField", (found["name_field"],) if "name_field" in found else ())]
    mentions += [("highlightFields", found.get("highlight_fields", ()))]
    mentions += [("searchableFields", found.get("searchable_fields", ()))]
    mentions += [("indexes", i.fields) for i in found.get("indexes", ())]
    holder = spot.child("fields")
    declared = holder.value if holder and isinstance(holder.value, dict) else {}
    for key, names in mentions:
        for mentioned in names:
            if mentioned not in known and mentioned not in declared:
                place = spot.child(key) or spot
                reading.fail(place, "unknown_field", f"{key} names {mentioned!r}, which is no field.")
    groups = {g.key for g in found.get("field_groups", ())}
    for field in known.values():
        if field.group and field.group not in groups:
            place = (declared[field.name].child("group") if field.name in declared else None) or spot
            cure = "Add it to fieldGroups."
            reading.fail(place, "unknown_group", f"{below('fieldGroups', field.group)} is not declared.", cure)


def name_field(reading: Reading, spot: Spot, chosen: str | None, fields: Mapping[str, FieldDef]) -> str:
    """Return the field that names a record: the chosen one, `name`, the first text, the first autonumber."""
    if chosen is not None:
        if chosen in fields and fields[chosen].type not in ("text", "email", "autonumber", "phone", "url"):
            place = spot.child("nameField") or spot
            reading.fail(place, "not_applicable", f"{chosen!r} is not a line of text.", "Name a text field.")
        return chosen
    if "name" in fields:
        return "name"
    for wanted in ("text", "autonumber", "email"):
        for field in fields.values():
            if field.type == wanted:
                return field.name
    if fields:
        reading.fail(spot, "required", "No field can name a record.", "Add a text field, or nameField.")
    return ""


def searchable_fields(
    reading: Reading, spot: Spot, found: Mapping[str, Any], fields: Mapping[str, FieldDef]
) -> tuple[str, ...]:
    """Return the fields the search looks at: those listed, else those marked, else the naming one."""
    enable = found.get("enable")
    listed = found.get("searchable_fields")
    for mentioned in listed or ():
        if mentioned in fields and not kind_of(fields[mentioned]).searchable:
            place = spot.child("searchableFields") or spot
            reading.fail(place, "not_applicable", f"{mentioned!r} holds no text to search in.", "Remove it.")
    if enable is not None and not enable.searchable:
        return ()
    if listed is not None:
        return tuple(listed)
    marked = tuple(f.name for f in fields.values() if f.searchable)
    naming = found.get("name_field")
    return marked or ((naming,) if naming in fields else ())


__all__ = ["BAD", "ENABLE_KEYS", "GROUP_KEYS", "INDEX_KEYS", "OBJECT_KEYS", "read_object"]
