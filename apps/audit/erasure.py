"""The one way to remove a ledger: when its tenant is deleted, by the owner's login, leaving a last word."""

from typing import Any
from uuid import UUID

from django.db import connections, transaction
from psycopg import sql

from apps.audit import ledger
from apps.audit.directory import key_of
from apps.audit.models import Hold
from apps.core.actor import Actor
from apps.core.errors import Conflict
from apps.core.scope import TenantRef, current_scope

HEAD = "SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s FOR UPDATE"
SIGNED = "SELECT size, root FROM public.audit_tree WHERE tenant_id = %s"
PROOFS = ("audit_tile", "audit_checkpoint", "audit_anchor", "audit_tree")
PEOPLE = ("audit_subjectkey", "audit_erasure", "audit_retention", "audit_exportposition", "audit_hold")
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
    if Hold.objects.filter(tenant_id=tenant.id, released_at__isnull=True).exists():
        message = f"A legal hold stands on the ledger of {tenant.slug}: it cannot be removed."
        raise Conflict(message, code="LEGAL_HOLD", cure="Release the hold first.")
    with connection.cursor() as cursor:
        cursor.execute(HEAD, [key_of(tenant)])
        seq, digest = cursor.fetchone() or (0, bytes(32))
        cursor.execute(WAITING, [tenant.id])
        unchained = cursor.rowcount
        cursor.execute(SIGNED, [tenant.id])
        size, root = cursor.fetchone() or (0, b"")
        cursor.execute("DELETE FROM public.audit_head WHERE tenant_id = %s", [tenant.id])
        for table in (*PROOFS, *PEOPLE):
            cursor.execute(
                sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(sql.Identifier("public", table)),
                [tenant.id],
            )
    details = {"slug": tenant.slug, "entries": seq, "head": bytes(digest).hex(), "unchained": unchained}
    details |= {"signed": size, "root": bytes(root).hex()}
    return ledger.record(
        "ledger.closed",
        by=by,
        target=f"tenant:{tenant.id}",
        details=details | {"reason": reason},
        tenant=None,
    )
