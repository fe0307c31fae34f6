"""The platform's operators. All but superusers act only on the tenants granted to them."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from guardian.shortcuts import assign_perm, remove_perm

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import Conflict, NotFound
from apps.identity import rules
from apps.identity.models import User
from apps.identity.services.members import checked_email, new_user
from apps.identity.services.sessions import end_everywhere
from apps.tenants.models import Tenant


@transaction.atomic
def create_operator(
    *, email: str, by: Actor, name: str = "", password: str | None = None, superuser: bool = False
) -> User:
    """Make a person, or one who has an account, an operator; in the platform's scope, by a superuser."""
    _require_superuser(by, "operator.created")
    account = checked_email(email)
    user = User.objects.select_for_update().filter(email=account).first()
    if user is not None and user.is_staff:
        raise Conflict(_("This person is an operator already."), code="ALREADY_OPERATOR")
    if user is None:
        user = new_user(email=account, name=name, password=password)
    user.is_staff, user.is_superuser = True, superuser
    user.save(update_fields=["is_staff", "is_superuser", "updated_at"])
    after = {"superuser": superuser}
    ledger.record("operator.created", by=by, target=f"user:{user.id}", after=after)
    bump(None)
    return user


@transaction.atomic
def dismiss_operator(*, user_id: UUID, by: Actor) -> None:
    """Take the operator's rights from a person and end their sessions; the last superuser stays."""
    _require_superuser(by, "operator.dismissed")
    user = _operator(user_id)
    keepers = User.objects.select_for_update().filter(is_staff=True, is_superuser=True, is_active=True)
    if user.is_superuser and not [row for row in keepers if row.pk != user.pk]:
        raise Conflict(_("This is the last superuser."), code="LAST_SUPERUSER")
    user.is_staff = user.is_superuser = False
    user.save(update_fields=["is_staff", "is_superuser", "updated_at"])
    ledger.record("operator.dismissed", by=by, target=f"user:{user.id}")
    end_everywhere(user=user, by=by, reason="dismissed")


@transaction.atomic
def grant_tenant(*, user_id: UUID, tenant_id: UUID, by: Actor) -> None:
    """Let an operator act on a tenant."""
    _require_superuser(by, "operator.granted")
    assign_perm(rules.OPERATE, _operator(user_id), _tenant(tenant_id))
    ledger.record("operator.granted", by=by, target=f"user:{user_id}", details={"tenant": str(tenant_id)})
    bump(None)


@transaction.atomic
def withdraw_tenant(*, user_id: UUID, tenant_id: UUID, by: Actor) -> None:
    """Take a tenant from an operator."""
    _require_superuser(by, "operator.withdrawn")
    remove_perm(rules.OPERATE, _operator(user_id), _tenant(tenant_id))
    ledger.record("operator.withdrawn", by=by, target=f"user:{user_id}", details={"tenant": str(tenant_id)})
    bump(None)


@transaction.atomic
def set_active(*, user_id: UUID, active: bool, by: Actor) -> User:
    """Close an account in every tenant, or open it again."""
    _require_superuser(by, "user.activated" if active else "user.deactivated")
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound(_("There is no such person."), code="RESOURCE_NOT_FOUND")
    user.is_active = active
    user.save(update_fields=["is_active", "updated_at"])
    ledger.record("user.activated" if active else "user.deactivated", by=by, target=f"user:{user.id}")
    if active:
        bump(None)
    else:
        end_everywhere(user=user, by=by, reason="account closed")
    return user


def _require_superuser(by: Actor, action: str) -> None:
    rules.require(rules.may_run_platform(by), by=by, action=action)


def _operator(user_id: UUID) -> User:
    user = User.objects.select_for_update().filter(pk=user_id, is_staff=True).first()
    if user is None:
        raise NotFound(_("There is no such operator."), code="RESOURCE_NOT_FOUND")
    return user


def _tenant(tenant_id: UUID) -> Tenant:
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None:
        raise NotFound(_("There is no such tenant."), code="RESOURCE_NOT_FOUND")
    return tenant
