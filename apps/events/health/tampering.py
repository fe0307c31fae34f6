"""A ledger that does not hold: a critical event and an alert, until it has been verified good again."""

import datetime as dt
import hashlib
from typing import Any
from uuid import UUID

from apps.audit import directory
from apps.audit.merkle import checkpoints
from apps.audit.types import Verdict
from apps.audit.verdicts import Watcher, judge, watchers
from apps.core import queue
from apps.core.actor import SYSTEM, Actor
from apps.core.ids import NIL
from apps.core.scope import platform_scope
from apps.events import outbox
from apps.events.health import alerts
from apps.events.registry import EventType, register

TAMPERED = "ledger.tampered"
JUDGE = "ledger.judge"
ARGS = {
    "type": "object",
    "properties": {"ledger": {"type": "string", "format": "uuid"}},
    "required": ["ledger"],
    "additionalProperties": False,
}

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


def look_closer() -> None:
    """Ask for the verification of every ledger whose checkpoint is refused, once an hour for the same reason."""
    hour = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H")
    with platform_scope("health: refused checkpoints"):
        for ledger, error in checkpoints.standing().errors:
            reason = hashlib.sha256(error.encode()).hexdigest()[:16]
            queue.enqueue(
                JUDGE,
                tenant=None,
                args={"ledger": str(ledger)},
                title="Verify a ledger that is not signed",
                by=SYSTEM,
                key=f"{ledger}:{reason}:{hour}",
            )


@queue.task(JUDGE, tenant="forbidden", manages_scope=True, schema=ARGS)
def judge_one(_job: queue.JobHandle, ledger: str) -> dict[str, Any]:
    """Verify one ledger (the nil UUID: the platform's) and keep the verdict, whatever it is."""
    key = UUID(ledger)
    with platform_scope("ledger: which one to judge"):
        tenant = directory.find(key) if key != NIL else None
    if tenant is None and key != NIL:
        return {"verified": False}
    verdict = judge(tenant, by=SYSTEM)
    return {"verified": True, "ok": verdict.ok, "entries": verdict.entries}


watchers.register("events.tampering", Watcher(hear))
