"""Writing into the ledger: one INSERT in the transaction that makes the fact true."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.audit import aside
from apps.audit.entry import Draft, Personal, Values, draft, plain_draft, sealed
from apps.audit.sealing import Key
from apps.audit.sealing import keys as sealing_keys
from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.scope import TenantRef, current_scope, scope_of

HERE: Any = object()
INSERT = (
    "INSERT INTO public.audit_pending (entry_id, tenant_id, action, target, body) VALUES (%s, %s, %s, %s, %s)"
)
ENTRY = (("entry", INSERT),)

Ledger = TenantRef | UUID | None


@dataclass(frozen=True)
class Part:
    """An entry as part of a larger statement: CTE texts by name, the entry's last, and all parameters in order."""

    id: UUID
    texts: tuple[tuple[str, str], ...]
    params: list[Any]
    keys: tuple[Key, ...] = ()

    def settle(self) -> None:
        """Say that the statement was carried out, so that its keys may be used again."""
        if self.keys:
            sealing_keys.settle(self.keys)


def record(
    action: str,
    *,
    by: Actor,
    target: str | None = None,
    before: Values | None = None,
    after: Values | None = None,
    details: Values | None = None,
    personal: Personal = None,
    tenant: Ledger = HERE,
) -> UUID:
    """Write an entry in the caller's transaction and return its id; it is chained after the commit.

    `target` is `kind:id`. `personal` maps a subject, such as `user:<id>`, to the names of the fields in before,
    after and details that are its personal data; they are sealed with the subject's key. The ledger is the
    current scope's unless `tenant` names another (None: the platform's), which only the platform's scope may.
    Raises ScopeMissing outside a scope.
    """
    entry = draft(
        action,
        by=by,
        tenant=_ledger(tenant),
        target=target,
        before=before,
        after=after,
        details=details,
        personal=personal,
    )
    _write(entry)
    return entry.id


def part(
    action: str,
    *,
    by: Actor,
    target: str | None = None,
    before: Values | None = None,
    after: Values | None = None,
    details: Values | None = None,
    personal: Personal = None,
    tenant: Ledger = HERE,
    clock: int | None = None,
) -> Part:
    """Return the INSERT, and those of new keys, as CTEs of a larger statement; call `settle()` once it has run.

    `clock` is the tenant's clock that the statement compares when it runs outside a scope; there a person whose
    key this process has not seen at that clock raises `KeyUnknown`.
    """
    entry = draft(
        action,
        by=by,
        tenant=_ledger(tenant),
        target=target,
        before=before,
        after=after,
        details=details,
        personal=personal,
        clock=clock,
    )
    if not entry.keys:
        return Part(entry.id, ENTRY, _params(entry))
    made = tuple((f"key{number}", sealing_keys.INSERT) for number in range(len(entry.keys)))
    params = [param for key in entry.keys for param in key.params()]
    return Part(entry.id, (*made, *ENTRY), [*params, *_params(entry)], entry.keys)


def denied(
    action: str,
    *,
    by: Actor,
    reason: str,
    target: str | None = None,
    details: Values | None = None,
    tenant: Ledger = HERE,
) -> UUID:
    """Write the entry of a refused act so that it survives the rollback of the refused request.

    It is committed by a connection of its own before this returns, or within `aside.PATIENCE` seconds is left
    to that connection's queue. Outside a scope `tenant` must be given. Returns the entry's id.
    """
    ledger = _ledger(tenant) if tenant is not HERE or scope_of() else None
    entry = plain_draft(
        action,
        by=by,
        tenant=ledger,
        target=target,
        before=None,
        after=None,
        details={"reason": reason, "outcome": "denied", **(details or {})},
    )
    aside.commit(lambda: _write(sealed(entry)), note=entry.text())
    return entry.id


def _write(entry: Draft) -> None:
    sealing_keys.write(entry.keys)
    fast.write(INSERT, _params(entry))


def _ledger(tenant: Ledger) -> UUID | None:
    if tenant is HERE:
        tenant = current_scope().tenant
    return tenant.id if isinstance(tenant, TenantRef) else tenant


def _params(entry: Draft) -> list[Any]:
    return [entry.id, entry.tenant_id, entry.action, entry.target, entry.body]
