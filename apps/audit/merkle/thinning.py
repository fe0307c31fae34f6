"""Thinning old checkpoints: each costs half a kilobyte every ten seconds of a busy ledger, for ever.

All of the last week stay, then the last of each hour, after three months the last of each day. Nothing is lost to
proofs: they come from the tiles, between any two sizes; what is coarser is only since when an entry is known to be fixed.
"""

from apps.audit.models import ROOTS
from apps.core.db import fast
from apps.core.db.owner import owner_session
from apps.core.scope import platform_scope

THIN = """
DELETE FROM public.audit_checkpoint c USING (
  SELECT tenant_id, size, row_number() OVER (
    PARTITION BY tenant_id, CASE WHEN at < now() - interval '90 days' THEN date_trunc('day', at)
                                 ELSE date_trunc('hour', at) END ORDER BY size DESC) AS place
  FROM public.audit_checkpoint
  WHERE at < now() - interval '7 days' AND (position IS NOT NULL OR tenant_id = %s)) old
WHERE c.tenant_id = old.tenant_id AND c.size = old.size AND old.place > 1
"""


def thin() -> str:
    """Remove what the rule does not keep, by the owner's login; outside any scope."""
    with owner_session(), platform_scope("ledger: thin old checkpoints"), fast.cursor() as cursor:
        count = cursor.execute(THIN, [ROOTS]).rowcount
    return f"{count} checkpoints removed"
