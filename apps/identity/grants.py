"""What a stored credential gives, read from its row together with the person and the membership behind it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from apps.core.scope import TenantRef, current_scope
from apps.identity import access_token
from apps.identity.credential import KEY_MARK, Shown
from apps.identity.models import ApiKey, Membership, MembershipState, Session, User
from apps.identity.secrets import digest, same

KINDS = {"cookie": Session.Kind.WEB, "session": Session.Kind.API, "access": Session.Kind.TOKEN}


@dataclass(frozen=True)
class Person:
    """The user behind a credential, as a value."""

    id: UUID
    email: str
    name: str
    locale: str
    time_zone: str
    is_staff: bool
    is_superuser: bool

    @property
    def label(self) -> str:
        return self.name or self.email


@dataclass(frozen=True)
class Grant:
    """A credential that held when it was read. `role` is empty without a membership in `tenant`."""

    kind: str
    credential_id: UUID
    person: Person
    tenant: TenantRef | None
    role: str = ""
    host: str = ""
    expires_at: datetime | None = None
    scopes: frozenset[str] | None = None
    others: dict[UUID, tuple[TenantRef, str]] = field(default_factory=dict)


def idle_limit() -> timedelta:
    """Return how long a session may lie unused."""
    return timedelta(days=settings.SESSION_IDLE_DAYS)


def slot_of(shown: Shown) -> str:
    """Return the name under which a credential is cached: never the secret itself."""
    if shown.kind == "access":
        return f"access:{access_token.read(shown.secret).family}"
    return f"{shown.kind}:{digest(shown.secret)}"


def open_sessions() -> Q:
    """Return the condition of a session that still holds now, whoever uses it."""
    now = timezone.now()
    valid_from = F("user__sessions_valid_from")
    return (
        Q(ended_at=None, expires_at__gt=now, last_seen_at__gt=now - idle_limit(), user__is_active=True)
    ) & (Q(user__sessions_valid_from=None) | Q(renewed_at__gte=valid_from))


def home_of(shown: Shown) -> tuple[bool, TenantRef | None]:
    """Return (known, tenant) of a credential; its tenant never changes. Needs the platform's scope."""
    row = _row(shown, select=("tenant",))
    return (row is not None, row.tenant.ref if row and row.tenant else None)


def load(shown: Shown) -> Grant | None:
    """Return what the credential gives in the scope in force, None when it gives nothing (any more)."""
    row = _row(shown, select=("user", "tenant"))
    if row is None or row.user is None:
        return None
    person = _person(row.user)
    tenant = row.tenant.ref if row.tenant else None
    scope = current_scope()
    if scope.tenant is not None and (tenant is None or tenant.id != scope.tenant.id):
        return None
    memberships = _memberships(person.id, tenant)
    if tenant is not None and tenant.id not in memberships:
        return None
    expires = row.expires_at
    return Grant(
        kind=shown.kind,
        credential_id=row.id,
        person=person,
        tenant=tenant,
        role=memberships[tenant.id][1] if tenant else "",
        host=row.host if isinstance(row, Session) else "",
        expires_at=expires,
        scopes=frozenset(row.scopes) if isinstance(row, ApiKey) else None,
        others={} if tenant else memberships,
    )


def _row(shown: Shown, *, select: tuple[str, ...]) -> Session | ApiKey | None:
    if shown.kind == "key":
        return _key(shown.secret, select)
    rows = Session.objects.select_related(*select).filter(open_sessions(), kind=KINDS[shown.kind])
    if shown.kind == "access":
        claims = access_token.read(shown.secret)
        return rows.filter(id=claims.family, user=claims.user_id, tenant=claims.tenant_id).first()
    return rows.filter(token_hash=digest(shown.secret)).first()


def _key(secret: str, select: tuple[str, ...]) -> ApiKey | None:
    prefix = secret.removeprefix(KEY_MARK).partition("_")[0]
    fresh = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    rows = ApiKey.objects.select_related(*select).filter(fresh, revoked_at=None, user__is_active=True)
    key = rows.filter(prefix=prefix).first()
    return key if key and same(key.secret_hash, digest(secret)) else None


def _person(user: User) -> Person:
    return Person(
        user.id, user.email, user.name, user.locale, user.time_zone, user.is_staff, user.is_superuser
    )


def _memberships(user_id: UUID, tenant: TenantRef | None) -> dict[UUID, tuple[TenantRef, str]]:
    rows = Membership.objects.filter(user=user_id, state=MembershipState.ACTIVE).select_related("tenant")
    if tenant is not None:
        rows = rows.filter(tenant=tenant.id)
    return {row.tenant_id: (row.tenant.ref, row.role) for row in rows}
