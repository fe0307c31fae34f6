"""Who is at the console, and which tenants are theirs."""

from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from guardian.shortcuts import get_objects_for_user

from apps.core.actor import Actor
from apps.events.models import Job
from apps.identity.rules import OPERATE
from apps.tenants.models import Tenant


def is_operator(request: HttpRequest) -> bool:
    """Whether an operator's browser session on the platform's own host sent this request.

    A key or token of the same person is narrower than the person and opens nothing here.
    """
    identity = getattr(request, "identity", None)
    if identity is None or getattr(request, "tenant", None) is not None:
        return False
    user = request.user
    return (
        identity.from_cookie and identity.actor.kind == "operator" and bool(user.is_active and user.is_staff)
    )


def actor_of(request: HttpRequest) -> Actor:
    """The operator as the ledger names them."""
    actor: Actor = request.identity.actor  # type: ignore[attr-defined]
    return actor


def sees_everything(request: HttpRequest) -> bool:
    """Whether the operator is a superuser: all tenants, and the platform's own rows."""
    return bool(request.user.is_superuser)


def tenants_of(request: HttpRequest) -> QuerySet[Tenant]:
    """The tenants this operator may see and operate; a superuser's are all."""
    if sees_everything(request):
        return Tenant.objects.all()
    return get_objects_for_user(request.user, OPERATE, Tenant, accept_global_perms=False)


def narrow(rows: QuerySet, request: HttpRequest, lookup: str | None) -> QuerySet:
    """Keep the rows whose `lookup` leads to a granted tenant; without a lookup the rows are the platform's own."""
    if sees_everything(request):
        return rows
    if lookup is None:
        return rows.none()
    return rows.filter(**{f"{lookup}__in": tenants_of(request).values("pk")})


def may_operate(request: HttpRequest, tenant_id: UUID | None) -> bool:
    """Whether the operator may act on this tenant; None means the platform itself."""
    if sees_everything(request):
        return True
    return tenant_id is not None and tenants_of(request).filter(pk=tenant_id).exists()


def jobs_of(request: HttpRequest) -> QuerySet[Job]:
    """The jobs of the operator's tenants, and those they asked for themselves."""
    if sees_everything(request):
        return Job.objects.all()
    granted = tenants_of(request).values("pk")
    return Job.objects.filter(
        Q(tenant_id__in=granted) | Q(actor__id=str(request.user.pk), actor__kind="operator")
    )
