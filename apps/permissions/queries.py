"""What others may ask about permission sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.actor import Actor
from apps.permissions.access import access_for
from apps.permissions.builtin import BUILT_IN
from apps.permissions.models import Assignment, PermissionSet
from apps.permissions.rights import KEYS, ObjectRights


@dataclass(frozen=True)
class SetView:
    """A permission set as lists show it; `module` is empty for the tenant's own, `built_in` cannot change."""

    name: str
    label: str
    description: str
    module: str
    body: dict[str, Any]
    built_in: bool = False


def permission_sets() -> list[SetView]:
    """Return all sets of the tenant in force: the built-in ones, then the rest by name."""
    own = [SetView(s.name, s.label, s.description, s.module, s.body) for s in PermissionSet.objects.all()]
    return [SetView(b.name, b.label, b.description, "", dict(b.body), True) for b in BUILT_IN.values()] + own


def find_set(name: str) -> SetView | None:
    """Return one set by name, or None."""
    return next((item for item in permission_sets() if item.name == name), None)


def assignments() -> dict[UUID, list[str]]:
    """Return who holds which sets by assignment (roles not counted)."""
    held: dict[UUID, list[str]] = {}
    for user_id, name in Assignment.objects.order_by("set_name").values_list("user_id", "set_name"):
        held.setdefault(user_id, []).append(name)
    return held


def effective(actor: Actor, objects: Sequence[ObjectRights]) -> dict[str, Any]:
    """Return the actor's rights as `GET /auth/me/permissions` shows them."""
    access = access_for(actor)
    rights = {obj.name: access.grants.on(obj) for obj in objects}
    withheld = {
        f"{obj.name}.{name}": {
            "readable": name in rights[obj.name].readable,
            "editable": name in rights[obj.name].editable,
        }
        for obj in objects
        for name in obj.all_fields
        if name not in rights[obj.name].editable
    }
    return {
        "permissionSets": [item.name for item in access.grants.sets],
        "objects": {
            name: {key: bool(found.bits & bit) for key, bit in KEYS.items()} for name, found in rights.items()
        },
        "fields": withheld,
        "systemPermissions": sorted(access.grants.system),
    }
