"""The tenant's objects as schemas and paths: what this caller may see and write, by name."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from apps.api.contract import ref
from apps.api.openapi.operations import operation_id
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.permissions.access import Access

GENERIC = "/api/v1/data/{name}"


def value_schema(field: FieldDef, *, writing: bool) -> dict[str, Any]:
    """Return the schema of a field's value, null allowed unless a write must give one."""
    made = dict(kind_of(field).schema(field, writing=writing))
    optional = not (field.required and writing)
    if optional and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    elif optional and "anyOf" in made:
        made["anyOf"] = [*made["anyOf"], {"type": "null"}]
    marks = {"readOnly": True} if field.readonly and not writing else {}
    return made | {"title": field.label} | marks


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
        n for n, f in fields.items() if f.required and f.default_value is None and not kind_of(f).generated
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
