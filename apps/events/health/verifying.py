"""Verifying on demand: at once while the ledger is short, as a job when people would have to wait."""

from typing import Any
from uuid import UUID

from apps.audit import directory
from apps.audit.models import Head
from apps.audit.types import Verdict
from apps.audit.verdicts import judge
from apps.core import queue
from apps.core.actor import Actor
from apps.core.ids import NIL
from apps.core.scope import TenantRef, platform_scope

TASK = "ledger.judge"
AT_ONCE = 200_000
ARGS = {
    "type": "object",
    "properties": {"ledger": {"type": "string", "format": "uuid"}},
    "required": ["ledger"],
    "additionalProperties": False,
}


def verify(tenant: TenantRef | None, *, by: Actor) -> Verdict | UUID:
    """Return the verdict on a ledger, or the id of the job that finds it when there are many entries.

    Called in the ledger's own scope, or in the platform's. Whoever asks has been allowed to by the caller.
    """
    head = Head.objects.filter(pk=directory.key_of(tenant)).first()
    if head is None or head.seq <= AT_ONCE:
        return judge(tenant, by=by)
    return enqueue(directory.key_of(tenant), tenant_id=tenant.id if tenant else None, by=by)


def enqueue(ledger: UUID, *, tenant_id: UUID | None, by: Actor, key: str | None = None) -> UUID:
    """Ask for the verification of one ledger as a job, for its tenant to follow or (None) for operators."""
    args = {"ledger": str(ledger)}
    return queue.enqueue(TASK, tenant=tenant_id, args=args, title="Verify the ledger", by=by, key=key)


@queue.task(TASK, tenant="optional", manages_scope=True, schema=ARGS)
def judge_one(job: queue.JobHandle, ledger: str) -> dict[str, Any]:
    """Verify one ledger (the nil UUID: the platform's) and keep the verdict, whatever it is."""
    key = UUID(ledger)
    if job.tenant_id is not None and key != job.tenant_id:
        return {"verified": False}
    with platform_scope("ledger: which one to judge"):
        tenant = directory.find(key) if key != NIL else None
    if tenant is None and key != NIL:
        return {"verified": False}
    verdict = judge(tenant, by=job.by)
    return {"verified": True, "ok": verdict.ok, "entries": verdict.entries, "head": verdict.head}
