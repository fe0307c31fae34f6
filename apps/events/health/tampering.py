"""A ledger that does not hold: a critical event and an alert, until it has been verified good again."""

import datetime as dt
import hashlib
import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.audit import directory, report
from apps.audit.glance import glance
from apps.audit.merkle import checkpoints
from apps.audit.types import Verdict
from apps.audit.verdicts import Watcher, watchers
from apps.core.actor import SYSTEM, Actor
from apps.core.db import loss
from apps.core.scope import TenantRef, platform_scope
from apps.events import outbox
from apps.events.health import alerts, verifying
from apps.events.models import Alert
from apps.events.registry import EventType, register

logger = logging.getLogger("aibos.health")

TAMPERED = "ledger.tampered"

register(
    EventType(
        TAMPERED,
        "A ledger does not hold: somebody changed it outside the product.",
        {
            "type": "object",
            "properties": {
                "ledger": {"type": "string"},
                "seq": {"type": "integer"},
                "flaw": {"type": "string"},
                "message": {"type": "string"},
            },
            "required": ["ledger", "seq", "flaw", "message"],
        },
    )
)


def hear(verdict: Verdict, by: Actor) -> None:
    """Raise the alarm for a bad verdict, end it after a good one. In the platform's scope."""
    bad = verdict.bad
    if bad is None:
        alerts.resolve(
            TAMPERED,
            subject=verdict.ledger,
            tenant_id=verdict.tenant_id,
            resolution=f"Verified again: all {verdict.entries} entries hold.",
            by=by,
        )
        return
    data = {"ledger": verdict.ledger, "seq": bad.seq, "flaw": bad.flaw, "message": bad.message}
    for book in dict.fromkeys([None, verdict.tenant_id]):
        outbox.emit(TAMPERED, subject=f"ledger:{verdict.ledger}", data=data, by=by, tenant=book)
    alerts.raise_alert(
        TAMPERED,
        subject=verdict.ledger,
        tenant_id=verdict.tenant_id,
        message=f"The ledger “{verdict.ledger}” does not hold from entry {bad.seq} on. {bad.message}",
        details=data | {"mark": f"{bad.seq}:{bad.flaw}"},
    )


def look_closer() -> int:
    """Glance at the end of every ledger, and ask for the verification of those that look wrong or are not signed.

    The same reason asks once an hour. Returns how many look wrong. Outside any scope.
    """
    with platform_scope("health: which ledgers to glance at"):
        refs = directory.every()
        wrong = dict(checkpoints.standing().errors)
    for ref in (None, *refs):
        try:
            found = glance(ref)
        except loss.ERRORS as error:
            if loss.is_lost(error):
                raise
            found = f"{type(error).__name__}: {error}"
        if found:
            wrong[directory.key_of(ref)] = found
    if wrong:
        _ask(wrong)
    return len(wrong)


def _ask(wrong: Mapping[UUID, str]) -> None:
    hour = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H")
    with platform_scope("health: ledgers that look wrong"):
        for ledger, why in wrong.items():
            logger.critical("The ledger %s looks wrong and is verified: %s", ledger, why)
            reason = hashlib.sha256(why.encode()).hexdigest()[:16]
            verifying.enqueue(ledger, tenant_id=None, by=SYSTEM, key=f"{ledger}:{reason}:{hour}")


watchers.register("events.tampering", Watcher(hear))


def about(tenant: TenantRef | None) -> list[Mapping[str, Any]]:
    """Return the open alerts about a ledger, for its integrity report."""
    rows = Alert.objects.filter(kind=TAMPERED, resolved_at=None, tenant_id=tenant.id if tenant else None)
    return [
        {
            "id": row.id,
            "raisedAt": row.raised_at,
            "message": row.message,
            "acknowledged": row.operators_ack_at is not None,
        }
        for row in rows.order_by("-id")
    ]


report.sections.register("alerts", report.Section(about))
