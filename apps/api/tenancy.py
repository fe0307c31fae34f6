"""Which tenant a request is for: host, credential and X-Tenant may each say so, and must agree."""

from uuid import UUID

from django.http import HttpRequest

from apps.core.errors import PermissionDenied, Problem
from apps.core.scope import TenantRef
from apps.identity.resolve import Identity
from apps.tenants import queries
from apps.tenants.queries import TenantSnapshot

OPEN_STATES = frozenset({"active"})


def find_tenant(request: HttpRequest, identity: Identity | None) -> TenantSnapshot | None:
    """Return the one tenant that all hints name, or None when nothing names one.

    Raises `Problem` 403 TENANT_MISMATCH when two hints disagree (an unknown name disagrees with
    everything) and 403 TENANT_SUSPENDED, with the reason, when the tenant is not open.
    """
    host: TenantSnapshot | None = getattr(request, "tenant", None)
    named = _named(request)
    bound = identity.tenant if identity else None
    ids = {hint.id for hint in (host, named, bound) if hint is not None}
    if len(ids) > 1:
        raise _mismatch()
    tenant = host or named or (queries.snapshot(bound.id) if bound else None)
    if tenant is not None and identity is not None and not _belongs(identity, tenant):
        raise _mismatch()
    if tenant is not None:
        check_open(tenant)
    return tenant


def check_open(tenant: TenantSnapshot) -> None:
    """Refuse a tenant that is suspended, archived or not ready, and say why."""
    if tenant.state in OPEN_STATES:
        return
    reason = getattr(tenant, "state_reason", "") or "no reason was given"
    raise Problem(
        "TENANT_SUSPENDED",
        f"{tenant.name} is {tenant.state}: {reason}.",
        status=403,
        cure="Ask the operator of this installation.",
        details={"state": tenant.state, "reason": reason},
    )


def _named(request: HttpRequest) -> TenantSnapshot | None:
    name = request.META.get("HTTP_X_TENANT")
    if not name:
        return None
    try:
        tenant = queries.snapshot(UUID(name))
    except ValueError:
        tenant = queries.snapshot_by_slug(name)
    if tenant is None:
        raise _mismatch()
    return tenant


def _belongs(identity: Identity, tenant: TenantRef | TenantSnapshot) -> bool:
    return identity.tenant is not None and identity.tenant.id == tenant.id


def _mismatch() -> PermissionDenied:
    return PermissionDenied(
        "Host, credential and X-Tenant do not name the same tenant.",
        code="TENANT_MISMATCH",
        cure="Use the tenant's own host, or a credential of the tenant that X-Tenant names.",
    )
