"""Who may grant what: the right to manage permissions, and never more than one holds oneself."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.audit import ledger
from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid, NotFound, PermissionDenied
from apps.core.scope import current_tenant
from apps.identity.models import Membership
from apps.permissions.access import Access, access_for
from apps.permissions.bodies import SetGrant, compiled
from apps.permissions.builtin import BUILT_IN
from apps.permissions.models import Group, PermissionSet
from apps.permissions.principals import EVERYONE, check, split
from apps.permissions.rights import Bits

PERMISSION = "manage_permissions"
WIDTHS = {"own": 0, "own_and_reports": 1, "unit": 1, "unit_and_below": 2, "org": 3}


def allowed(by: Actor, action: str, target: str | None = None) -> Access:
    """Return the rights of whoever may manage permissions; others are refused, and the ledger says so."""
    access = access_for(by)
    if not access.has_system(PERMISSION):
        reason = f"This needs the permission {PERMISSION}."
        ledger.denied(action, by=by, reason=reason, target=target)
        raise PermissionDenied(reason, details={"permission": PERMISSION})
    return access


def within(by: Actor, access: Access, wanted: SetGrant) -> None:
    """Refuse to hand out more than one holds oneself; operators and the platform may, administrators hold all."""
    held = access.grants.sets
    if by.kind in ("system", "operator") or any(item.full for item in held):
        return
    lacking = sorted(wanted.system - access.grants.system)
    if wanted not in held:
        lacking += [name for name in wanted.objects if _exceeds(wanted, held, name)]
    if wanted.full or lacking:
        what = ", ".join(lacking) or wanted.name
        raise PermissionDenied(f"Nobody can grant what they do not hold: {what}.")


def _exceeds(wanted: SetGrant, held: Iterable[SetGrant], name: str) -> bool:
    """Say whether a set goes further on an object than these: in bits, in depth, or past their policies."""
    own, depth = Bits.NONE, {"read": 0, "write": 0}
    for item in held:
        if any(policy.object in (name, "*") for policy in item.policies):
            continue
        own |= item.bits(name)
        scope = item.scope(name)
        depth = {
            "read": max(depth["read"], WIDTHS[scope.read]),
            "write": max(depth["write"], WIDTHS[scope.write]),
        }
    scope = wanted.scope(name)
    deeper = (WIDTHS[scope.read] > depth["read"] and not own & Bits.VIEW_ALL) or (
        WIDTHS[scope.write] > depth["write"] and not own & Bits.MODIFY_ALL
    )
    return bool(wanted.bits(name) & ~own) or deeper


def grant_named(name: str) -> SetGrant:
    """Return a set by name, compiled; raises RESOURCE_NOT_FOUND."""
    if name in BUILT_IN:
        return BUILT_IN[name].grant
    found = PermissionSet.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no permission set named {name}.", code="RESOURCE_NOT_FOUND")
    return compiled(name, found.body)


def require_member(user_id: UUID) -> None:
    """Raise `Invalid` unless somebody of that id is a member of the tenant in force."""
    if not Membership.objects.filter(tenant_id=current_tenant().id, user_id=user_id).exists():
        error = FieldError("user_id", "reference_not_found", "Nobody of that id is a member of this tenant.")
        raise Invalid(error.message, [error])


def require_principal(text: str) -> str:
    """Return a principal that means somebody here: a member, a role or a team; raises `Invalid`."""
    kind, name = split(check(text))
    if kind == "user":
        require_member(UUID(name))
    elif text != EVERYONE and not Group.objects.filter(kind=kind, name=name).exists():
        error = FieldError("recipient", "reference_not_found", f"There is no {kind} named {name}.")
        raise Invalid(error.message, [error])
    return text


def window(
    valid_from: dt.datetime | None, valid_until: dt.datetime | None
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Return the time of a grant; raises `Invalid` for one that is over before it begins, or already."""
    if valid_until is not None and valid_until <= (valid_from or timezone.now()):
        error = FieldError(
            "valid_until", "invalid_value", "The end lies before the beginning, or in the past."
        )
        raise Invalid(error.message, [error])
    return valid_from, valid_until


def settle(
    kind: str, name: str, *, by: Actor, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    """Write into the ledger that something named was created, updated or deleted, and let every process hear of it."""
    verb = "created" if before is None else "deleted" if after is None else "updated"
    ledger.record(f"{kind}.{verb}", by=by, target=f"{kind}:{name}", before=before, after=after)
    clock.bump(current_tenant().id)
