"""Which tenant a request is for. Host, credential and X-Tenant may each say so; identity compares them."""

from django.http import HttpRequest

from apps.core.errors import Problem
from apps.core.scope import platform_scope, scope_of
from apps.identity.place import place_of
from apps.identity.resolve import Identity
from apps.tenants import queries
from apps.tenants.queries import TenantSnapshot
from apps.tenants.states import State


def find_tenant(request: HttpRequest, identity: Identity | None) -> TenantSnapshot | None:
    """Return the tenant that the request is for, or None when nothing names one.

    Raises 403 TENANT_MISMATCH when two hints disagree, and 403 TENANT_SUSPENDED with the reason when the
    tenant is not open.
    """
    ref = identity.tenant if identity else place_of(request).wanted
    if ref is None:
        return None
    tick = identity.platform_clock if identity else None
    seen = queries.by_id.peek(None, ref.id) if tick else None
    if seen is not None and seen[0] == tick:
        tenant = seen[1]
    elif scope_of() is not None:
        tenant = queries.snapshot(ref.id)
    else:
        with platform_scope("state of a tenant"):
            tenant = queries.snapshot(ref.id)
    if tenant is not None:
        check_open(tenant)
    return tenant


def check_open(tenant: TenantSnapshot) -> None:
    """Refuse a tenant that is suspended, archived or not ready, and say why."""
    if tenant.serves:
        return
    reason = tenant.state_reason or "no reason was given"
    raise Problem(
        "TENANT_SUSPENDED",
        f"{tenant.name} is {State(tenant.state).label}: {reason}",
        status=403,
        cure="Ask the operator of this installation.",
        details={"state": tenant.state, "reason": reason},
    )
