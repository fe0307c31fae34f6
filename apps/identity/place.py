"""Where a request comes from and which tenant it names, before anybody is known."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from apps.core import context
from apps.core.errors import PermissionDenied
from apps.core.scope import TenantRef, platform_scope, scope_of, tenant_scope
from apps.identity.devices import read_device
from apps.tenants import queries
from apps.tenants.middleware import hostname

AGENT_LENGTH = 300


@dataclass(frozen=True)
class Place:
    """Host without port, the tenant of that host, the tenant named by X-Tenant, and the caller's machine.

    `device` is the id in the signed cookie of a browser that signed in before; None for the others.
    """

    host: str
    tenant: TenantRef | None = None
    named: TenantRef | None = None
    ip: str | None = None
    user_agent: str = ""
    device: str | None = None

    @property
    def wanted(self) -> TenantRef | None:
        """The tenant that host or header name."""
        return self.tenant or self.named


def place_of(request: HttpRequest) -> Place:
    """Read the place of a request; raise 403 TENANT_MISMATCH when host and X-Tenant disagree."""
    host_tenant: Any = getattr(request, "tenant", None)
    tenant = host_tenant.ref if host_tenant is not None else None
    named = _named(request.META.get("HTTP_X_TENANT"), tenant)
    return Place(
        host=hostname(request),
        tenant=tenant,
        named=named,
        ip=context.ip.get() or request.META.get("REMOTE_ADDR") or None,
        user_agent=request.META.get("HTTP_USER_AGENT", "")[:AGENT_LENGTH],
        device=read_device(request),
    )


@contextmanager
def scope_at(tenant: TenantRef | None, reason: str) -> Iterator[None]:
    """Work in the scope of `tenant`, or of the platform; inside an open scope that fits, in that one."""
    scope = scope_of()
    if scope is not None and (tenant is None or (scope.tenant and scope.tenant.id == tenant.id)):
        yield
    elif tenant is not None:
        with tenant_scope(tenant):
            yield
    else:
        with platform_scope(reason):
            yield


def mismatch() -> PermissionDenied:
    """Return the refusal for hints that name different tenants."""
    return PermissionDenied(
        "Host, credential and X-Tenant do not name the same tenant.",
        code="TENANT_MISMATCH",
        cure="Use the tenant's own host, or a credential of the tenant that X-Tenant names.",
    )


def _named(name: str | None, tenant: TenantRef | None) -> TenantRef | None:
    if not name:
        return None
    if tenant is not None:
        if name.lower() not in (tenant.slug, str(tenant.id)):
            raise mismatch()
        return tenant
    with scope_at(None, "tenant named by X-Tenant"):
        try:
            found = queries.snapshot(UUID(name))
        except ValueError:
            found = queries.tenant_by_slug(name)
    if found is None:
        raise mismatch()
    return found.ref
