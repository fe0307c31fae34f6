"""Access and refresh tokens: a family starts with a password, each refresh replaces the token before it.

A refresh token works once. Shown a second time it was stolen from one side or the other, so the whole family
ends. All three functions open their own scope, because an ended family must survive the refused request.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.errors import Unauthenticated
from apps.core.scope import TenantRef
from apps.identity import access_token
from apps.identity.grants import open_sessions
from apps.identity.models import Membership, MembershipState, RefreshToken, Session, User
from apps.identity.place import Place, mismatch, scope_at
from apps.identity.secrets import digest, new_token
from apps.identity.services.sessions import end_session, open_session
from apps.identity.services.sign_in import member, only_tenant, verify

LOOK_UP = "look-up of a refresh token"


@dataclass(frozen=True)
class Pair:
    """A signed access token for `expires_in` seconds and the one refresh token that follows it."""

    access: str
    refresh: str
    expires_in: int
    tenant: TenantRef | None
    user: User


def issue(*, email: str, password: str, place: Place) -> Pair:
    """Start a family for a person who proves who they are; refusals as in `sign_in`."""
    with scope_at(place.wanted, "sign-in on the platform's host"):
        user = verify(email=email, password=password, place=place)
        tenant = place.wanted or only_tenant(user)
        session = open_session(user=user, place=place, tenant=tenant, kind=Session.Kind.TOKEN).session
        return _pair(session, user, tenant)


def refresh(*, token: str, place: Place) -> Pair:
    """Trade a refresh token for a new pair.

    Raises 401 INVALID_TOKEN for one that is unknown here, expired or ended, 401 TOKEN_REUSED (the family is
    over then) and 403 TENANT_MISMATCH when X-Tenant names another tenant.
    """
    tenant = _home(token, place)
    with scope_at(tenant, LOOK_UP):
        answer = _rotate(token, tenant)
    if isinstance(answer, Unauthenticated):
        raise answer
    return answer


def revoke(*, token: str, place: Place) -> None:
    """End the family of a refresh token; an unknown one is not an error (RFC 7009)."""
    tenant = _home(token, place)
    with scope_at(tenant, LOOK_UP):
        row = _find(token)
        if row is None or row.session.ended_at is not None or row.session.user is None:
            return
        end_session(session_id=row.session_id, by=member(row.session.user, tenant))


def _home(token: str, place: Place) -> TenantRef | None:
    if place.tenant is not None:
        return place.tenant
    with scope_at(None, LOOK_UP):
        row = RefreshToken.objects.select_related("tenant").filter(token_hash=digest(token)).first()
    tenant = row.tenant.ref if row and row.tenant else None
    if row is not None and place.named is not None and (tenant is None or tenant.id != place.named.id):
        raise mismatch()
    return tenant


def _find(token: str) -> RefreshToken | None:
    rows = RefreshToken.objects.select_for_update(of=("self", "session")).select_related("session__user")
    return rows.filter(token_hash=digest(token)).first()


@transaction.atomic
def _rotate(token: str, tenant: TenantRef | None) -> Pair | Unauthenticated:
    now = timezone.now()
    row = _find(token)
    refused = Unauthenticated(_("This refresh token is unknown, expired or ended."), code="INVALID_TOKEN")
    if row is None or row.session.user is None:
        return refused
    user = row.session.user
    if row.used_at is not None:
        return _reused(row, user, tenant)
    if not _holds(row, user, tenant, now):
        return refused
    row.used_at = now
    row.save(update_fields=["used_at"])
    Session.objects.filter(pk=row.session_id).update(last_seen_at=now)
    ledger.record(
        "token.refreshed", by=member(user, tenant), target=f"session:{row.session_id}", tenant=tenant
    )
    return _pair(row.session, user, tenant)


def _holds(row: RefreshToken, user: User, tenant: TenantRef | None, now: datetime) -> bool:
    if row.expires_at <= now or not Session.objects.filter(open_sessions(), pk=row.session_id).exists():
        return False
    places = Membership.objects.filter(user=user, state=MembershipState.ACTIVE)
    return tenant is None or places.filter(tenant=tenant.id).exists()


def _reused(row: RefreshToken, user: User, tenant: TenantRef | None) -> Unauthenticated:
    ledger.record(
        "token.reused",
        by=member(user, tenant),
        target=f"session:{row.session_id}",
        details={"outcome": "denied", "first_used_at": row.used_at},
        tenant=tenant,
    )
    if row.session.ended_at is None:
        end_session(session_id=row.session_id, by=member(user, tenant))
    return Unauthenticated(
        _("This refresh token was used before; its whole family is over."),
        code="TOKEN_REUSED",
        cure=_("Sign in again."),
    )


def _pair(session: Session, user: User, tenant: TenantRef | None) -> Pair:
    now, token = timezone.now(), new_token()
    RefreshToken.objects.create(
        tenant_id=tenant.id if tenant else None,
        session=session,
        token_hash=digest(token),
        expires_at=session.expires_at,
    )
    tenant_id = tenant.id if tenant else None
    access = access_token.sign(user_id=user.id, family=session.id, tenant_id=tenant_id, now=now)
    return Pair(access, token, int(access_token.lifetime().total_seconds()), tenant, user)
