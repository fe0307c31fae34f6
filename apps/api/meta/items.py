"""Definitions in the protocol's form: defaults materialised, system columns included, labels translated."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from apps.objects.definitions import FieldDef, ListView, ObjectDef
from apps.objects.kinds.kind import KINDS, kind_of

# Our names of what a field stores, and the protocol's name where it has another one.
PROTOCOL_TYPES: Mapping[str, str] = {"id": "text", "integer": "number"}
NUMBER_KEYS = {"min": "min", "max": "max", "precision": "precision", "scale": "scale"}
TEXT_KEYS = {"max_length": "maxLength", "min_length": "minLength", "autonumber_format": "autonumberFormat"}
USER_OBJECT = "sys_user"


def field_item(obj: ObjectDef, field: FieldDef, locale: str | None) -> dict[str, Any]:
    """Return one field of an object item."""
    kind = kind_of(field)
    item: dict[str, Any] = {
        "type": PROTOCOL_TYPES.get(field.type, field.type),
        "label": obj.field_label(field.name, locale),
        "required": field.required and not field.system,
        "searchable": field.searchable,
        "multiple": field.multiple,
        "unique": field.unique,
        "hidden": field.hidden,
        "readonly": field.readonly or kind.generated,
        "sortable": field.sortable and kind.sortable,
        "externalId": field.external_id,
        "trackHistory": field.track_history,
    }
    if description := obj.field_description(field.name, locale):
        item["description"] = description
    if field.system:
        item["system"] = True
    if field.default_value is not None:
        item["defaultValue"] = _plain(field.default_value)
    if field.options:
        item["options"] = [_option(obj, field, option.value, locale) for option in field.options]
    item |= _reference(field)
    item |= {wire: _plain(getattr(field, name)) for name, wire in NUMBER_KEYS.items() if _set(field, name)}
    item |= {wire: getattr(field, name) for name, wire in TEXT_KEYS.items() if _set(field, name)}
    if field.currency:
        item["currencyConfig"] = {"defaultCurrency": field.currency}
    if field.group:
        item["group"] = field.group
    return item


def object_item(obj: ObjectDef, readable: Iterable[str], locale: str | None) -> dict[str, Any]:
    """Return an object with the fields named in `readable`, system columns first."""
    seen = frozenset(readable)
    shown = {name: field for name, field in obj.all_fields.items() if name in seen}
    item: dict[str, Any] = {
        "name": obj.name,
        "label": obj.label_for(locale),
        "pluralLabel": obj.label_for(locale, plural=True),
        "description": obj.description,
        "icon": obj.icon,
        "isSystem": False,
        "nameField": obj.name_field,
        "fields": {name: field_item(obj, field, locale) for name, field in shown.items()},
        "highlightFields": [name for name in obj.highlight_fields if name in seen],
        "searchableFields": [name for name in obj.searchable_fields if name in seen],
        "fieldGroups": [
            {"key": group.key, "label": obj.group_label(group.key, locale)} for group in obj.field_groups
        ],
        "indexes": [{"fields": list(index.fields), "unique": index.unique} for index in obj.indexes],
        "listViews": {name: view_config(obj, view, seen, locale) for name, view in obj.list_views.items()},
        "enable": {
            "trackHistory": obj.enable.track_history,
            "searchable": obj.enable.searchable,
            "apiEnabled": obj.enable.api_enabled,
            "apiMethods": sorted(obj.enable.api_methods),
        },
        "ownership": obj.ownership,
        "sharingModel": obj.sharing_model,
        "_provenance": "package" if obj.managed else "runtime",
        "_lock": "full" if obj.managed else "none",
        "_version": obj.version,
    }
    return item | ({"_packageId": obj.module} if obj.module else {})


def sortability(obj: ObjectDef, readable: frozenset[str]) -> dict[str, Any]:
    """Return which of the readable fields a query may sort by."""
    fields = {name: field for name, field in obj.all_fields.items() if name in readable}
    return {"fields": {name: {"sortable": f.sortable and kind_of(f).sortable} for name, f in fields.items()}}


def view_config(obj: ObjectDef, view: ListView, readable: frozenset[str], locale: str | None) -> dict[str, Any]:
    """Return a list view: columns with labels, order, filter."""
    return {
        "type": "grid",
        "label": obj.view_label(view.name, locale),
        "columns": [
            {
                "field": name,
                "label": obj.field_label(name, locale),
                "sortable": obj.all_fields[name].sortable and kind_of(obj.all_fields[name]).sortable,
            }
            for name in view.columns
            if name in readable
        ],
        "sort": [{"field": name, "order": order} for name, order in view.sort if name in readable],
        "filter": dict(view.filter),
        "searchableFields": [name for name in obj.searchable_fields if name in readable],
    }


def form_config(obj: ObjectDef, readable: frozenset[str], editable: frozenset[str], locale: str | None) -> dict[str, Any]:
    """Return the form: sections with the fields that the caller may read."""
    sections = []
    for group, fields in obj.sections():
        shown = [field for field in fields if field.name in readable]
        if not shown:
            continue
        sections.append(
            {
                "name": group.key or "general",
                "label": obj.group_label(group.key, locale) or obj.label_for(locale),
                "columns": 2,
                "collapsible": False,
                "collapsed": False,
                "fields": [_form_field(obj, field, editable, locale) for field in shown],
            }
        )
    return {"type": "simple", "sections": sections}


def type_names() -> list[str]:
    """Return the field types that a definition may use."""
    return [name for name, kind in KINDS.items() if not kind.internal]


def _form_field(obj: ObjectDef, field: FieldDef, editable: frozenset[str], locale: str | None) -> dict[str, Any]:
    readonly = field.readonly or kind_of(field).generated or field.name not in editable
    return {
        "field": field.name,
        "label": obj.field_label(field.name, locale),
        "required": field.required,
        "readonly": readonly,
        "type": field.type,
        "colSpan": 1,
        "span": "auto",
    }


def _option(obj: ObjectDef, field: FieldDef, value: str, locale: str | None) -> dict[str, Any]:
    option = next(item for item in field.options if item.value == value)
    made: dict[str, Any] = {"label": obj.option_label(field.name, value, locale), "value": value}
    if option.color:
        made["color"] = option.color
    return made | ({"default": True} if option.default else {})


def _reference(field: FieldDef) -> dict[str, Any]:
    if field.type == "user":
        return {"reference": USER_OBJECT}
    if field.reference:
        return {"reference": field.reference, "deleteBehavior": field.delete_behavior}
    return {}


def _set(field: FieldDef, name: str) -> bool:
    return getattr(field, name) is not None


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else value
    return value
