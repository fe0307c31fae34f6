"""The tenant's objects as schemas and paths: what this caller may see and write, by name."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from apps.api.contract import ref
from apps.api.openapi.operations import operation_id
from apps.objects.definitions import FieldDef, ObjectDef
from apps.permissions.access import Access

GENERIC = "/api/v1/data/{name}"
TEXTS = {"email": {"format": "email"}, "url": {"format": "uri"}, "textarea": {}, "text": {}, "phone": {}}
NUMBERS = frozenset({"number", "currency", "percent"})
LINKS = frozenset({"lookup", "master_detail", "user"})
CHOICES = frozenset({"select", "multiselect"})
PLAIN: Mapping[str, Mapping[str, Any]] = {
    "json": {},
    "id": {"type": "string", "format": "uuid"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "autonumber": {"type": "string"},
}


def value_schema(field: FieldDef, *, writing: bool) -> dict[str, Any]:
    """Return the schema of a field's value, null allowed unless a write must give one."""
    made = dict(_plain(field, writing=writing))
    optional = not (field.required and writing)
    if optional and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    elif optional and "anyOf" in made:
        made["anyOf"] = [*made["anyOf"], {"type": "null"}]
    return made | {"title": field.label} | ({"readOnly": True} if field.readonly and not writing else {})


def _plain(field: FieldDef, *, writing: bool) -> Mapping[str, Any]:
    if field.type in PLAIN:
        return PLAIN[field.type]
    if field.type in NUMBERS:
        return {"type": "number"} | (_bounds(field) if writing else {})
    if field.type in CHOICES:
        one = {"type": "string", "enum": list(field.option_values)}
        return {"type": "array", "items": one} if field.multiple or field.type == "multiselect" else one
    if field.type in LINKS:
        link = {"type": "string", "format": "uuid"}
        record = {"type": "object", "description": "The record itself, when expanded."}
        return link if writing else {"anyOf": [link, record]}
    return _text(field) if writing else {"type": "string"}


def _text(field: FieldDef) -> dict[str, Any]:
    limit = {"maxLength": field.max_length} if field.max_length else {}
    return {"type": "string"} | TEXTS.get(field.type, {}) | limit


def _bounds(field: FieldDef) -> dict[str, Any]:
    bounds = {"minimum": field.min, "maximum": field.max}
    return {key: float(value) for key, value in bounds.items() if value is not None}


def record_schema(obj: ObjectDef, access: Access) -> dict[str, Any]:
    """Return the schema of a record as the caller reads it; a selection may leave fields out."""
    seen = access.readable(obj)
    fields = {n: value_schema(f, writing=False) for n, f in obj.all_fields.items() if n in seen}
    return {"type": "object", "title": obj.label, "properties": fields, "additionalProperties": False}


def input_schema(obj: ObjectDef, access: Access, *, creating: bool) -> dict[str, Any]:
    """Return the schema of what the caller may send."""
    editable = access.editable(obj)
    fields = {n: f for n, f in obj.all_fields.items() if n in editable and not f.readonly}
    made: dict[str, Any] = {
        "type": "object",
        "properties": {n: value_schema(f, writing=True) for n, f in fields.items()},
        "additionalProperties": False,
    }
    needed = [
        n for n, f in fields.items() if f.required and f.default_value is None and f.type != "autonumber"
    ]
    return made | ({"required": needed} if creating and needed else {})


def expand(document: dict[str, Any], objects: Sequence[ObjectDef], access: Access) -> dict[str, Any]:
    """Return `document` with the generic data paths replaced by one set of paths per object."""
    made = copy.deepcopy(document)
    generic = {path: item for path, item in made["paths"].items() if path.startswith(GENERIC)}
    for path in generic:
        del made["paths"][path]
    for obj in objects:
        # A dot is in no object's name, and shared components begin with a capital: nothing collides.
        made["components"]["schemas"] |= {
            obj.name: record_schema(obj, access),
            f"{obj.name}.create": input_schema(obj, access, creating=True),
            f"{obj.name}.update": input_schema(obj, access, creating=False),
        }
        for path, item in generic.items():
            concrete = path.replace("{name}", obj.name, 1)
            made["paths"][concrete] = _concrete(item, concrete, obj)
    labels = dict.fromkeys(obj.label for obj in objects)
    others = dict.fromkeys(
        tag for item in made["paths"].values() for told in item.values() for tag in told["tags"]
    )
    made["tags"] = [{"name": label} for label in labels | others]
    return made


def _concrete(item: Mapping[str, Any], path: str, obj: ObjectDef) -> dict[str, Any]:
    made = copy.deepcopy(dict(item))
    for method, told in made.items():
        told["operationId"] = operation_id(path, method)
        told["tags"] = [obj.label]
        told["parameters"] = [p for p in told.get("parameters", []) if p["name"] != "name"]
        _put_in(told, "Record", ref(obj.name))
        _put_in(told, "RecordCreate", ref(f"{obj.name}.create"))
        _put_in(told, "RecordUpdate", ref(f"{obj.name}.update"))
    return made


def _put_in(node: Any, name: str, schema: Mapping[str, Any]) -> None:
    """Replace every reference to the generic component `name` by `schema`, in place."""
    wanted = ref(name)["$ref"]
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if item.get("$ref") == wanted:
                item.update(schema)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
