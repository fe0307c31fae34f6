"""Verifying with consequences: every verdict is kept, written into the ledger, and told to whoever watches.

Pages, commands and the nightly chore call `judge`; `verify` alone only computes. What is kept is committed on a
connection of its own, so that no rollback of the asking page takes it back.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Q

from apps.audit import directory, ledger
from apps.audit.aside import Aside
from apps.audit.models import Verification
from apps.audit.types import BadEntry, Verdict
from apps.audit.verify import LedgerTampered, verify
from apps.core.actor import SYSTEM, Actor
from apps.core.db import loss
from apps.core.ids import NIL
from apps.core.registry import Registry
from apps.core.scope import TenantRef, platform_scope

logger = logging.getLogger("aibos.ledger")

KEEP = 100
PATIENCE = 20.0
FORGET = """
DELETE FROM public.audit_verification WHERE tenant_id IS NOT DISTINCT FROM %s AND id NOT IN (
  SELECT id FROM public.audit_verification WHERE tenant_id IS NOT DISTINCT FROM %s ORDER BY id DESC LIMIT %s)
"""
side = Aside("ledger verdicts")


@dataclass(frozen=True)
class Watcher:
    """Hears every verdict, good or bad, in the platform's scope and in the transaction that keeps it."""

    hear: Callable[[Verdict, Actor], None]


watchers: Registry[Watcher] = Registry("verdict watchers", Watcher)


def judge(tenant: TenantRef | None, *, by: Actor) -> Verdict:
    """Recompute a ledger (None: the platform's), keep the verdict and tell the watchers; return it.

    A ledger that cannot be read does not hold: that is a verdict too. Enters its own scope. Raises only what a
    lost database raises.
    """
    verdict = _compute(tenant)
    side.submit(lambda: _keep(verdict, by), note=repr(verdict).encode()).result(timeout=PATIENCE)
    return verdict


def judge_all(*, by: Actor) -> Iterator[Verdict]:
    """Judge the platform's ledger, then every tenant's, one after the other."""
    yield judge(None, by=by)
    with platform_scope("ledger: which ledgers to judge"):
        refs = directory.every()
    for ref in refs:
        yield judge(ref, by=by)


def judge_nightly() -> str:
    """Judge every ledger; raise `LedgerTampered` when one does not hold, so that its job fails for all to see."""
    verdicts = list(judge_all(by=SYSTEM))
    bad = [f"{item.ledger}: {item.bad.message}" for item in verdicts if item.bad]
    if bad:
        raise LedgerTampered("; ".join(bad))
    return f"{len(verdicts)} ledgers, {sum(item.entries for item in verdicts)} entries"


def newest(tenants: Iterable[UUID | None]) -> dict[UUID | None, Verification]:
    """Return the last verification of each of these ledgers (None: the platform's) that has been verified."""
    wanted = set(tenants)
    ids = [key for key in wanted if key is not None]
    rows = Verification.objects.filter(
        Q(tenant_id__in=ids) | (Q(tenant_id=None) if None in wanted else Q(pk=NIL))
    )
    return {row.tenant_id: row for row in rows.order_by("tenant_id", "-id").distinct("tenant_id")}


def recent(tenant_id: UUID | None, limit: int = 10) -> list[Verification]:
    """Return the last verifications of a ledger, newest first."""
    return list(Verification.objects.filter(tenant_id=tenant_id).order_by("-id")[:limit])


def _compute(tenant: TenantRef | None) -> Verdict:
    try:
        return verify(tenant)
    except loss.ERRORS as error:
        if loss.is_lost(error):
            raise
        logger.exception("The ledger of %s cannot be read.", tenant.slug if tenant else "the platform")
        first = str(error).strip().partition("\n")[0]
        return Verdict(
            ledger=tenant.slug if tenant else "platform",
            tenant_id=tenant.id if tenant else None,
            entries=0,
            head="",
            pending=0,
            seconds=0.0,
            bad=BadEntry(0, "unreadable", f"The ledger cannot be read: {first}"),
        )


def _keep(verdict: Verdict, by: Actor) -> None:
    bad = verdict.bad
    Verification.objects.create(
        tenant_id=verdict.tenant_id,
        actor=f"{by.kind}:{by.label}",
        entries=verdict.entries,
        pending=verdict.pending,
        head=verdict.head,
        seconds=verdict.seconds,
        bad_seq=bad.seq if bad else None,
        flaw=bad.flaw if bad else "",
        message=bad.message if bad else "",
        details={"pruned": verdict.pruned, **dataclasses.asdict(verdict.proven)},
    )
    with connections["default"].cursor() as cursor:
        cursor.execute(FORGET, [verdict.tenant_id, verdict.tenant_id, KEEP])
    details: dict[str, Any] = {"entries": verdict.entries, "ok": verdict.ok, "head": verdict.head}
    if bad:
        details |= {"seq": bad.seq, "flaw": bad.flaw, "message": bad.message}
    ledger.record("ledger.verified", by=by, tenant=verdict.tenant_id, details=details)
    for name in watchers:
        watchers[name].hear(verdict, by)
