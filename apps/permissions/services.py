"""The only code that changes permission sets and who holds them."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit import ledger
from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import Conflict, FieldError, Invalid, NotFound
from apps.core.scope import current_tenant
from apps.permissions import bodies, conditions, granting, known, policies
from apps.permissions.builtin import BUILT_IN
from apps.permissions.models import Assignment, Group, PermissionSet

LABELS = frozenset({"name", "label", "description", "isDefault"})


@transaction.atomic
def create_set(
    *, name: str, label: str, body: Mapping[str, Any], by: Actor, description: str = "", module: str = ""
) -> PermissionSet:
    """Create a permission set; raises `Invalid` for a bad body and `Conflict` for a taken name."""
    access = granting.allowed(by, "permission_set.changed")
    _check_name(name)
    kept = _judged(body)
    if name in BUILT_IN or PermissionSet.objects.filter(name=name).exists():
        raise Conflict(f"A permission set named {name} exists already.", code="UNIQUE_VIOLATION")
    granting.within(by, access, bodies.compiled(name, kept))
    made = PermissionSet.objects.create(
        name=name, label=label, description=description, module=module, body=kept
    )
    ledger.record("permission_set.created", by=by, target=f"permission_set:{name}", after=_values(made))
    clock.bump(current_tenant().id)
    return made


@transaction.atomic
def update_set(
    *,
    name: str,
    by: Actor,
    body: Mapping[str, Any] | None = None,
    label: str | None = None,
    description: str | None = None,
) -> PermissionSet:
    """Change a permission set; what is None stays. Built-in sets are refused."""
    access = granting.allowed(by, "permission_set.changed")
    found = _find(name)
    before = _values(found)
    if body is not None:
        found.body = _judged(body)
        granting.within(by, access, bodies.compiled(name, found.body))
    found.label = found.label if label is None else label
    found.description = found.description if description is None else description
    found.save()
    ledger.record(
        "permission_set.updated", by=by, target=f"permission_set:{name}", before=before, after=_values(found)
    )
    clock.bump(current_tenant().id)
    return found


def put_set(
    *, name: str, label: str, body: Mapping[str, Any], module: str, by: Actor, description: str = ""
) -> str:
    """Create or update a module's set; returns created, updated or unchanged. Another's set is refused."""
    found = PermissionSet.objects.filter(name=name).first()
    if found is None:
        create_set(name=name, label=label, body=body, by=by, description=description, module=module)
        return "created"
    if found.module != module:
        owner = f"the module {found.module}" if found.module else "the tenant"
        raise Conflict(f"The permission set {name} belongs to {owner}.")
    if (found.label, found.description, found.body) == (label, description, bodies.check(body)):
        return "unchanged"
    update_set(name=name, label=label, body=body, description=description, by=by)
    return "updated"


def put_declared(declared: Mapping[str, Any], *, module: str, by: Actor) -> str:
    """Create or update the set that a file or an object declares: `{name, label, objects, fields, …}`."""
    body = {key: value for key, value in declared.items() if key not in LABELS}
    label = str(declared.get("label") or declared["name"])
    about = str(declared.get("description") or "")
    return put_set(name=declared["name"], label=label, body=body, module=module, by=by, description=about)


@transaction.atomic
def delete_set(*, name: str, by: Actor) -> None:
    """Delete a permission set and whoever's hold on it, through roles and teams too."""
    granting.allowed(by, "permission_set.changed")
    found = _find(name)
    before = _values(found)
    Assignment.objects.filter(set_name=name).delete()
    for group in Group.objects.filter(sets__contains=[name]):
        group.sets = [held for held in group.sets if held != name]
        group.save(update_fields=["sets"])
    found.delete()
    ledger.record("permission_set.deleted", by=by, target=f"permission_set:{name}", before=before)
    clock.bump(current_tenant().id)


@transaction.atomic
def assign(
    *,
    user_id: UUID,
    name: str,
    by: Actor,
    valid_from: dt.datetime | None = None,
    valid_until: dt.datetime | None = None,
    reason: str = "",
) -> bool:
    """Give a member a set, for a time when one is said; returns False when they held it so already."""
    access = granting.allowed(by, "permission_set.assigned", f"user:{user_id}")
    granting.within(by, access, granting.grant_named(name))
    granting.require_member(user_id)
    valid_from, valid_until = granting.window(valid_from, valid_until)
    wanted: dict[str, Any] = {"valid_from": valid_from, "valid_until": valid_until}
    found = Assignment.objects.filter(user_id=user_id, set_name=name).first()
    if found is not None and (found.valid_from, found.valid_until) == (valid_from, valid_until):
        return False
    said = wanted | {"reason": reason, "assigned_by": by.id, "emergency": False}
    Assignment.objects.update_or_create(user_id=user_id, set_name=name, defaults=said)
    times = {key: moment.isoformat() for key, moment in wanted.items() if moment is not None}
    told = {"permission_set": name, **times, **({"reason": reason} if reason else {})}
    ledger.record("permission_set.assigned", by=by, target=f"user:{user_id}", after=told)
    clock.bump(current_tenant().id)
    return True


@transaction.atomic
def unassign(*, user_id: UUID, name: str, by: Actor) -> bool:
    """Take a set from a member; returns False when they did not hold it."""
    granting.allowed(by, "permission_set.changed")
    gone, _ = Assignment.objects.filter(user_id=user_id, set_name=name).delete()
    if gone:
        ledger.record(
            "permission_set.unassigned", by=by, target=f"user:{user_id}", before={"permission_set": name}
        )
        clock.bump(current_tenant().id)
    return bool(gone)


def _judged(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body in its kept form; raises `Invalid` also for a condition that has no rule over its object."""
    kept = bodies.check(body)
    errors: list[FieldError] = []
    for index, entry in enumerate(kept.get("rowLevelSecurity", ())):
        obj = known.find(entry["object"])
        for key in ("using", "check"):
            condition = policies.condition(entry.get(key))
            path = f"rowLevelSecurity.{index}.{key}"
            errors += conditions.problems(path, condition, None if obj is None else obj.all_fields)
    if errors:
        raise Invalid("The permission set is not valid.", errors)
    return kept


def _find(name: str) -> PermissionSet:
    if name in BUILT_IN:
        raise Conflict(f"The built-in set {name} cannot be changed.", code="INVALID_STATE")
    found = PermissionSet.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no permission set named {name}.", code="RESOURCE_NOT_FOUND")
    return found


def _check_name(name: str) -> None:
    if not bodies.OBJECT.fullmatch(name) or len(name) > 64:
        error = FieldError("name", "invalid_format", "A name has lower-case letters, digits and underscores.")
        raise Invalid(error.message, [error])


def _values(found: PermissionSet) -> dict[str, Any]:
    return {
        "name": found.name,
        "label": found.label,
        "description": found.description,
        "module": found.module,
        "body": found.body,
    }
