"""ObjectOS's permissions inside an object: `permission_sets` and `fields.*.permissions`.

They become permission set bodies of the protocol. ObjectOS has no owner rule: `allowRead: true` means every
record, a condition on the owner means one's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.objects.definitions import FieldDef
from apps.objects.parse.shape import BAD, Key, Reading, boolean, name, read_shape, text
from apps.objects.parse.tree import Spot

TESTS = "tests/objects/test_definitions.py::test_objectos_permissions"
HERE = "apps.objects.parse.grants:"
OWN = [
    {"field": field, "equals": me}
    for field in ("owner", "owner_id")
    for me in ("$currentUser.id", "{current_user_id}")
]


def _rule(reading: Reading, spot: Spot) -> Any:
    """Read true, false, or the one condition that can be enforced: the owner is the current user."""
    if isinstance(spot.value, bool):
        return spot.value
    if isinstance(spot.value, list) and len(spot.value) == 1:
        condition = spot.value[0].plain()
        if condition in OWN:
            return "own"
    cure = "Write true, false, or [{field: owner, equals: $currentUser.id}]."
    return reading.fail(spot, "unsupported", "This condition is not one that can be enforced.", cure)


SET_KEYS: Mapping[str, Key] = {
    "label": Key("label", text(120), "Title of the permission set.", HERE + "object_grants", TESTS),
    "allowRead": Key(
        "read", _rule, "Read records: true, false, or one's own.", HERE + "object_grants", TESTS
    ),
    "allowCreate": Key("create", boolean, "Make records.", HERE + "object_grants", TESTS),
    "allowEdit": Key(
        "edit", _rule, "Change records: true, false, or one's own.", HERE + "object_grants", TESTS
    ),
    "allowDelete": Key(
        "delete", _rule, "Delete records: true, false, or one's own.", HERE + "object_grants", TESTS
    ),
    "allowExport": Key("export", boolean, "Export records.", HERE + "object_grants", TESTS),
}


def object_grants(found: Mapping[str, Any]) -> dict[str, bool]:
    """Return the protocol's bits of one set for one object."""
    read, edit, delete = found.get("read", False), found.get("edit", False), found.get("delete", False)
    return {
        "allowRead": bool(read),
        "allowCreate": bool(found.get("create", False)),
        "allowEdit": bool(edit),
        "allowDelete": bool(delete),
        "allowExport": bool(found.get("export", False)),
        "viewAllRecords": read is True,
        "modifyAllRecords": True in (edit, delete) and "own" not in (edit, delete),
    }


def field_grants(object_name: str, fields: Iterable[FieldDef], set_name: str) -> dict[str, dict[str, bool]]:
    """Return the protocol's field entries of one set: only fields that limit who may see or edit them."""
    grants: dict[str, dict[str, bool]] = {}
    for field in fields:
        if field.visible_to is None and field.editable_by is None:
            continue
        readable = field.visible_to is None or set_name in field.visible_to
        editable = readable and (field.editable_by is None or set_name in field.editable_by)
        grants[f"{object_name}.{field.name}"] = {"readable": readable, "editable": editable}
    return grants


def read_sets(reading: Reading, spot: Spot, object_name: str, fields: Iterable[FieldDef]) -> dict[str, Any]:
    """Return name → permission set body of an object's `permission_sets`."""
    if not isinstance(spot.value, dict):
        reading.fail(spot, "invalid_type", "permission_sets maps names to rights.")
        return {}
    bodies: dict[str, Any] = {}
    fields = list(fields)
    for key, child in spot.value.items():
        if name()(reading, Spot(key, child.line, child.path)) is BAD:
            continue
        found = read_shape(reading, child, SET_KEYS)
        if {found.get("edit"), found.get("delete")} == {True, "own"}:
            message = "allowEdit and allowDelete must both cover all records, or both one's own."
            reading.fail(child, "unsupported", message)
        bodies[key] = {
            "name": key,
            "label": found.get("label", key.replace("_", " ").capitalize()),
            "objects": {object_name: object_grants(found)},
            "fields": field_grants(object_name, fields, key),
        }
    return bodies
