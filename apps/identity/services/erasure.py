"""Erasing a person everywhere: the account is emptied, and every ledger loses the key to what it says of them."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.audit.privacy import erasure
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import Conflict, NotFound
from apps.core.ids import NIL
from apps.identity import rules
from apps.identity.models import ApiKey, Invitation, Membership, MembershipState, Role, Session, User
from apps.tenants.queries import refs


@transaction.atomic
def erase_person(*, user_id: UUID, by: Actor, reason: str) -> User:
    """Empty an account for good and destroy the person's keys in all ledgers; in the platform's scope, by a superuser.

    Memberships, sessions, keys and open invitations go; records keep the id as owner, which says nothing any
    more. All or nothing: a legal hold in any ledger, or a tenant that would lose its last owner, raises 409.
    """
    rules.require(rules.may_run_platform(by), by=by, action="user.erased")
    reason = erasure.checked_reason(reason)
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound(_("There is no such person."), code="RESOURCE_NOT_FOUND")
    if by.user_id == user.pk:
        raise Conflict(_("You cannot erase yourself."), code="INVALID_STATE")
    if user.is_staff:
        raise Conflict(
            _("This person is an operator."), code="INVALID_STATE", cure=_("Dismiss the operator first.")
        )
    _leave_tenants(user, by)
    ledgers = [NIL, *(ref.id for ref in refs())]
    erasure.erase_everywhere(f"user:{user.pk}", by=by, reason=reason, ledgers=ledgers)
    Invitation.objects.filter(email__iexact=user.email).delete()
    for model in (Session, ApiKey):
        model.objects.filter(user=user).delete()
    user.email, user.name = f"erased-{user.pk}@invalid", ""
    user.is_active, user.email_verified_at, user.last_login = False, None, None
    user.set_unusable_password()
    user.save()
    ledger.record("user.erased", by=by, target=f"user:{user.pk}", details={"reason": reason})
    bump(None)
    return user


def _leave_tenants(user: User, by: Actor) -> None:
    for membership in Membership.objects.select_for_update().filter(user=user):
        others = Membership.objects.filter(
            tenant=membership.tenant_id, role=Role.OWNER, state=MembershipState.ACTIVE
        ).exclude(pk=membership.pk)
        if membership.role == Role.OWNER and not others.exists():
            raise Conflict(
                _("This person is the last owner of a tenant."),
                code="LAST_OWNER",
                cure=_("Hand the tenant over to somebody else first."),
                details={"tenant": str(membership.tenant_id)},
            )
        before = {"role": membership.role, "state": membership.state}
        tenant_id = membership.tenant_id
        membership.delete()
        ledger.record(
            "member.removed",
            by=by,
            target=f"user:{user.pk}",
            before=before,
            details={"reason": "erased"},
            tenant=tenant_id,
        )
        bump(tenant_id)
