"""The only code that changes roles and teams, and who belongs to them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from apps.audit import ledger
from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import Conflict, FieldError, Invalid, NotFound
from apps.core.scope import current_tenant
from apps.permissions import granting
from apps.permissions.models import Group, GroupMember, Restriction, Share, SharingRule
from apps.permissions.principals import GROUP_NAME

Kind = Literal["role", "team"]
DEEPEST = 20


@transaction.atomic
def put_group(
    *,
    name: str,
    kind: Kind,
    label: str,
    by: Actor,
    parent: str | None = None,
    sets: Sequence[str] = (),
    inherits: bool = False,
) -> Group:
    """Create a role or team, or change the one of that name; its kind stays.

    Raises `Invalid` for a bad name, a parent of another kind and a circle, `PermissionDenied` for sets that go
    further than the actor's own.
    """
    access = granting.allowed(by, f"{kind}.changed", f"{kind}:{name}")
    found = Group.objects.select_for_update().filter(name=name).first()
    _check(name, kind, found)
    for held in sets:
        granting.within(by, access, granting.grant_named(held))
    above = _parent(name, kind, parent)
    for line in Group.objects.all() if inherits else ():
        for held in line.sets if line.kind == "role" and name in _line(line) else ():
            granting.within(by, access, granting.grant_named(held))
    before = _values(found) if found is not None else None
    made = found or Group(name=name, kind=kind)
    made.label, made.parent, made.sets, made.inherits = (
        label or name,
        above,
        list(dict.fromkeys(sets)),
        inherits,
    )
    after = _values(made)
    if before == after:
        return made
    made.save()
    granting.settle(kind, name, by=by, before=before, after=after)
    return made


@transaction.atomic
def delete_group(*, name: str, by: Actor) -> None:
    """Delete a role or team; one that others stand below, or that a rule or share names, is refused (409)."""
    group = find(name)
    granting.allowed(by, f"{group.kind}.deleted", f"{group.kind}:{name}")
    principal = f"{group.kind}:{name}"
    used = {
        "another role or team below it": Group.objects.filter(parent=group),
        "a sharing rule": SharingRule.objects.filter(principal=principal)
        | SharingRule.objects.filter(owners=principal),
        "a restriction": Restriction.objects.filter(principal=principal),
        "a share": Share.objects.filter(principal=principal),
    }
    for what, rows in used.items():
        if rows.exists():
            raise Conflict(f"{group.label} is still needed by {what}.", code="DELETE_RESTRICTED")
    before = _values(group)
    group.delete()
    granting.settle(group.kind, name, by=by, before=before, after=None)


@transaction.atomic
def join(
    *,
    name: str,
    user_id: UUID,
    by: Actor,
    valid_from: dt.datetime | None = None,
    valid_until: dt.datetime | None = None,
) -> bool:
    """Let a member belong to a role or team, for a time when one is said; False when they do so already."""
    group = find(name)
    access = granting.allowed(by, f"{group.kind}.joined", f"user:{user_id}")
    for held in {held for line in _giving(group) for held in line.sets}:
        granting.within(by, access, granting.grant_named(held))
    granting.require_member(user_id)
    valid_from, valid_until = granting.window(valid_from, valid_until)
    wanted = {"valid_from": valid_from, "valid_until": valid_until}
    found = GroupMember.objects.filter(group=group, user_id=user_id).first()
    if found is not None and (found.valid_from, found.valid_until) == (valid_from, valid_until):
        return False
    GroupMember.objects.update_or_create(group=group, user_id=user_id, defaults=wanted | {"added_by": by.id})
    times = {key: moment.isoformat() for key, moment in wanted.items() if moment is not None}
    after = {group.kind: name, **times}
    ledger.record(f"{group.kind}.joined", by=by, target=f"user:{user_id}", after=after)
    clock.bump(current_tenant().id)
    return True


@transaction.atomic
def leave(*, name: str, user_id: UUID, by: Actor) -> bool:
    """Let a member belong to a role or team no longer; False when they did not."""
    group = find(name)
    granting.allowed(by, f"{group.kind}.left", f"user:{user_id}")
    gone, _ = GroupMember.objects.filter(group=group, user_id=user_id).delete()
    if gone:
        ledger.record(f"{group.kind}.left", by=by, target=f"user:{user_id}", before={group.kind: name})
        clock.bump(current_tenant().id)
    return bool(gone)


def find(name: str) -> Group:
    """Return a role or team by name; raises RESOURCE_NOT_FOUND."""
    found = Group.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no role or team named {name}.", code="RESOURCE_NOT_FOUND")
    return found


def _check(name: str, kind: str, found: Group | None) -> None:
    errors = []
    if kind not in Group.Kind.values:
        errors.append(
            FieldError("kind", "invalid_option", "A group is a role or a team.", options=Group.Kind.values)
        )
    elif found is not None and found.kind != kind:
        errors.append(FieldError("name", "invalid_value", f"{name} is a {found.kind} already."))
    if not GROUP_NAME.fullmatch(name) or len(name) > 64:
        message = "A name has lower-case letters, digits and underscores."
        errors.append(FieldError("name", "invalid_format", message))
    if errors:
        raise Invalid(errors[0].message, errors)


def _parent(name: str, kind: str, parent: str | None) -> Group | None:
    """Return the parent; raises `Invalid` for one of another kind, or below the group itself."""
    if not parent:
        return None
    above = Group.objects.filter(name=parent, kind=kind).first()
    error = None
    if above is None:
        error = FieldError("parent", "reference_not_found", f"There is no {kind} named {parent}.")
    elif name in (line := _line(above)):
        error = FieldError("parent", "rule_violation", f"{parent} stands below {name} already.")
    elif len(line) >= DEEPEST:
        error = FieldError("parent", "rule_violation", f"At most {DEEPEST} levels stand above each other.")
    if error is not None:
        raise Invalid(error.message, [error])
    return above


def _line(group: Group) -> list[str]:
    """Return the names of the group and of those above it."""
    names: list[str] = []
    here: Group | None = group
    while here is not None and here.name not in names:
        names.append(here.name)
        here = here.parent
    return names


def _giving(group: Group) -> list[Group]:
    """Return the groups whose sets a member of this one holds."""
    others = Group.objects.exclude(pk=group.pk).filter(kind=group.kind)
    if group.kind == Group.Kind.TEAM:
        above = _line(group)
        return [group, *(other for other in others if other.name in above)]
    return [group, *(other for other in others if group.inherits and group.name in _line(other))]


def _values(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "kind": group.kind,
        "label": group.label,
        "parent": group.parent.name if group.parent else None,
        "sets": list(group.sets),
        "inherits": group.inherits,
    }
