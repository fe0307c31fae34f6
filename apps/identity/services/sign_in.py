"""Signing in with a password, on a page or as a program.

Pages call `enter` (or `welcome`, after another proof) and Django's `logout`; programs call `sign_in`. Both raise the same 401 INVALID_EMAIL_OR_PASSWORD for an unknown
address, a wrong password, a closed account and a person without a place here, after the same work; and 429
RATE_LIMIT_EXCEEDED with Retry-After. Refusals are in the ledger although the request is rolled back.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth import login
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.errors import Unauthenticated
from apps.core.scope import TenantRef, current_scope
from apps.identity import passwords, throttle
from apps.identity.models import Membership, MembershipState, Session, User, normalize_email
from apps.identity.place import Place, place_of, scope_at
from apps.identity.resolve import NOBODY
from apps.identity.secrets import digest
from apps.identity.services.sessions import Opened, member, open_session

__all__ = ["BACKEND", "NOBODY", "SignedIn", "enter", "member", "only_tenant", "sign_in", "verify", "welcome"]

BACKEND = "apps.identity.backend.OperatorBackend"
LATELY = timedelta(days=30)


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, with the session's row and its token (shown once)."""

    user: User
    session: Session
    token: str
    tenant: TenantRef | None


def enter(request: HttpRequest, *, email: str, password: str) -> User:
    """Sign a person in on a page: verifies, rotates the session and returns the user.

    Works in the page's scope. On a tenant's host members may enter, on the platform's own host operators.
    """
    place = place_of(request)
    user = verify(email=email, password=password, place=place, operators_only=place.tenant is None)
    welcome(request, user)
    return user


def welcome(request: HttpRequest, user: User) -> None:
    """Open the page's session for somebody who has just proved who they are (password, invitation's link).

    The key of the session changes. The browser is remembered as one of this person's: IdentityMiddleware
    sets the cookie on the answer.
    """
    place = place_of(request)
    login(request, user, backend=BACKEND)
    ledger.record(
        "session.started",
        by=member(user, place.tenant),
        target=f"user:{user.id}",
        details={"kind": Session.Kind.WEB.value, "host": place.host},
    )
    if not _is_device_of(user, place):
        request.remember_device_of = user.id  # type: ignore[attr-defined]


def sign_in(*, email: str, password: str, place: Place) -> SignedIn:
    """Open a program's session and return its opaque token.

    Opens its own scope. The session belongs to the tenant of the host, the one that X-Tenant names, or the
    person's only one; otherwise (operators, several memberships) to none, and X-Tenant chooses per request.
    """
    with scope_at(place.wanted, "sign-in on the platform's host"):
        user = verify(email=email, password=password, place=place)
        tenant = place.wanted or only_tenant(user)
        opened: Opened = open_session(user=user, place=place, tenant=tenant, kind=Session.Kind.API)
        return SignedIn(user, opened.session, opened.token, tenant)


def verify(
    *, email: str, password: str, place: Place, operators_only: bool = False, anywhere: bool = False
) -> User:
    """Return the person whose password this is and who has a place here; raise 401 or 429 otherwise.

    `anywhere` waives the place: for somebody who is about to get one.
    """
    account = normalize_email(email)
    user = User.objects.filter(email=account).first()
    device = place.device if user is not None and _is_device_of(user, place) else None
    known = device is not None or (user is not None and _was_here(user, place))
    subjects = throttle.counters(account=account, ip=place.ip, device=device, known=known)
    try:
        throttle.spend(subjects)
    except throttle.Throttled as refusal:
        if refusal.first:
            _denied("sign_in.blocked", user, account, reason=refusal.counter)
        raise
    right = _is_right(user, password)
    if user is None or not right or not (anywhere or _has_place(user, place, operators_only=operators_only)):
        _denied("sign_in.failed", user, account, reason="no place here" if right else "wrong password")
        raise Unauthenticated(_("Invalid email or password"), code="INVALID_EMAIL_OR_PASSWORD")
    throttle.forgive(subjects)
    return user


def only_tenant(user: User) -> TenantRef | None:
    """Return the tenant of a person who belongs to exactly one and is no operator."""
    rows = Membership.objects.filter(user=user, state=MembershipState.ACTIVE).select_related("tenant")[:2]
    places = [] if user.is_staff else list(rows)
    return places[0].tenant.ref if len(places) == 1 else None


def _is_right(user: User | None, password: str) -> bool:
    if user is None or not user.is_active or len(password) > passwords.LONGEST:
        passwords.spend(password)
        return False
    return user.check_password(password)


def _has_place(user: User, place: Place, *, operators_only: bool) -> bool:
    rows = Membership.objects.filter(user=user, state=MembershipState.ACTIVE)
    if operators_only:
        return user.is_staff
    if place.wanted is not None:
        return rows.filter(tenant=place.wanted.id).exists()
    return user.is_staff or rows.exists()


def _is_device_of(user: User, place: Place) -> bool:
    return bool(place.device) and str(place.device).partition(":")[0] == str(user.id)


def _was_here(user: User, place: Place) -> bool:
    since = timezone.now() - LATELY
    return bool(place.ip) and Session.objects.filter(user=user, ip=place.ip, created_at__gt=since).exists()


def _denied(action: str, user: User | None, account: str, *, reason: str) -> None:
    ledger.denied(
        action,
        by=NOBODY,
        reason=reason,
        target=f"user:{user.id}" if user else None,
        details=None if user else {"account_sha256": digest(account)},
        tenant=current_scope().tenant,
    )
