"""Going on after a backup was put in place: trees are signed under a new generation of their name, openly.

What lies outside still speaks of entries that are gone, so under the old name every verification would say
"rolled back", and rightly. A restart names the generation (`…/2` follows `…`), and an entry says why. Whoever
keeps old checkpoints sees both. Without it nothing is hidden either: the alarm just stays.
"""

import logging
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.audit import directory, ledger
from apps.audit.merkle.checkpoints import origin_of
from apps.audit.merkle.hashing import EMPTY
from apps.audit.models import ROOTS
from apps.core.actor import SYSTEM, Actor
from apps.core.db import fast
from apps.core.ids import NIL
from apps.core.scope import TenantRef, platform_scope, tenant_scope

logger = logging.getLogger("aibos.ledger")

MARKER = "restored"
LOCK = "SELECT origin, size, root FROM public.audit_tree WHERE tenant_id = %s FOR UPDATE"
RENAME = """
UPDATE public.audit_tree SET origin = %s, anchored = '{}', error = '', moved_at = 'epoch' WHERE tenant_id = %s
"""
CLOSED = """
SELECT count(*) FROM (
  SELECT 1 FROM public.audit_entry WHERE action = 'ledger.closed' AND target = %s
  UNION ALL
  SELECT 1 FROM public.audit_pending WHERE action = 'ledger.closed' AND target = %s AND tenant_id IS NULL) x
"""
BEGIN = """
INSERT INTO public.audit_tree (tenant_id, origin, size, root, link) VALUES (%s, %s, 0, %s, %s)
ON CONFLICT (tenant_id) DO UPDATE SET origin = excluded.origin
"""


def restart_all(*, by: Actor, reason: str) -> int:
    """Give every tree the next generation of its name, with an entry in each ledger; return how many there were.

    Outside any scope; for a whole installation that was put back to a backup.
    """
    with platform_scope("ledger: which trees start again"), fast.cursor() as cursor:
        keys = [row[0] for row in cursor.execute("SELECT tenant_id FROM public.audit_tree").fetchall()]
        refs = {key: directory.find(key) for key in keys if key not in (NIL, ROOTS)}
    done = sum(restart(ref, by=by, reason=reason) for ref in refs.values() if ref)
    return done + restart(None, by=by, reason=reason)


def restart(tenant: TenantRef | None, *, by: Actor, reason: str) -> int:
    """Give one ledger's tree the next generation of its name; the platform's own comes with the tree over all.

    Returns how many trees were renamed. Outside any scope.
    """
    scope = tenant_scope(tenant) if tenant else platform_scope("ledger: start a tree again")
    done = 0
    with scope, fast.cursor() as cursor:
        for key in (directory.key_of(tenant),) if tenant else (NIL, ROOTS):
            done += _rename(cursor, key, by, reason)
    return done


def begin(tenant_id: UUID) -> None:
    """Name the tree of a ledger that comes back after it was closed here; in the platform's scope."""
    target = f"tenant:{tenant_id}"
    with fast.cursor() as cursor:
        closed = (cursor.execute(CLOSED, [target, target]).fetchone() or (0,))[0]
        if closed:
            origin = f"{origin_of(tenant_id)}/{closed + 1}"
            cursor.execute(BEGIN, [tenant_id, origin, EMPTY, bytes(32)])


def restart_if_restored() -> bool:
    """Restart all trees when a restored backup left its marker beside the anchors; return whether it did."""
    marker = Path(settings.LEDGER_ANCHOR_ROOT) / MARKER
    try:
        reason = marker.read_text(encoding="utf-8").strip() or "a backup was restored"
        marker.unlink()  # of two pumps only one gets here
    except FileNotFoundError:
        return False
    count = restart_all(by=SYSTEM, reason=reason)
    logger.warning("%s trees are signed under a new generation: %s", count, reason)
    return True


def _rename(cursor: Any, key: UUID, by: Actor, reason: str) -> int:
    row = cursor.execute(LOCK, [key]).fetchone()
    if row is None:
        return 0
    origin, size, root = row
    base = origin_of(key) if origin.startswith(origin_of(key)) else origin
    generation = origin.removeprefix(base).strip("/")
    fresh = f"{base}/{int(generation or 1) + 1}"
    cursor.execute(RENAME, [fresh, key])
    ledger.record(
        "ledger.restarted",
        by=by,
        before={"origin": origin, "size": size, "root": bytes(root).hex()},
        after={"origin": fresh},
        details={"reason": reason},
    )
    return 1
