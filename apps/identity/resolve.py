"""The one resolver: from what a request shows to who it is, in which tenant.

A credential that belongs to a tenant is cached in the process and trusted only at the clocks it was read at,
so an end, a revocation or a suspension takes effect at the next scope entry of every process. A session that
belongs to no tenant (the platform's own host) is read each time.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import UUID

from django.db import connections
from django.http import HttpRequest
from django.utils import timezone

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.errors import PermissionDenied, Unauthenticated
from apps.core.ids import NIL
from apps.core.scope import Scope, TenantRef, scope_of, tenant_scope
from apps.identity import access_token, grants, seen
from apps.identity.credential import Shown, shown_by
from apps.identity.grants import Grant, Person
from apps.identity.place import Place, mismatch, place_of, scope_at

LOOK_UP = "look-up of a credential"
NOBODY = Actor(kind="system", id="anonymous", label="Anonymous")
SIZE = 20_000


@dataclass(frozen=True)
class Identity:
    """Who a request is. `tenant` is None for operators and for people who have not chosen one.

    `role` is the membership's; `from_cookie` tells that a browser sent it by itself, so that a change needs
    a CSRF check; `kind` is cookie, session, access or key. `clock` and `platform_clock` say when it was read.
    """

    actor: Actor
    user: Person
    tenant: TenantRef | None
    role: str
    kind: str
    credential_id: UUID
    expires_at: datetime | None
    from_cookie: bool
    clock: int = 0
    platform_clock: int = 0

    @property
    def user_id(self) -> UUID:
        return self.user.id


class _Cache:
    """Grants by (tenant, slot) with their clocks, and the tenant of each slot, which never changes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._grants: OrderedDict[str, tuple[int, int, Grant]] = OrderedDict()
        self._homes: OrderedDict[str, TenantRef] = OrderedDict()

    def grant(self, slot: str) -> tuple[int, int, Grant] | None:
        return self._grants.get(slot)

    def home(self, slot: str) -> TenantRef | None:
        return self._homes.get(slot)

    def keep(self, slot: str, scope: Scope, grant: Grant) -> None:
        with self._lock:
            self._grants[slot] = (scope.clock, scope.platform_clock, grant)
            while len(self._grants) > SIZE:
                self._grants.popitem(last=False)

    def keep_home(self, slot: str, tenant: TenantRef) -> None:
        with self._lock:
            self._homes[slot] = tenant
            while len(self._homes) > SIZE:
                self._homes.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._grants.clear()
            self._homes.clear()


cache = _Cache()


def identify(request: HttpRequest) -> Identity | None:
    """Return who sends the request; None for nobody, or for a cookie that gives nothing here.

    Works in the scope in force, or without one. Raises 401 for a header that gives nothing, 401 HOST_MISMATCH
    for a session of another host and 403 TENANT_MISMATCH when host, header and credential disagree.
    """
    shown = shown_by(request)
    if shown is None:
        return None
    if shown.kind == "cookie":
        try:
            return identify_at(place_of(request), shown)
        except Unauthenticated:
            return None
    return identify_at(place_of(request), shown)


def recall(request: HttpRequest) -> Identity | None:
    """Return who sends the request as this process last saw it, without a statement; None: ask `identify`.

    Whoever uses it must compare `clock` and `platform_clock` with those of the read that follows, and ask
    `identify` when either has moved.
    """
    shown = shown_by(request)
    if shown is None or request.META.get("HTTP_X_TENANT"):
        return None
    place = place_of(request)
    slot = grants.slot_of(shown)
    kept = cache.grant(slot)
    if kept is None or _expired(kept[2]) or seen.is_due(kept[2]):
        return None
    clock, platform_clock, grant = kept
    if grant.tenant is None or (place.tenant and place.tenant.id != grant.tenant.id):
        return None
    return _identity(grant, place, shown, clock, platform_clock) if _fits(grant, place, shown) else None


def identify_at(place: Place, shown: Shown) -> Identity | None:
    """Return who shows `shown` at `place`; see `identify`. Cookies of other hosts and tenants give None."""
    slot = grants.slot_of(shown)
    scope = scope_of()
    tenant = place.tenant or (scope.tenant if scope else None) or _home(slot, shown)
    found = _in_tenant(tenant, slot, shown) if tenant else _on_platform(shown)
    if found is None:
        _refuse(place, shown)
        return None
    clock, platform_clock, grant = found
    if not _fits(grant, place, shown):
        return None
    seen.touch(grant)
    return _identity(grant, place, shown, clock, platform_clock)


def _home(slot: str, shown: Shown) -> TenantRef | None:
    tenant = cache.home(slot)
    if tenant is None:
        with scope_at(None, LOOK_UP):
            _, tenant = grants.home_of(shown)
        if tenant is not None:
            cache.keep_home(slot, tenant)
    return tenant


def _in_tenant(tenant: TenantRef, slot: str, shown: Shown) -> tuple[int, int, Grant] | None:
    scope = scope_of()
    kept = cache.grant(slot)
    if kept is not None and kept[2].tenant is not None and kept[2].tenant.id == tenant.id:
        clocks = _clocks(tenant, scope)
        if clocks == kept[:2] and not _expired(kept[2]):
            return kept
    with scope_at(tenant, LOOK_UP):
        scope = scope_of()
        grant = grants.load(shown)
        if grant is None or scope is None:
            return None
        if not _moved(tenant):
            cache.keep(slot, scope, grant)
        return scope.clock, scope.platform_clock, grant


def _clocks(tenant: TenantRef, scope: Scope | None) -> tuple[int, int] | None:
    if _moved(tenant):
        return None
    if scope is None:
        read = fast.read(tenant, "SELECT 1")
        return read.clock, read.platform_clock
    if scope.tenant is not None:
        return scope.clock, scope.platform_clock
    with tenant_scope(tenant) as inner:
        return inner.clock, inner.platform_clock


def _moved(tenant: TenantRef) -> bool:
    """Tell whether this very transaction has moved a clock: what it reads is not committed yet."""
    moved: set[UUID] = getattr(connections["default"], "moved_clocks", set())
    return not moved.isdisjoint((tenant.id, NIL))


def _on_platform(shown: Shown) -> tuple[int, int, Grant] | None:
    with scope_at(None, LOOK_UP):
        grant = grants.load(shown)
    return (0, 0, grant) if grant else None


def _refuse(place: Place, shown: Shown) -> None:
    """Raise the refusal of a header, or return None for a cookie."""
    if shown.kind == "cookie":
        return
    if shown.kind == "access":
        claims = access_token.read(shown.secret)
        if place.wanted is not None and claims.tenant_id not in (None, place.wanted.id):
            raise _misused(place, shown, claims.tenant_id)
    elif place.tenant is not None and scope_of() is None:
        with scope_at(None, LOOK_UP):
            known, home = grants.home_of(shown)
        if known and (home is None or home.id != place.tenant.id):
            raise _misused(place, shown, home)
    if shown.kind == "key":
        raise Unauthenticated("This API key is unknown, expired or revoked.", code="INVALID_API_KEY")
    raise Unauthenticated("This token is unknown, expired or ended.", code="INVALID_TOKEN")


def _fits(grant: Grant, place: Place, shown: Shown) -> bool:
    """Tell whether the credential may be used at this place; raise for headers that may not."""
    here = place.wanted
    tenants_agree = grant.tenant is None or here is None or grant.tenant.id == here.id
    if grant.tenant is None and place.tenant is not None:
        tenants_agree = False
    if grant.tenant is None and place.named is not None and place.named.id not in grant.others:
        tenants_agree = False
    host_agrees = not grant.host or grant.host == place.host
    if tenants_agree and host_agrees:
        return shown.kind != "cookie" or grant.tenant is None or place.tenant is not None
    if shown.kind == "cookie":
        return False
    if not tenants_agree:
        raise _misused(place, shown, grant.tenant)
    raise Unauthenticated(
        "This session belongs to another host.", code="HOST_MISMATCH", cure="Use the host it was opened at."
    )


def _misused(place: Place, shown: Shown, home: TenantRef | UUID | None) -> PermissionDenied:
    """Note in the credential's own ledger, once a minute, that it was shown where it gives nothing."""
    refusal = mismatch()
    if seen.first(f"misused:{grants.slot_of(shown)}"):
        details = {"kind": shown.kind, "host": place.host}
        ledger.denied("credential.refused", by=NOBODY, reason=refusal.code, details=details, tenant=home)
    return refusal


def _expired(grant: Grant) -> bool:
    return grant.expires_at is not None and grant.expires_at <= timezone.now()


def _identity(grant: Grant, place: Place, shown: Shown, clock: int, platform_clock: int) -> Identity:
    tenant, role = grant.tenant, grant.role
    if tenant is None and place.named is not None:
        tenant, role = grant.others[place.named.id]
    elif tenant is None and len(grant.others) == 1 and shown.kind != "cookie" and not grant.person.is_staff:
        tenant, role = next(iter(grant.others.values()))
    expires_at = grant.expires_at
    if shown.kind == "access":
        expires_at = access_token.read(shown.secret).expires_at
    return Identity(
        actor=actor_of(grant, tenant, role),
        user=grant.person,
        tenant=tenant,
        role=role,
        kind=grant.kind,
        credential_id=grant.credential_id,
        expires_at=expires_at,
        from_cookie=shown.kind == "cookie",
        clock=clock,
        platform_clock=platform_clock,
    )


def actor_of(grant: Grant, tenant: TenantRef | None, role: str) -> Actor:
    """Return the actor a credential stands for: a key, a member, or an operator where no tenant is meant."""
    common: dict[str, Any] = {"tenant_id": tenant.id if tenant else None, "user_id": grant.person.id}
    common |= {"via": f"{grant.kind}:{grant.credential_id}", "scopes": grant.scopes, "role": role or None}
    if grant.kind == "key":
        return Actor(kind="api_key", id=str(grant.credential_id), label=grant.person.label, **common)
    if tenant is None and grant.person.is_staff:
        return Actor(kind="operator", id=str(grant.person.id), label=grant.person.label, **common)
    return Actor(kind="member", id=str(grant.person.id), label=grant.person.label, **common)
