"""The bodies of the better-auth dialect, made from identity's rows and values."""

from datetime import datetime
from typing import Any
from uuid import UUID

from apps.api.contract import TEXT, Schema, shape
from apps.core.canonical import instant
from apps.identity.models import Invitation, Membership, Session, User
from apps.identity.queries import MemberOf
from apps.tenants.queries import TenantSnapshot

NULL_TEXT: Schema = {"type": ["string", "null"]}
FLAG: Schema = {"type": "boolean"}
OK: Schema = shape(status=FLAG)
USER: Schema = shape(
    id=TEXT,
    name=TEXT,
    email=TEXT,
    emailVerified=FLAG,
    image=NULL_TEXT,
    createdAt=TEXT,
    updatedAt=TEXT,
    role=TEXT,
    banned=FLAG,
    banReason=NULL_TEXT,
    banExpires=NULL_TEXT,
    extra=True,
)


def stamp(value: datetime | None) -> str | None:
    """Return a moment as the protocol writes it, or None."""
    return instant(value) if value else None


def user_body(user: User) -> dict[str, Any]:
    """Return a person as better-auth shows them."""
    return {
        "id": str(user.id),
        "name": user.name,
        "email": user.email,
        "emailVerified": user.email_verified_at is not None,
        "image": None,
        "createdAt": stamp(user.created_at),
        "updatedAt": stamp(user.updated_at),
        "role": "admin" if user.is_staff else "user",
        "banned": not user.is_active,
        "banReason": None,
        "banExpires": None,
    }


def positions(user: User, role: str) -> list[str]:
    """Return the positions the protocol derives from operator's rank and membership."""
    ranks = ["platform_admin"] if user.is_staff else []
    return ranks + ([f"org_{role}"] if role else []) + ["everyone"]


def session_body(session: Session, *, token: str | None = None) -> dict[str, Any]:
    """Return a session. Tokens are stored as hashes, so another session is named by its id instead."""
    return {
        "id": str(session.id),
        "token": token or str(session.id),
        "userId": str(session.user_id),
        "expiresAt": stamp(session.expires_at),
        "createdAt": stamp(session.created_at),
        "updatedAt": stamp(session.last_seen_at),
        "ipAddress": session.ip or "",
        "userAgent": session.user_agent,
        "activeOrganizationId": _text(session.tenant_id),
        "activeTeamId": None,
        "impersonatedBy": None,
        "kind": session.kind,
        "host": session.host,
    }


def organization_body(tenant: TenantSnapshot, created_at: datetime) -> dict[str, Any]:
    """Return a tenant as an organization."""
    return {
        "id": str(tenant.id),
        "name": tenant.name,
        "slug": tenant.slug,
        "logo": tenant.logo or None,
        "createdAt": stamp(created_at),
        "metadata": None,
    }


def place_body(place: MemberOf) -> dict[str, Any]:
    """Return one of a person's tenants as an organization."""
    values = {"id": str(place.tenant_id), "name": place.name, "slug": place.slug, "logo": None}
    return values | {"createdAt": stamp(place.joined), "metadata": None, "role": place.role}


def member_body(member: Membership) -> dict[str, Any]:
    """Return a membership with its person."""
    user = member.user
    return {
        "id": str(member.id),
        "organizationId": str(member.tenant_id),
        "userId": str(member.user_id),
        "role": member.role,
        "state": member.state,
        "createdAt": stamp(member.created_at),
        "user": {"id": str(user.id), "name": user.name, "email": user.email, "image": None},
    }


def invitation_body(invitation: Invitation) -> dict[str, Any]:
    """Return an invitation, without the secret of its link."""
    return {
        "id": str(invitation.id),
        "organizationId": str(invitation.tenant_id),
        "email": invitation.email,
        "role": invitation.role,
        "teamId": None,
        "status": {"revoked": "canceled"}.get(invitation.status, invitation.status),
        "expiresAt": stamp(invitation.expires_at),
        "createdAt": stamp(invitation.created_at),
        "inviterId": _text(invitation.invited_by_id),
        "businessUnitId": None,
        "positions": None,
    }


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None
