"""Tells the ledger which tenants have one."""

from uuid import UUID

from apps.audit.directory import Directory, directories
from apps.core.scope import TenantRef
from apps.tenants.models import Tenant
from apps.tenants.queries import snapshot
from apps.tenants.states import State

WITHOUT_SCHEMA = (State.PROVISIONING, State.FAILED)


def find(tenant_id: UUID) -> TenantRef | None:
    """Return the tenant with this id, in whatever state."""
    found = snapshot(tenant_id)
    return found.ref if found else None


def every() -> list[TenantRef]:
    """Return all tenants whose schema stands, by slug."""
    return [tenant.ref for tenant in Tenant.objects.exclude(state__in=WITHOUT_SCHEMA).order_by("slug")]


directories.register("tenants", Directory(find, every))
