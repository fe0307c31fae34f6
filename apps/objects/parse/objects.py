"""Reading a whole object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from apps.objects.definitions import SYSTEM_FIELDS, FieldDef, ObjectDef, prefix_of
from apps.objects.kinds import kind_of
from apps.objects.parse.conditions import judge_expressions
from apps.objects.parse.field_keys import humanize
from apps.objects.parse.fields import read_field
from apps.objects.parse.formulas import settle_formulas
from apps.objects.parse.grants import read_sets
from apps.objects.parse.object_keys import LATER, OBJECT_KEYS
from apps.objects.parse.record_types import settle_record_types
from apps.objects.parse.shape import Reading, read_shape
from apps.objects.parse.translations import judge_translations
from apps.objects.parse.tree import Spot, below
from apps.objects.parse.validations import read_validations
from apps.objects.parse.views import read_views

MOST_FIELDS = 300


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
    fields = settle_formulas(reading, spot, object_name, _fields(reading, spot))
    types = settle_record_types(reading, found.pop("record_types", None), fields)
    known = {**SYSTEM_FIELDS, **fields}
    views_spot, sets_spot, words_spot, rules_spot = (
        found.pop(k, None) for k in ("list_views", "permission_sets", "translations", "validations")
    )
    found.pop("fields", None)
    views = read_views(reading, views_spot, fields) if views_spot else {}
    sets = read_sets(reading, sets_spot, object_name, fields.values()) if sets_spot else {}
    if words_spot:
        judge_translations(reading, words_spot, fields, found.get("field_groups", ()), views)
    rules = read_validations(reading, rules_spot, fields) if rules_spot else ()
    judge_expressions(reading, spot, object_name, fields, rules)
    _judge_mentions(reading, spot, found, known)
    found["name_field"] = name_field(reading, spot, found.get("name_field"), fields)
    found["searchable_fields"] = searchable_fields(reading, spot, found, fields)
    if found.get("ownership") == "none" and found.get("sharing_model", "private") == "private":
        place = spot.child("ownership") or spot
        cure = "Add sharingModel: public_read or public_read_write."
        reading.fail(place, "conflict", "Private records without owners would be visible to nobody.", cure)
    if found.get("sharing_model") == "controlled_by_parent":
        _judge_control(reading, spot, fields)
    if len(reading.errors) > before:
        return None
    found["label"] = found.get("label") or humanize(object_name)
    found.setdefault("plural_label", f"{found['label']}s")
    return ObjectDef(
        **found,
        fields=MappingProxyType(fields),
        list_views=MappingProxyType(views),
        validations=rules,
        record_types=types,
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
    _plant(reading, spot, fields)
    former = [f.renamed_from for f in fields.values() if f.renamed_from]
    for field in fields.values():
        if field.renamed_from and (field.renamed_from in fields or former.count(field.renamed_from) > 1):
            place = holder.value[field.name].child("renamedFrom") or holder
            reading.fail(place, "conflict", f"{field.renamed_from!r} still is a field, or is named twice.")
    return fields


def _plant(reading: Reading, spot: Spot, fields: dict[str, FieldDef]) -> None:
    """Let tree fields refer to their own object."""
    object_name = (spot.child("name") or spot).value
    for key, field in fields.items():
        if field.type == "tree" and field.reference in (None, object_name) and isinstance(object_name, str):
            fields[key] = replace(field, reference=object_name)
        elif field.type == "tree":
            place = spot.value["fields"].value[key].child("reference") or spot
            cure = "Leave reference out, or use a lookup."
            reading.fail(place, "conflict", "A tree is of records of the object itself.", cure)


def _judge_object_name(reading: Reading, spot: Spot, object_name: str, module: str | None) -> None:
    place = spot.child("name") or spot
    if object_name.startswith("sys_"):
        reading.fail(place, "reserved_name", "Names that start with sys_ belong to the platform.")
    if module and object_name and not object_name.startswith(prefix_of(module)):
        message = f"An object of the module {module} starts with {prefix_of(module)!r}."
        reading.fail(place, "invalid_name", message)


def _judge_control(reading: Reading, spot: Spot, fields: Mapping[str, FieldDef]) -> None:
    """The master that controls must be one, and no other."""
    if sum(field.type == "master_detail" for field in fields.values()) != 1:
        place, cure = (
            spot.child("sharingModel") or spot,
            "Add a master_detail field, or choose another model.",
        )
        reading.fail(place, "conflict", "controlled_by_parent needs one master_detail field.", cure)


def _judge_mentions(
    reading: Reading, spot: Spot, found: Mapping[str, Any], known: Mapping[str, FieldDef]
) -> None:
    """Note every key that names a field or section the object does not have."""
    mentions = [("nameField", (found["name_field"],) if "name_field" in found else ())]
    mentions += [("highlightFields", found.get("highlight_fields", ()))]
    mentions += [("searchableFields", found.get("searchable_fields", ()))]
    mentions += [("indexes", i.fields) for i in found.get("indexes", ())]
    for mentioned in {n for i in found.get("indexes", ()) for n in i.fields if n in known}:
        if kind_of(known[mentioned]).derived:
            place = spot.child("indexes") or spot
            reading.fail(
                place, "not_applicable", f"{mentioned!r} is computed and has no index.", "Remove it."
            )
    holder = spot.child("fields")
    declared = holder.value if holder and isinstance(holder.value, dict) else {}
    for key, names in mentions:
        for mentioned in names:
            if mentioned not in known and mentioned not in declared:
                place = spot.child(key) or spot
                reading.fail(place, "unknown_field", f"{key} names {mentioned!r}, which is no field.")
            elif key == "indexes" and mentioned in known and known[mentioned].encrypted:
                place = spot.child(key) or spot
                cure = "Write encrypted: equality at the field; it has an index of its own then."
                reading.fail(place, "not_applicable", f"{mentioned!r} is encrypted and has no order.", cure)
    groups = {g.key for g in found.get("field_groups", ())}
    for field in known.values():
        if field.group and field.group not in groups:
            place = (declared[field.name].child("group") if field.name in declared else None) or spot
            cure = "Add it to fieldGroups."
            reading.fail(
                place, "unknown_group", f"{below('fieldGroups', field.group)} is not declared.", cure
            )


def name_field(reading: Reading, spot: Spot, chosen: str | None, fields: Mapping[str, FieldDef]) -> str:
    """Return the field that names a record: the chosen one, `name`, the first text, the first autonumber."""
    if chosen is not None:
        if chosen in fields and fields[chosen].encrypted:
            place = spot.child("nameField") or spot
            reading.fail(
                place, "not_applicable", f"{chosen!r} is encrypted: lists could not show names by it."
            )
        if chosen in fields and fields[chosen].type not in ("text", "email", "autonumber", "phone", "url"):
            place = spot.child("nameField") or spot
            reading.fail(place, "not_applicable", f"{chosen!r} is not a line of text.", "Name a text field.")
        return chosen
    fields = {name: field for name, field in fields.items() if not field.encrypted}
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
    return marked or ((str(naming),) if naming in fields else ())
