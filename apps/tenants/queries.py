"""Reads for others: tenants as values, cached until the platform's clock moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from apps.core.clock import Clocked
from apps.core.scope import TenantRef
from apps.tenants.models import Host, Tenant
from apps.tenants.states import State


@dataclass(frozen=True)
class TenantSnapshot:
    """A tenant as its doors need it."""

    id: UUID
    slug: str
    schema: str
    name: str
    state: str
    state_reason: str
    locale: str
    time_zone: str
    currency: str
    plan: str
    brand_color: str
    logo: str
    quotas: Mapping[str, int] = field(hash=False)

    @property
    def ref(self) -> TenantRef:
        return TenantRef(self.id, self.slug, self.schema)

    @property
    def serves(self) -> bool:
        """Whether the doors are open."""
        return self.state == State.ACTIVE


def _snapshot(tenant: Tenant) -> TenantSnapshot:
    return TenantSnapshot(
        id=tenant.id,
        slug=tenant.slug,
        schema=tenant.schema_name,
        name=tenant.name,
        state=tenant.state,
        state_reason=tenant.state_reason,
        locale=tenant.locale,
        time_zone=tenant.time_zone,
        currency=tenant.currency,
        plan=tenant.plan_id,
        brand_color=tenant.brand_color,
        logo=tenant.logo,
        quotas=tenant.plan.quotas,
    )


def _load_id(tenant_id: UUID) -> TenantSnapshot | None:
    tenant = Tenant.objects.select_related("plan").filter(pk=tenant_id).first()
    return _snapshot(tenant) if tenant else None


def _load_slug(slug: str) -> TenantSnapshot | None:
    tenant = Tenant.objects.select_related("plan").filter(slug=slug).first()
    return _snapshot(tenant) if tenant else None


def _load_host(domain: str) -> TenantSnapshot | None:
    host = Host.objects.select_related("tenant__plan").filter(domain=domain).first()
    if host:
        return _snapshot(host.tenant)
    if settings.TENANCY_MODE == "single":
        return _only()
    return None


def _only() -> TenantSnapshot | None:
    found = list(Tenant.objects.select_related("plan").exclude(state=State.DELETED)[:2])
    return _snapshot(found[0]) if len(found) == 1 else None


by_id: Clocked[TenantSnapshot | None] = Clocked(_load_id, of="platform")
by_slug: Clocked[TenantSnapshot | None] = Clocked(_load_slug, of="platform")
by_host: Clocked[TenantSnapshot | None] = Clocked(_load_host, of="platform")


def tenant_by_host(domain: str) -> TenantSnapshot | None:
    """Return the tenant served at `domain` (lower case, no port); needs a scope."""
    return by_host.get(domain)


def tenant_by_slug(slug: str) -> TenantSnapshot | None:
    """Return the tenant with this slug; needs a scope."""
    return by_slug.get(slug)


def snapshot(tenant_id: UUID) -> TenantSnapshot | None:
    """Return the tenant with this id; needs a scope."""
    return by_id.get(tenant_id)


def ref_of(tenant_id: UUID) -> TenantRef | None:
    """Return how to enter a tenant that has a schema, or None; needs the platform's scope."""
    found = by_id.get(tenant_id)
    return found.ref if found and found.state not in _WITHOUT_SCHEMA else None


def refs() -> list[TenantRef]:
    """Return every tenant that has a schema; needs the platform's scope."""
    return [tenant.ref for tenant in Tenant.objects.exclude(state__in=_WITHOUT_SCHEMA)]


_WITHOUT_SCHEMA = (State.PROVISIONING, State.FAILED)
