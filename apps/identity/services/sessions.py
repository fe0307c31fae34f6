"""Opening and ending sessions. Ending takes effect at the next request of every process."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import NotFound
from apps.core.scope import TenantRef, current_scope
from apps.identity import rules
from apps.identity.models import Session, User
from apps.identity.place import Place
from apps.identity.secrets import digest, new_token


@dataclass(frozen=True)
class Opened:
    """A new session and its token, which is stored only as a hash."""

    session: Session
    token: str


@transaction.atomic
def open_session(*, user: User, place: Place, tenant: TenantRef | None, kind: Session.Kind) -> Opened:
    """Open a session for somebody who has just proved who they are."""
    now, token = timezone.now(), new_token()
    session = Session.objects.create(
        token_hash=digest(token),
        kind=kind,
        tenant_id=tenant.id if tenant else None,
        user=user,
        host="" if kind == Session.Kind.TOKEN else place.host,
        ip=place.ip,
        user_agent=place.user_agent,
        renewed_at=now,
        last_seen_at=now,
        expires_at=now + timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )
    User.objects.filter(pk=user.pk).update(last_login=now)
    ledger.record(
        "session.started",
        by=member(user, tenant),
        target=f"session:{session.id}",
        details={"kind": kind.value, "host": session.host},
        tenant=tenant,
    )
    return Opened(session, token)


def member(user: User, tenant: TenantRef | None) -> Actor:
    """Return the actor of a person who has proved who they are."""
    return Actor(
        kind="operator" if tenant is None and user.is_staff else "member",
        id=str(user.id),
        label=str(user),
        user_id=user.id,
        tenant_id=tenant.id if tenant else None,
    )


@transaction.atomic
def end_session(*, session_id: UUID, by: Actor) -> None:
    """End one of the caller's sessions, or, for who manages the members, one of theirs. 404 for any other."""
    session = Session.objects.filter(pk=session_id, ended_at=None).exclude(user=None).first()
    if session is None or not _may_end(session, by):
        raise NotFound("There is no such session.", code="RESOURCE_NOT_FOUND")
    _end([session], by=by, reason="ended")


@transaction.atomic
def end_sessions(*, user_id: UUID, by: Actor, but: UUID | None = None, reason: str = "ended") -> int:
    """End a person's sessions that the scope can see, `but` one; return how many there were.

    Own sessions by anybody; another person's by who manages the members here.
    """
    if by.user_id != user_id and by.kind != "system":
        tenant = current_scope().tenant
        if tenant is not None:
            rules.require(rules.may_manage_members(by, tenant.id), by=by, action="session.ended")
        elif by.kind != "operator":
            rules.refuse("Only operators may do this.", by=by, action="session.ended")
    return _end(_open(user_id, but), by=by, reason=reason)


@transaction.atomic
def end_everywhere(*, user: User, by: Actor, keep: UUID | None = None, reason: str) -> datetime:
    """End all sessions of a person in every tenant, but `keep`; return the moment. Own ones, or by a superuser.

    The walls hide other tenants' sessions from this scope, so the person's own row carries the moment before
    which no session counts; `keep` is renewed to it.
    """
    if by.user_id != user.pk:
        rules.require(rules.may_run_platform(by), by=by, action="session.ended", target=f"user:{user.pk}")
    now = timezone.now()
    User.objects.filter(pk=user.pk).update(sessions_valid_from=now)
    user.sessions_valid_from = now
    if keep is not None:
        Session.objects.filter(pk=keep, user=user).update(renewed_at=now)
    _end(_open(user.pk, keep), by=by, reason=reason)
    bump(None)
    return now


def _open(user_id: UUID, but: UUID | None) -> QuerySet[Session]:
    rows = Session.objects.filter(user=user_id, ended_at=None)
    return rows.exclude(pk=but) if but else rows


def _may_end(session: Session, by: Actor) -> bool:
    if session.user_id == by.user_id:
        return True
    if session.tenant_id is None:
        return by.kind in ("operator", "system")
    return bool(rules.may_manage_members(by, session.tenant_id))


def _end(sessions: Iterable[Session], *, by: Actor, reason: str) -> int:
    now, count = timezone.now(), 0
    for session in sessions:
        session.ended_at, session.ended_reason, session.data = now, reason[:32], ""
        session.save(update_fields=["ended_at", "ended_reason", "data"])
        ledger.record(
            "session.ended",
            by=by,
            target=f"session:{session.id}",
            details={"reason": reason, "user": str(session.user_id)},
            tenant=session.tenant_id,
        )
        bump(session.tenant_id)
        count += 1
    return count
