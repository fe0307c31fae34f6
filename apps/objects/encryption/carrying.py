"""Keys in a tenant's archive: they go along open, as the values would, and are sealed anew where they arrive."""

from typing import Any

from apps.core.scope import tenant_scope
from apps.core.sealing import unseal
from apps.objects.encryption.models import ColumnKey
from apps.objects.encryption.ring import PURPOSE, place_of, wrapped
from apps.tenants.archiving import Part
from apps.tenants.models import Tenant


def export(tenant: Tenant) -> list[dict[str, Any]]:
    """Return the tenant's keys."""
    with tenant_scope(tenant.ref):
        rows = ColumnKey.objects.order_by("purpose", "version").values_list("purpose", "version", "wrapped")
        return [
            {
                "purpose": purpose,
                "version": version,
                "key": unseal(PURPOSE, place_of(purpose, version), bytes(box)).hex(),
            }
            for purpose, version, box in rows
        ]


def restore(_tenant: Tenant, _rows: list[dict[str, Any]]) -> dict[str, str]:
    """Change nobody's id."""
    return {}


def finish(_tenant: Tenant, rows: list[dict[str, Any]]) -> None:
    """Seal the keys with the secret of this installation; in the tenant's scope, its tables filled."""
    for row in rows:
        purpose, version = row["purpose"], int(row["version"])
        box = wrapped(purpose, version, bytes.fromhex(row["key"]))
        ColumnKey.objects.filter(purpose=purpose, version=version).update(wrapped=box)


PART = Part(export, restore, finish)
