"""Asking people into the current tenant. The link is mailed and also given to who invites, to pass on.

A page shows `read(token=...)`, then calls `accept` (name and password) or, for who is signed in with the
invited address, `accept_as`. Unknown, used, withdrawn and expired links are all refused in the same words.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.core.ids import uuid7
from apps.core.scope import TenantRef, current_tenant
from apps.identity import links, mails, passwords, rules, throttle
from apps.identity.confirmations import invalid, invitation_token
from apps.identity.models import Invitation, Membership, Role, User
from apps.identity.place import Place
from apps.identity.secrets import derived, digest
from apps.identity.services.members import checked_email, join, known_role, new_user, require_room
from apps.identity.services.sign_in import NOBODY, member, verify

DAYS = 7


@dataclass(frozen=True)
class Invited:
    """The invitation and its link, to be shown to who invited."""

    invitation: Invitation
    token: str
    link: str


@transaction.atomic
def invite(*, email: str, by: Actor, role: str = Role.MEMBER) -> Invited:
    """Invite an address; an open invitation of the same address is replaced."""
    tenant = current_tenant()
    rank = rules.require(rules.may_manage_members(by, tenant.id), by=by, action="member.invited")
    rules.require(rules.may_set_role(rank, old=None, new=known_role(role)), by=by, action="member.invited")
    account = checked_email(email)
    if Membership.objects.filter(tenant=tenant.id, user__email=account).exists():
        raise Conflict(_("This person is a member already."), code="ALREADY_MEMBER")
    require_room(tenant)
    for old in _open(tenant).select_for_update().filter(email=account):
        _close(old, by, reason="replaced")
    invitation = Invitation(
        id=uuid7(),
        tenant_id=tenant.id,
        email=account,
        role=role,
        invited_by_id=by.user_id,
        expires_at=timezone.now() + timedelta(days=DAYS),
    )
    token = derived("invitation", invitation.id)
    invitation.token_hash = digest(token)
    invitation.save(force_insert=True)
    ledger.record("member.invited", by=by, target=f"invitation:{invitation.id}", after={"role": str(role)})
    mails.send_later(
        "mail_invitation", by=by, title=_("Mail an invitation"), invitation_id=str(invitation.id)
    )
    return Invited(invitation, token, links.link(tenant, links.INVITATION, token))


@transaction.atomic
def revoke(*, invitation_id: UUID, by: Actor) -> None:
    """Withdraw an open invitation."""
    tenant = current_tenant()
    rules.require(rules.may_manage_members(by, tenant.id), by=by, action="invitation.revoked")
    invitation = _open(tenant).select_for_update().filter(pk=invitation_id).first()
    if invitation is None:
        raise NotFound(_("There is no such invitation."), code="RESOURCE_NOT_FOUND")
    _close(invitation, by, reason="withdrawn")


def link_of(*, invitation_id: UUID, by: Actor) -> str:
    """Return the link of an open invitation once more, for who manages members; looking is in the ledger."""
    tenant = current_tenant()
    target = f"invitation:{invitation_id}"
    rules.require(rules.may_manage_members(by, tenant.id), by=by, action="invitation.shown", target=target)
    invitation = _open(tenant).filter(pk=invitation_id).first()
    token = invitation_token(invitation) if invitation else None
    if token is None:
        raise NotFound(_("There is no such invitation."), code="RESOURCE_NOT_FOUND")
    ledger.record("invitation.shown", by=by, target=target)
    return links.link(tenant, links.INVITATION, token)


def read(*, token: str) -> Invitation:
    """Return the open invitation a link leads to; raise 400 INVALID_TOKEN for any other."""
    rows = _open(current_tenant()).select_related("tenant", "invited_by")
    invitation = rows.filter(token_hash=digest(token), expires_at__gt=timezone.now()).first()
    if invitation is None:
        raise invalid()
    return invitation


@transaction.atomic
def accept(*, token: str, password: str, place: Place, name: str = "") -> User:
    """Join as the invited address: with the password of its account, or as a new person with a new one.

    Raises 401 INVALID_EMAIL_OR_PASSWORD when the address has an account with another password. The caller
    signs the person in afterwards.
    """
    throttle.spend([throttle.Counter("invitation", place.ip or "", 30)])
    invitation = read(token=token)
    if User.objects.filter(email=invitation.email).exists():
        user = verify(email=invitation.email, password=password, place=place, anywhere=True)
    else:
        passwords.require_strong(password, user=User(email=invitation.email, name=name))
        user = new_user(email=invitation.email, name=name, password=password)
        ledger.record("user.created", by=NOBODY, target=f"user:{user.id}")
    _join(invitation, user)
    return user


@transaction.atomic
def accept_as(*, token: str, by: Actor) -> User:
    """Join as the person who is signed in; only the invited address may."""
    invitation = read(token=token)
    user = User.objects.filter(pk=by.user_id, is_active=True).first() if by.user_id else None
    if user is None or user.email != invitation.email:
        raise PermissionDenied(_("This invitation is for another address."))
    _join(invitation, user)
    return user


def _join(invitation: Invitation, user: User) -> None:
    tenant = current_tenant()
    locked = _open(tenant).select_for_update().filter(pk=invitation.pk).first()
    if locked is None:
        raise invalid()
    locked.accepted_at = timezone.now()
    locked.save(update_fields=["accepted_at"])
    join(user=user, role=locked.role, by=member(user, tenant), tenant=tenant)
    ledger.record("invitation.accepted", by=member(user, tenant), target=f"invitation:{locked.id}")


def _open(tenant: TenantRef) -> QuerySet[Invitation]:
    return Invitation.objects.filter(tenant=tenant.id, accepted_at=None, revoked_at=None)


def _close(invitation: Invitation, by: Actor, *, reason: str) -> None:
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at"])
    target = f"invitation:{invitation.id}"
    ledger.record("invitation.revoked", by=by, target=target, details={"reason": reason})
