"""Definitions as the protocol writes them: camelCase, every default filled in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from apps.core import canonical
from apps.objects.conditions import fields_of, reads
from apps.objects.definitions import Enable, FieldDef, ListView, ObjectDef, Summary
from apps.objects.kinds import kind_of
from apps.objects.validations import Validation

CONDITIONS = (
    ("visibleWhen", "visible_when"),
    ("readonlyWhen", "readonly_when"),
    ("requiredWhen", "required_when"),
    ("defaultValue", "default_expression"),
    ("expression", "expression"),
)
EXPRESSIONS = frozenset(key for key, _ in CONDITIONS)
OPTIONAL = (
    ("maxLength", "max_length"),
    ("minLength", "min_length"),
    ("min", "min"),
    ("max", "max"),
    ("precision", "precision"),
    ("scale", "scale"),
    ("step", "step"),
    ("dimensions", "dimensions"),
    ("language", "language"),
    ("autonumberFormat", "autonumber_format"),
    ("currency", "currency"),
    ("returnType", "return_type"),
    ("group", "group"),
    ("defaultValue", "default_value"),
    ("renamedFrom", "renamed_from"),
    ("maskingRule", "masking"),
    ("encrypted", "encrypted"),
)


def number(value: Any) -> Any:
    """Return a bound as a JSON number where one can hold it exactly, else as text."""
    plain = canonical.plain(value)
    return int(plain) if isinstance(plain, str) and plain.lstrip("-").isdigit() and len(plain) < 16 else plain


def field_item(definition: ObjectDef, field: FieldDef, locale: str | None = None) -> dict[str, Any]:
    """Return one field; its words in the language of `locale` where there are any."""
    kind = kind_of(field)
    item: dict[str, Any] = {
        "name": field.name,
        "type": field.type,
        "label": definition.field_label(field.name, locale),
        "required": field.required,
        "unique": field.unique,
        "multiple": field.multiple,
        "hidden": field.hidden,
        "readonly": field.readonly,
        "searchable": field.name in definition.searchable_fields,
        "sortable": field.sortable and kind.sortable,
        "externalId": field.external_id,
        "trackHistory": field.track_history,
        "personal": field.name in definition.personal_fields,
        "system": field.system,
    }
    if description := definition.field_description(field.name, locale):
        item["description"] = description
    if field.options:
        item["options"] = [
            {
                "value": o.value,
                "label": definition.option_label(field.name, o.value, locale),
                **({"color": o.color} if o.color else {}),
                "default": o.default,
                **({"visibleWhen": cel(o.visible_when)} if o.visible_when else {}),
            }
            for o in field.options
        ]
    if field.reference:
        item |= {"reference": field.reference, "deleteBehavior": field.delete_behavior}
    if field.summary:
        item["summaryOperations"] = summary_item(field.summary)
    for key, attribute in OPTIONAL:
        value = getattr(field, attribute)
        if value is not None:
            item[key] = number(value) if key in ("min", "max", "step") else value
    for key, attribute in CONDITIONS:
        source = getattr(field, attribute)
        if source is not None:
            item[key] = cel(source)
    if field.parts:
        item["fields"] = {part.name: _part_item(part) for part in field.parts}
    return item


def cel(source: str) -> dict[str, str]:
    """Return the protocol's envelope of an expression."""
    return {"dialect": "cel", "source": source}


def validation_item(rule: Validation) -> dict[str, Any]:
    """Return one validation rule."""
    item: dict[str, Any] = {
        "name": rule.name,
        "label": rule.label or rule.name,
        "type": rule.type,
        "message": rule.message,
        "active": rule.active,
        "events": sorted(rule.events),
        "priority": rule.priority,
        "severity": rule.severity,
    }
    for key in ("condition", "when"):
        if (source := getattr(rule, key)) is not None:
            item[key] = cel(source)
    for key in ("field", "regex", "format", "schema"):
        if (value := getattr(rule, key)) is not None:
            item[key] = value
    if rule.fields:
        item["fields"] = list(rule.fields)
    if rule.type == "state_machine":
        item["transitions"] = {state: list(after) for state, after in rule.transitions.items()}
        if rule.initial_states is not None:
            item["initialStates"] = list(rule.initial_states)
    for key in ("then", "otherwise"):
        if (inner := getattr(rule, key)) is not None:
            item[key] = validation_item(inner)
    return item


def _part_item(part: FieldDef) -> dict[str, Any]:
    """Return a field inside a field."""
    item: dict[str, Any] = {"type": part.type, "label": part.label, "required": part.required}
    if part.description:
        item["description"] = part.description
    if part.options:
        item["options"] = [{"value": o.value, "label": o.label} for o in part.options]
    for key, attribute in OPTIONAL:
        value = getattr(part, attribute)
        if value is not None:
            item[key] = number(value) if key in ("min", "max", "step") else value
    return item


def summary_item(summary: Summary) -> dict[str, Any]:
    """Return what a summary rolls up."""
    item = {
        "object": summary.object,
        "function": summary.function,
        "field": summary.source,
        "relationshipField": summary.relationship,
        "filter": dict(summary.filter),
    }
    return {key: value for key, value in item.items() if value}


def list_view_item(definition: ObjectDef, view: ListView, locale: str | None = None) -> dict[str, Any]:
    """Return one list view."""
    return {
        "name": view.name,
        "label": definition.view_label(view.name, locale),
        "columns": list(view.columns),
        "filter": dict(view.filter),
        "sort": [{"field": name, "order": order} for name, order in view.sort],
        "default": view == definition.default_view,
        "type": view.type,
        **({"groupBy": view.group_by} if view.group_by else {}),
        **({"dateField": view.date_field} if view.date_field else {}),
    }


def filter_fields(filter_: Mapping[str, Any]) -> set[str]:
    """Return the fields that a filter in object form looks at."""
    found: set[str] = set()
    for key, value in filter_.items():
        if key in ("$and", "$or"):
            for item in value:
                found |= filter_fields(item)
        elif key == "$not":
            found |= filter_fields(value)
        else:
            found.add(key)
    return found


Visible = Callable[..., bool]


def object_item(
    definition: ObjectDef, locale: str | None = None, *, readable: Collection[str] | None = None
) -> dict[str, Any]:
    """Return the whole object; with `readable` only those fields, and no view or index that names another."""

    def visible(*names: str) -> bool:
        return readable is None or set(names) <= {"id", *readable}

    fields = [f for f in definition.all_fields.values() if visible(f.name)]
    indexes = [i for i in definition.indexes if visible(*i.fields)]
    groups = definition.field_groups
    return {
        "name": definition.name,
        "label": definition.label_for(locale),
        "pluralLabel": definition.label_for(locale, plural=True),
        "description": definition.description,
        "icon": definition.icon,
        "nameField": definition.name_field,
        "highlightFields": [n for n in definition.highlight_fields if visible(n)],
        "searchableFields": [n for n in definition.searchable_fields if visible(n)],
        "fieldGroups": [{"key": g.key, "label": definition.group_label(g.key, locale)} for g in groups],
        "fields": {f.name: _seen(field_item(definition, f, locale), visible) for f in fields},
        **_types(definition, visible),
        "indexes": [{"fields": list(i.fields), "unique": i.unique} for i in indexes],
        "enable": _enabled(definition.enable),
        "ownership": definition.ownership,
        "personal": definition.personal,
        "sharingModel": definition.sharing_model,
        "validations": [validation_item(rule) for rule in _rules(definition, readable)],
        "listViews": _views(definition, locale, visible),
        "_packageId": definition.module,
        "_provenance": "package" if definition.managed else "organization",
        "_lock": "locked" if definition.managed else "unlocked",
        "_version": definition.version,
        "_checksum": definition.checksum,
    }


def _seen(item: dict[str, Any], visible: Visible) -> dict[str, Any]:
    """Return the field without the conditions that name a field its reader does not see."""

    def kept(key: str, value: Any) -> bool:
        return (
            key not in EXPRESSIONS
            or not isinstance(value, dict)
            or "source" not in value
            or visible(*fields_of(value["source"]))
        )

    item = {key: value for key, value in item.items() if kept(key, value)}
    for option in item.get("options", ()):
        if "visibleWhen" in option and not kept("visibleWhen", option["visibleWhen"]):
            del option["visibleWhen"]
    return item


def _rules(definition: ObjectDef, readable: Collection[str] | None) -> list[Validation]:
    """Return the rules about visible fields only: an expression names what it reads."""
    if readable is None:
        return list(definition.validations)
    seen = {"id", *readable}
    return [rule for rule in definition.validations if reads(rule) <= seen]


def _types(definition: ObjectDef, visible: Visible) -> dict[str, Any]:
    """Return the record types as the definition writes them, without what the reader may not see."""
    if not definition.record_types or not visible(definition.record_types[0].field):
        return {}
    written, types = definition.body["recordTypes"]["types"], {}
    for one in definition.record_types:
        told = written[one.value] or {}
        said: dict[str, Any] = {
            k: [n for n in told[k] if visible(n)] for k in ("fields", "required") if k in told
        }
        if options := {name: list(left) for name, left in told.get("options", {}).items() if visible(name)}:
            said["options"] = options
        types[one.value] = said
    return {"recordTypes": {"field": definition.record_types[0].field, "types": types}}


def _enabled(enable: Enable) -> dict[str, Any]:
    return {
        "trackHistory": enable.track_history,
        "trackReads": enable.track_reads,
        "searchable": enable.searchable,
        "apiEnabled": enable.api_enabled,
        "apiMethods": sorted(enable.api_methods),
    }


def _views(definition: ObjectDef, locale: str | None, visible: Visible) -> dict[str, Any]:
    """Return the views whose filter looks at visible fields only: a list's content would tell the others' values."""
    found = {}
    default = definition.default_view
    for view in (definition.list_views or {default.name: default}).values():
        if not visible(*filter_fields(view.filter), *filter(None, (view.group_by, view.date_field))):
            continue
        seen = list_view_item(definition, view, locale)
        seen["columns"] = [c for c in seen["columns"] if visible(c)]
        seen["sort"] = [s for s in seen["sort"] if visible(s["field"])]
        found[view.name] = seen
    return found
