"""Definitions as protocol 17 names their parts, from what `apps.objects.describe` says of them."""

from collections.abc import Collection, Mapping
from typing import Any

from apps.objects import describe
from apps.objects.definitions import FieldDef, ListView, ObjectDef
from apps.objects.kinds import kind_of

# Types that only the platform's own columns have, by the protocol's name.
PROTOCOL_TYPES: Mapping[str, str] = {"id": "text", "integer": "number"}
USER_OBJECT = "sys_user"


def object_item(obj: ObjectDef, readable: Collection[str], locale: str | None) -> dict[str, Any]:
    """Return an object with the fields named in `readable`, system columns first."""
    item = describe.object_item(obj, locale, readable=readable)
    for name, described in item["fields"].items():
        described["type"] = PROTOCOL_TYPES.get(described["type"], described["type"])
        if obj.all_fields[name].type == "user":
            described["reference"] = USER_OBJECT
    if obj.module is None:
        del item["_packageId"]
    return item | {"isSystem": False}


def sortability(obj: ObjectDef, readable: Collection[str]) -> dict[str, Any]:
    """Return which of the readable fields a query may sort by."""
    return {
        "fields": {
            name: {"sortable": _sorts(obj.all_fields[name])} for name in obj.all_fields if name in readable
        }
    }


VIEW_KINDS = {"table": "grid", "board": "kanban"}


def list_config(
    obj: ObjectDef, view: ListView, readable: Collection[str], locale: str | None
) -> dict[str, Any]:
    """Return a list view: columns with labels, order, filter."""
    return {
        "type": VIEW_KINDS.get(view.type, view.type),
        **({"groupBy": view.group_by} if view.group_by in readable else {}),
        **({"dateField": view.date_field} if view.date_field in readable else {}),
        "label": obj.view_label(view.name, locale),
        "columns": [
            {"field": name, "label": obj.field_label(name, locale), "sortable": _sorts(obj.all_fields[name])}
            for name in view.columns
            if name in readable
        ],
        "sort": [{"field": name, "order": order} for name, order in view.sort if name in readable],
        "filter": dict(view.filter),
        "searchableFields": [name for name in obj.searchable_fields if name in readable],
    }


def form_config(
    obj: ObjectDef, readable: Collection[str], editable: Collection[str], locale: str | None
) -> dict[str, Any]:
    """Return the form: sections with the fields that the caller may read."""
    sections = []
    for group, fields in obj.sections():
        shown = [_form_field(obj, field, editable, locale) for field in fields if field.name in readable]
        if shown:
            label = obj.group_label(group.key, locale) or obj.label_for(locale)
            name = group.key or "general"
            section = {"name": name, "label": label, "columns": 2, "collapsible": False, "collapsed": False}
            sections.append(section | {"fields": shown})
    return {"type": "simple", "sections": sections}


def _form_field(
    obj: ObjectDef, field: FieldDef, editable: Collection[str], locale: str | None
) -> dict[str, Any]:
    return {
        "field": field.name,
        "label": obj.field_label(field.name, locale),
        "required": field.required,
        "readonly": field.readonly or kind_of(field).generated or field.name not in editable,
        "type": field.type,
        "colSpan": 1,
        "span": "auto",
    }


def _sorts(field: FieldDef) -> bool:
    return field.sortable and kind_of(field).sortable
