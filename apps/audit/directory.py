"""Which ledgers exist besides the platform's: filled by the app that owns tenants."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from apps.core.ids import NIL
from apps.core.registry import Registry
from apps.core.scope import TenantRef


@dataclass(frozen=True)
class Directory:
    """How to find tenants: one by id (None when it is gone), and all that have a schema.

    Both are called inside the platform's scope.
    """

    find: Callable[[UUID], TenantRef | None]
    every: Callable[[], Iterable[TenantRef]]


directories: Registry[Directory] = Registry("ledger directories", Directory)


def find(tenant_id: UUID) -> TenantRef | None:
    """Return the tenant of a ledger, or None when no directory knows it."""
    for name in directories:
        if (ref := directories[name].find(tenant_id)) is not None:
            return ref
    return None


def every() -> list[TenantRef]:
    """Return the tenants that have a ledger, each once."""
    return [ref for name in directories for ref in directories[name].every()]


def key_of(tenant: TenantRef | None) -> UUID:
    """Return the id that goes into the hashes of a ledger; the nil UUID stands for the platform."""
    return tenant.id if tenant else NIL
