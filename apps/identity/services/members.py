"""Who belongs to the current tenant, and as what. A tenant always keeps at least one active owner."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.audit.privacy import erasure
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import Conflict, FieldError, Invalid, NotFound
from apps.core.scope import TenantRef, current_tenant
from apps.identity import passwords, rules
from apps.identity.models import Membership, MembershipState, Role, User, normalize_email
from apps.identity.services.keys import revoke_keys_of
from apps.identity.services.sessions import end_sessions
from apps.tenants import quotas

EMAIL = EmailValidator()
EMAIL_LENGTH = 254


@transaction.atomic
def create_member(
    *, email: str, by: Actor, name: str = "", password: str | None = None, role: str = Role.MEMBER
) -> Membership:
    """Make a person and their membership at once.

    Only operators and the system may add a person who exists already; a member who manages others gets 409
    USER_ALREADY_EXISTS and sends an invitation instead, which that person is free to refuse.
    """
    tenant = current_tenant()
    rank = rules.require(rules.may_manage_members(by, tenant.id), by=by, action="member.created")
    rules.require(rules.may_set_role(rank, old=None, new=known_role(role)), by=by, action="member.created")
    account = checked_email(email)
    user = User.objects.filter(email=account).first()
    if user is not None and by.kind not in ("operator", "system"):
        raise Conflict(_("This person has an account; send an invitation."), code="USER_ALREADY_EXISTS")
    if user is None:
        user = new_user(email=account, name=name, password=password)
    return join(user=user, role=role, by=by, tenant=tenant)


def join(*, user: User, role: str, by: Actor, tenant: TenantRef) -> Membership:
    """Write a membership; 409 for a second one, 403 for a full plan."""
    require_room(tenant)
    try:
        with transaction.atomic():
            membership = Membership.objects.create(tenant_id=tenant.id, user=user, role=role)
    except IntegrityError as error:
        raise Conflict(_("This person is a member already."), code="ALREADY_MEMBER") from error
    erasure.readmit(user.id, tenant=tenant.id)
    ledger.record("member.joined", by=by, target=f"user:{user.id}", after={"role": str(role)})
    bump(tenant.id)
    return membership


@transaction.atomic
def change_role(*, user_id: UUID, role: str, by: Actor) -> Membership:
    """Give a member another role; only owners make or change owners."""
    membership = _changing(user_id, by, "member.role_changed", new=known_role(role))
    if membership.role == Role.OWNER and role != Role.OWNER:
        _keep_an_owner(membership)
    return _save(membership, by, "member.role_changed", role=role)


@transaction.atomic
def suspend(*, user_id: UUID, by: Actor) -> Membership:
    """Close the tenant to a member at once; keys rest, sessions end, records stay."""
    membership = _changing(user_id, by, "member.suspended")
    _keep_an_owner(membership)
    end_sessions(user_id=user_id, by=by, reason="suspended")
    return _save(membership, by, "member.suspended", state=MembershipState.SUSPENDED)


@transaction.atomic
def reactivate(*, user_id: UUID, by: Actor) -> Membership:
    """Open the tenant to a suspended member again."""
    membership = _changing(user_id, by, "member.reactivated")
    if membership.state != MembershipState.ACTIVE:
        require_room(current_tenant())
    return _save(membership, by, "member.reactivated", state=MembershipState.ACTIVE)


@transaction.atomic
def remove(*, user_id: UUID, by: Actor) -> None:
    """Take a member out of the tenant with their keys and sessions; everybody may remove themselves."""
    leaving = by.user_id == user_id and by.kind == "member"
    membership = _find(user_id) if leaving else _changing(user_id, by, "member.removed")
    _keep_an_owner(membership)
    end_sessions(user_id=user_id, by=by, reason="removed")
    revoke_keys_of(user_id=user_id, by=by)
    before = {"role": membership.role, "state": membership.state}
    membership.delete()
    ledger.record("member.removed", by=by, target=f"user:{user_id}", before=before)
    bump(current_tenant().id)


@transaction.atomic
def transfer_ownership(*, to: UUID, by: Actor) -> None:
    """Make another active member an owner and the acting owner an administrator."""
    tenant = current_tenant()
    mine = (
        Membership.objects.select_for_update()
        .filter(tenant=tenant.id, user=by.user_id, role=Role.OWNER)
        .first()
    )
    if mine is None or by.kind != "member" or to == by.user_id:
        rules.refuse(_("Only an owner may hand the tenant over."), by=by, action="ownership.transferred")
    heir = _find(to)
    if heir.state != MembershipState.ACTIVE:
        raise Conflict(_("A suspended member cannot own the tenant."), code="INVALID_STATE")
    heir.role, mine.role = Role.OWNER, Role.ADMIN
    heir.save(update_fields=["role", "updated_at"])
    mine.save(update_fields=["role", "updated_at"])
    details = {"from": str(by.user_id), "to": str(to)}
    ledger.record("ownership.transferred", by=by, target=f"user:{to}", details=details)
    bump(tenant.id)


def new_user(*, email: str, name: str, password: str | None) -> User:
    """Write a person; `email` is checked already. Without a password only a reset link leads in."""
    user = User(email=email, name=name.strip()[:200])
    if password is not None:
        passwords.require_strong(password, user=user)
    user.set_password(password)
    user.save()
    return user


def checked_email(email: str) -> str:
    """Return the stored spelling of an address; raise `Invalid` for what is none."""
    account = normalize_email(email)
    message = _("This is not an email address.")
    try:
        EMAIL(account)
    except ValidationError as error:
        raise Invalid(message, [FieldError("email", "invalid_email", message)]) from error
    if len(account) > EMAIL_LENGTH:
        raise Invalid(message, [FieldError("email", "max_length", message, constraint=EMAIL_LENGTH)])
    return account


def known_role(role: str) -> Role:
    """Return a role by its name; raise `Invalid` for an unknown one."""
    if role not in Role.values:
        message = _("There is no such role.")
        raise Invalid(message, [FieldError("role", "invalid_option", message, options=Role.values)])
    return Role(role)


def require_room(tenant: TenantRef) -> None:
    """Raise 403 QUOTA_EXCEEDED when the plan's `members` are all taken by active members."""
    quotas.require(tenant, "members")


def _find(user_id: UUID) -> Membership:
    rows = Membership.objects.select_for_update().filter(tenant=current_tenant().id, user=user_id)
    membership = rows.first()
    if membership is None:
        raise NotFound(_("There is no such member."), code="RESOURCE_NOT_FOUND")
    return membership


def _changing(user_id: UUID, by: Actor, action: str, new: Role | None = None) -> Membership:
    tenant, target = current_tenant(), f"user:{user_id}"
    rank = rules.require(rules.may_manage_members(by, tenant.id), by=by, action=action, target=target)
    membership = _find(user_id)
    rules.require(rules.may_set_role(rank, old=membership.role, new=new), by=by, action=action, target=target)
    return membership


def _keep_an_owner(membership: Membership) -> None:
    """Refuse to lose the last active owner; the owners' rows are locked, so two cannot leave at once."""
    if membership.role != Role.OWNER:
        return
    rows = Membership.objects.select_for_update().filter(tenant=membership.tenant_id, role=Role.OWNER)
    others = [row for row in rows if row.pk != membership.pk and row.state == MembershipState.ACTIVE]
    if not others:
        raise Conflict(
            _("This is the tenant's last owner."),
            code="LAST_OWNER",
            cure=_("Hand the tenant over to somebody else first."),
        )


def _save(membership: Membership, by: Actor, action: str, **changes: str) -> Membership:
    before = {name: str(getattr(membership, name)) for name in changes}
    for name, value in changes.items():
        setattr(membership, name, value)
    membership.save(update_fields=[*changes, "updated_at"])
    after = {name: str(value) for name, value in changes.items()}
    ledger.record(action, by=by, target=f"user:{membership.user_id}", before=before, after=after)
    bump(membership.tenant_id)
    return membership
