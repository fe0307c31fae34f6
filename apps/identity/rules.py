"""Who may manage whom: the few rights that come from a membership's role, not from permission sets."""

from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from django.utils.translation import gettext as _
from guardian.shortcuts import get_objects_for_user

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import PermissionDenied
from apps.identity.models import Membership, MembershipState, Role, User
from apps.tenants.models import Tenant

OPERATE = "tenants.operate_tenant"
SCOPES = frozenset({"*", "members:*", "members:write"})


@dataclass(frozen=True)
class Allowed:
    """Yes; `role` is the rank with which the actor acts."""

    role: Role

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True)
class Denied:
    """No, and why."""

    reason: str

    def __bool__(self) -> bool:
        return False


Answer = Allowed | Denied


def may_operate(user: User, tenant_id: UUID) -> Answer:
    """Tell whether an operator may act on a tenant: superusers on all, others on those granted to them."""
    if not (user.is_active and user.is_staff):
        return Denied(_("Only operators may do this."))
    if user.is_superuser:
        return Allowed(Role.OWNER)
    granted = get_objects_for_user(user, OPERATE, Tenant, accept_global_perms=False)
    return Allowed(Role.OWNER) if granted.filter(pk=tenant_id).exists() else Denied(_("Not granted to you."))


def may_manage_members(by: Actor, tenant_id: UUID) -> Answer:
    """Tell whether `by` may manage the members of a tenant; the role is read anew, not taken from the actor."""
    if by.kind == "system":
        return Allowed(Role.OWNER)
    if by.scopes is not None and not by.scopes & SCOPES:
        return Denied(_("This key lacks the scope members:write."))
    user = User.objects.filter(pk=by.user_id, is_active=True).first() if by.user_id else None
    if user is None:
        return Denied(_("Only members may manage members."))
    if by.kind == "operator":
        return may_operate(user, tenant_id)
    place = Membership.objects.filter(tenant=tenant_id, user=user, state=MembershipState.ACTIVE).first()
    if place is None or place.role == Role.MEMBER:
        return Denied(_("Only owners and administrators may manage members."))
    return Allowed(Role(place.role))


def may_run_platform(by: Actor) -> Answer:
    """Tell whether `by` may change people and operators as such: superusers of the platform and the system."""
    if by.kind == "system":
        return Allowed(Role.OWNER)
    superusers = User.objects.filter(is_active=True, is_staff=True, is_superuser=True)
    if by.kind != "operator" or by.user_id is None or not superusers.filter(pk=by.user_id).exists():
        return Denied(_("Only a superuser of the platform may do this."))
    return Allowed(Role.OWNER)


def may_set_role(rank: Role, *, old: str | None, new: str | None) -> Answer:
    """Tell whether somebody of `rank` may move a member from role `old` to `new` (None: not a member)."""
    if rank != Role.OWNER and Role.OWNER in (old, new):
        return Denied(_("Only an owner may make or change an owner."))
    return Allowed(rank)


def require(answer: Answer, *, by: Actor, action: str, target: str | None = None) -> Role:
    """Return the rank of an allowed actor; write a refusal into the ledger and raise 403."""
    if isinstance(answer, Denied):
        refuse(answer.reason, by=by, action=action, target=target)
    return answer.role


def refuse(reason: str, *, by: Actor, action: str, target: str | None = None) -> NoReturn:
    """Write the refusal of `action` into the ledger and raise 403."""
    ledger.denied(action, by=by, reason=reason, target=target)
    raise PermissionDenied(reason)
