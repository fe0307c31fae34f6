"""Retention: how long a ledger keeps its entries, and the removal of what is older.

Only a whole beginning is ever removed: entries 1 to N, all of them old, all under a signed checkpoint, after the
ledger was verified, and never while a legal hold stands. The hashes of what was removed stay in the tree, so the
rest still verifies against every checkpoint, and the removal is an entry of its own.
"""

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg import sql

from apps.audit import directory, ledger
from apps.audit.merkle import checkpoints
from apps.audit.models import ExportPosition, Hold, Retention
from apps.audit.privacy.erasure import here
from apps.audit.verify import verify
from apps.core.actor import SYSTEM, Actor
from apps.core.db import fast
from apps.core.db.owner import owner_session
from apps.core.errors import FieldError, Invalid
from apps.core.ids import NIL
from apps.core.scope import TenantRef, platform_scope, tenant_scope

logger = logging.getLogger("aibos.ledger")

FEWEST, MOST = 30, 36_500
STEP = 10_000
# Everything before the first entry that is young enough; the last entry of all stays in any case.
OLD = sql.SQL("""
SELECT least(coalesce((SELECT min(seq) - 1 FROM {entry} WHERE at >= %s), max(seq) - 1), max(seq) - 1) FROM {entry}
""")
ALLOW = "SELECT set_config('audit.prune_until', %s, true)"
REMOVE = sql.SQL("DELETE FROM {entry} WHERE seq > %s AND seq <= %s")
LAST = sql.SQL("SELECT hash FROM {entry} WHERE seq = %s")


@dataclass(frozen=True)
class Pruned:
    """What a removal did: entries removed now, and the number of the last one that is gone; `why` when none was."""

    ledger: str
    removed: int
    until: int
    why: str = ""


def policy() -> Retention:
    """Return the policy of the scope's ledger; without one entries are kept for ever."""
    return Retention.objects.filter(tenant_id=here()).first() or Retention(tenant_id=here())


@transaction.atomic
def set_days(days: int | None, *, by: Actor) -> Retention:
    """Keep entries of the scope's ledger for `days` (None: for ever); raises 400 below 30 days."""
    if days is not None and not FEWEST <= days <= MOST:
        message = _("Entries are kept for at least %(fewest)s days.") % {"fewest": FEWEST}
        raise Invalid(message, [FieldError("days", "out_of_range", message, constraint=FEWEST)])
    row, _made = Retention.objects.get_or_create(tenant_id=here())
    before = row.days
    if before != days:
        row.days, row.changed_at = days, timezone.now()
        row.save(update_fields=["days", "changed_at"])
        ledger.record("retention.changed", by=by, before={"days": before}, after={"days": days})
    return row


def prune_all() -> str:
    """Remove what is too old from every ledger that has a policy; a chore, outside any scope."""
    with platform_scope("retention: which ledgers"):
        due = list(Retention.objects.filter(days__isnull=False).values_list("tenant_id", flat=True))
        refs = {key: directory.find(key) for key in due if key != NIL}
    done = [prune(refs.get(key), by=SYSTEM) for key in due if key == NIL or refs.get(key) is not None]
    return (
        "; ".join(f"{item.ledger}: {item.removed} removed {item.why}".strip() for item in done)
        or "nothing due"
    )


def prune(tenant: TenantRef | None, *, by: Actor, now: dt.datetime | None = None) -> Pruned:
    """Remove the old beginning of one ledger (None: the platform's); outside any scope, by the owner's login.

    A ledger that does not verify, or on which a hold stands, keeps everything.
    """
    name, key = tenant.slug if tenant else "platform", directory.key_of(tenant)
    verdict = verify(tenant)
    if not verdict.ok:
        logger.error("Nothing is removed from the ledger %s: it does not verify.", name)
        return Pruned(name, 0, verdict.pruned, "it does not verify")
    scope = tenant_scope(tenant) if tenant else platform_scope("retention: prune")
    with owner_session(), scope:
        row = Retention.objects.select_for_update().filter(tenant_id=key).first()
        if row is None or row.days is None:
            return Pruned(name, 0, row.pruned_seq if row else 0, "no policy")
        if Hold.objects.filter(tenant_id=key, released_at__isnull=True).exists():
            return Pruned(name, 0, row.pruned_seq, "a legal hold stands")
        until = _until(tenant, key, row, now or timezone.now())
        if until <= row.pruned_seq:
            return Pruned(name, 0, row.pruned_seq, "nothing is old enough")
        return _remove(tenant, row, until, by)


def _until(tenant: TenantRef | None, key: UUID, row: Retention, now: dt.datetime) -> int:
    """Return the number of the last entry that may go: old, signed, and sent to wherever copies are sent."""
    with fast.cursor() as cursor:
        cutoff = now - dt.timedelta(days=row.days or 0)
        found = cursor.execute(OLD.format(entry=_entry(tenant)), [cutoff]).fetchone()
    signed = checkpoints.latest(key)
    limits = [found[0] if found and found[0] is not None else 0, signed.size if signed else 0]
    if settings.SIEM_URL:
        sent = ExportPosition.objects.filter(tenant_id=key).order_by("seq").first()
        limits.append(sent.seq if sent else 0)
    return min(limits)


def _remove(tenant: TenantRef | None, row: Retention, until: int, by: Actor) -> Pruned:
    entry, first = _entry(tenant), row.pruned_seq
    signed = checkpoints.covering(row.tenant_id, until)
    with fast.cursor() as cursor:
        found: Any = cursor.execute(LAST.format(entry=entry), [until]).fetchone()
        cursor.execute(ALLOW, [str(until)])
        for start in range(first, until, STEP):
            cursor.execute(REMOVE.format(entry=entry), [start, min(start + STEP, until)])
        cursor.execute(ALLOW, [""])
    row.pruned_seq, row.pruned_hash, row.pruned_at = until, bytes(found[0]), timezone.now()
    row.save(update_fields=["pruned_seq", "pruned_hash", "pruned_at"])
    details = {"from": first + 1, "until": until, "hash": bytes(found[0]).hex(), "days": row.days}
    if signed is not None:
        details |= {"checkpoint": signed.size, "root": bytes(signed.root).hex()}
    ledger.record("ledger.pruned", by=by, details=details)
    return Pruned(tenant.slug if tenant else "platform", until - first, until)


def _entry(tenant: TenantRef | None) -> sql.Identifier:
    return sql.Identifier(tenant.schema if tenant else "public", "audit_entry")
