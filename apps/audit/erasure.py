"""The one way to remove a ledger: when its tenant is deleted, by the owner's login, leaving a last word."""

from typing import Any
from uuid import UUID

from django.db import connections, transaction

from apps.audit import ledger
from apps.audit.directory import key_of
from apps.core.actor import Actor
from apps.core.errors import Conflict
from apps.core.scope import TenantRef, current_scope

HEAD = "SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s FOR UPDATE"
WAITING = "DELETE FROM public.audit_pending WHERE tenant_id = %s"


@transaction.atomic
def close_ledger(tenant: TenantRef, *, by: Actor, reason: str) -> UUID:
    """Remove what the shared schema holds of a tenant's ledger; its entries go with the tenant's schema.

    Call it in the platform's scope of an `owner_session()`, in the transaction that drops the schema. The
    platform's ledger keeps the last number and hash, so an archive of the ledger can still be checked.
    """
    connection: Any = connections["default"]
    if current_scope().tenant is not None or not connection.is_owner:
        message = "A ledger is closed by the owner's login in the platform's scope."
        raise Conflict(message, code="OWNER_REQUIRED")
    with connection.cursor() as cursor:
        cursor.execute(HEAD, [key_of(tenant)])
        seq, digest = cursor.fetchone() or (0, bytes(32))
        cursor.execute(WAITING, [tenant.id])
        unchained = cursor.rowcount
        cursor.execute("DELETE FROM public.audit_head WHERE tenant_id = %s", [tenant.id])
    details = {"slug": tenant.slug, "entries": seq, "head": bytes(digest).hex(), "unchained": unchained}
    return ledger.record(
        "ledger.closed",
        by=by,
        target=f"tenant:{tenant.id}",
        details=details | {"reason": reason},
        tenant=None,
    )
