"""Writing into the ledger: one INSERT in the transaction that makes the fact true."""

from typing import Any
from uuid import UUID

from psycopg.sql import SQL, Composed

from apps.audit import aside
from apps.audit.entry import Draft, Values, draft
from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.scope import TenantRef, current_scope, scope_of

HERE: Any = object()
INSERT = (
    "INSERT INTO public.audit_pending (entry_id, tenant_id, action, target, body) VALUES (%s, %s, %s, %s, %s)"
)

Ledger = TenantRef | UUID | None


def record(
    action: str,
    *,
    by: Actor,
    target: str | None = None,
    before: Values | None = None,
    after: Values | None = None,
    details: Values | None = None,
    tenant: Ledger = HERE,
) -> UUID:
    """Write an entry in the caller's transaction and return its id; it is chained after the commit.

    `target` is `kind:id`. The ledger is the current scope's unless `tenant` names another (None: the
    platform's), which only the platform's scope may. Raises ScopeMissing outside a scope.
    """
    entry = draft(
        action, by=by, tenant=_ledger(tenant), target=target, before=before, after=after, details=details
    )
    fast.write(INSERT, _params(entry))
    return entry.id


def statement(
    action: str,
    *,
    by: Actor,
    target: str | None = None,
    before: Values | None = None,
    after: Values | None = None,
    details: Values | None = None,
    tenant: Ledger = HERE,
) -> tuple[Composed, list[Any]]:
    """Return the same INSERT for `WITH ledger AS (<statement>)` in a larger one, with its five parameters."""
    entry = draft(
        action, by=by, tenant=_ledger(tenant), target=target, before=before, after=after, details=details
    )
    return Composed([SQL(INSERT)]), _params(entry)


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
    entry = draft(
        action,
        by=by,
        tenant=ledger,
        target=target,
        before=None,
        after=None,
        details={"reason": reason, "outcome": "denied", **(details or {})},
    )
    aside.write(INSERT, _params(entry), note=entry.body)
    return entry.id


def _ledger(tenant: Ledger) -> UUID | None:
    if tenant is HERE:
        tenant = current_scope().tenant
    return tenant.id if isinstance(tenant, TenantRef) else tenant


def _params(entry: Draft) -> list[Any]:
    return [entry.id, entry.tenant_id, entry.action, entry.target, entry.body]
