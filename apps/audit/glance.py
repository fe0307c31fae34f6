"""A glance at the end of a ledger: cheap enough for every minute, and enough to see a cut or replaced tail.

It compares the head with the last entry and looks beyond it. What lies before is the matter of `verify`.
"""

from typing import Any

from psycopg import sql

from apps.audit import directory
from apps.core.db import fast
from apps.core.scope import TenantRef, platform_scope, tenant_scope

# One statement, so one snapshot: entries that are being chained right now do no harm.
END = sql.SQL("""
SELECT h.seq, e.hash IS NOT NULL, e.hash = h.hash, EXISTS (SELECT 1 FROM {entry} WHERE seq > h.seq),
       h.seq <= coalesce(r.pruned_seq, 0)
FROM public.audit_head h LEFT JOIN {entry} e ON e.seq = h.seq
LEFT JOIN public.audit_retention r ON r.tenant_id = h.tenant_id WHERE h.tenant_id = %s
""")


def glance(tenant: TenantRef | None) -> str:
    """Return what is wrong with the end of a ledger (None: the platform's), empty when nothing is. Own scope."""
    scope = tenant_scope(tenant) if tenant else platform_scope("ledger: glance")
    entry = sql.Identifier(tenant.schema if tenant else "public", "audit_entry")
    with scope, fast.cursor() as cursor:
        row: Any = cursor.execute(END.format(entry=entry), [directory.key_of(tenant)]).fetchone()
    if row is None or row[0] == 0:
        return ""
    seq, present, same, beyond, pruned = row
    if not present and not pruned:
        return f"Entry {seq}, the last one, is missing."
    if present and not same:
        return f"Entry {seq} is not the one the head names."
    return f"There are entries beyond {seq}, where the head says the ledger ends." if beyond else ""
