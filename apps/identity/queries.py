"""Reads of identity for the doors: members, invitations, sessions, keys."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core.scope import TenantRef, current_scope, current_tenant
from apps.identity.grants import open_sessions
from apps.identity.models import ApiKey, Invitation, Membership, MembershipState, Role, Session, User


@dataclass(frozen=True)
class MemberOf:
    """One of a person's memberships, with the tenant's name and slug."""

    tenant_id: UUID
    slug: str
    name: str
    role: str
    joined: datetime


def members() -> QuerySet[Membership]:
    """Return the current tenant's memberships with their people, by name; all states."""
    rows = Membership.objects.select_related("user").filter(tenant=current_tenant().id)
    return rows.order_by("user__name", "user__email")


def active_members(tenant: TenantRef) -> int:
    """Count the people who may enter a tenant."""
    return Membership.objects.filter(tenant=tenant.id, state=MembershipState.ACTIVE).count()


def membership_of(user_id: UUID) -> Membership | None:
    """Return a person's membership in the current tenant, in any state."""
    return members().filter(user=user_id).first()


def people(ids: list[UUID]) -> dict[UUID, User]:
    """Return members of the current tenant by user id, for showing names beside records."""
    return {row.user_id: row.user for row in members().filter(user__in=ids)}


def names_of(ids: list[UUID]) -> dict[UUID, str]:
    """Return the names of people by user id, members or not; for those whom the tenant's ledger names anyway."""
    return {user.pk: str(user) for user in User.objects.filter(pk__in=ids)}


def open_invitations() -> QuerySet[Invitation]:
    """Return the current tenant's invitations that still wait for an answer, newest first."""
    rows = Invitation.objects.select_related("invited_by").filter(tenant=current_tenant().id)
    waiting = Q(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())
    return rows.filter(waiting).order_by("-created_at")


def sessions_of(user_id: UUID) -> QuerySet[Session]:
    """Return a person's open sessions that the scope in force can see, the last used first."""
    return Session.objects.filter(open_sessions(), user=user_id).order_by("-last_seen_at")


def keys_of(user_id: UUID | None = None) -> QuerySet[ApiKey]:
    """Return the current tenant's API keys that are not revoked, of one person or (None) of all."""
    rows = ApiKey.objects.select_related("user").filter(tenant=current_tenant().id, revoked_at=None)
    return (rows.filter(user=user_id) if user_id else rows).order_by("-created_at")


def places_of(user_id: UUID) -> list[MemberOf]:
    """Return the active memberships of a person that the scope in force can see."""
    rows = Membership.objects.select_related("tenant").filter(user=user_id, state=MembershipState.ACTIVE)
    return [
        MemberOf(row.tenant_id, row.tenant.slug, row.tenant.name, row.role, row.created_at)
        for row in rows.order_by("tenant__name")
    ]


def has_owner() -> bool:
    """Return whether anybody is in charge: an owner in a tenant's scope, an operator in the platform's."""
    scope = current_scope()
    if scope.tenant is None:
        return User.objects.filter(is_staff=True, is_active=True).exists()
    rows = Membership.objects.filter(tenant=scope.tenant.id, role=Role.OWNER)
    return rows.filter(state=MembershipState.ACTIVE).exists()
