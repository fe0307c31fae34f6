"""What tenants have installed; read in each tenant's own scope."""

from collections.abc import Iterable
from typing import Any

from apps.core.scope import tenant_scope
from apps.modules.install import installed
from apps.modules.models import Installation
from apps.modules.packages import notices
from apps.tenants.models import Tenant
from apps.tenants.states import State

BUILT = frozenset({State.ACTIVE, State.SUSPENDED, State.ARCHIVED, State.DELETED})


def installed_in(tenant: Tenant) -> list[Installation]:
    """A tenant's modules; none while it has no schema."""
    if tenant.state not in BUILT:
        return []
    with tenant_scope(tenant.ref):
        return installed()


def notices_in(tenant: Tenant) -> list[tuple[Installation, list[dict[str, Any]]]]:
    """What of each of the tenant's packages does not come over as it was written."""
    if tenant.state not in BUILT:
        return []
    with tenant_scope(tenant.ref):
        return [(row, notices(row)) for row in installed()]


def installed_where(tenants: Iterable[Tenant]) -> dict[str, list[tuple[Tenant, Installation]]]:
    """Which of the tenants use which module."""
    found: dict[str, list[tuple[Tenant, Installation]]] = {}
    for tenant in tenants:
        for row in installed_in(tenant):
            found.setdefault(row.module, []).append((tenant, row))
    return found
