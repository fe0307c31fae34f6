"""A tenant's own anchor: an address that is told each checkpoint of its ledger, with the proof that it follows.

Told at most once a minute, and after failures ever more rarely. The address is a user's, so it is called through
the guarded way out only.
"""

import base64
import logging
import threading
from typing import Any
from uuid import UUID

import orjson

from apps.audit import directory, ledger
from apps.audit.merkle import checkpoints, note, tree
from apps.audit.models import AnchorState
from apps.core import egress
from apps.core.actor import Actor
from apps.core.db import fast, loss
from apps.core.errors import Invalid, NotFound
from apps.core.scope import TenantRef, current_tenant, platform_scope, tenant_scope

logger = logging.getLogger("aibos.ledger")

NAME = "webhook"
PAUSE = 5.0
SECONDS = 10.0
MINUTE, LONGEST = 60, 6 * 3600
DUE = """
SELECT a.tenant_id FROM public.audit_anchor a JOIN public.audit_tree t USING (tenant_id)
WHERE a.name = %s AND t.size > a.position AND t.error = '' AND CASE WHEN a.failing_since IS NULL
  THEN a.pushed_at IS NULL OR a.pushed_at <= clock_timestamp() - make_interval(secs => %s)
  ELSE a.failing_since <= clock_timestamp() - make_interval(secs => least(%s, %s * (2 ^ least(a.failures, 20) - 1))) END
ORDER BY a.pushed_at NULLS FIRST LIMIT 50
"""
TOLD = """
UPDATE public.audit_anchor SET position = greatest(position, %s), pushed_at = clock_timestamp(),
  failing_since = NULL, failures = 0, error = '' WHERE tenant_id = %s AND name = %s AND address = %s
"""
FAILED = """
UPDATE public.audit_anchor SET error = %s, failures = failures + 1,
  failing_since = CASE WHEN failures = 0 THEN clock_timestamp() ELSE failing_since END
WHERE tenant_id = %s AND name = %s AND address = %s
"""


class Refused(RuntimeError):
    """The address answered with something else than success."""


def place() -> AnchorState | None:
    """Return the address of the tenant in scope and how it goes with it; None when there is none."""
    return AnchorState.objects.filter(tenant_id=current_tenant().id, name=NAME).first()


def set_place(*, url: str, by: Actor) -> AnchorState:
    """Tell this address every checkpoint of the tenant's ledger from now on; raises Invalid for a forbidden one."""
    try:
        egress.check(url)
    except egress.EgressRefused as error:
        raise Invalid(error.message, code="URL_REFUSED", cure=error.cure) from None
    tenant, before = current_tenant(), place()
    if before is not None:
        AnchorState.objects.filter(tenant_id=tenant.id, name=NAME).update(
            address=url, position=0, pushed_at=None, failing_since=None, failures=0, error=""
        )
    else:
        AnchorState.objects.create(tenant_id=tenant.id, name=NAME, address=url)
    ledger.record(
        "ledger.anchor_set",
        by=by,
        target=f"tenant:{tenant.id}",
        before={"address": before.address if before else None},
        after={"address": url},
    )
    made = place()
    assert made is not None
    return made


def remove_place(*, by: Actor) -> None:
    """Tell the tenant's address nothing any more; raises NotFound when there is none."""
    tenant, before = current_tenant(), place()
    if before is None:
        raise NotFound("This ledger has no anchor of its own.", code="RESOURCE_NOT_FOUND")
    before.delete()
    ledger.record(
        "ledger.anchor_removed", by=by, target=f"tenant:{tenant.id}", before={"address": before.address}
    )


class Teller:
    """Tells tenants' addresses; one that does not answer keeps nobody else waiting for longer than its timeout."""

    def __init__(self, resolver: egress.Resolver | None = None) -> None:
        self._resolver = resolver

    def run_once(self) -> int:
        """Tell every address that is due; return how many took it."""
        with platform_scope("ledger: whose anchors are due"), fast.cursor() as cursor:
            rows = cursor.execute(DUE, [NAME, MINUTE, LONGEST, MINUTE]).fetchall()
            refs = [directory.find(row[0]) for row in rows]
        return sum(self.tell(ref) for ref in refs if ref is not None)

    def run_forever(self, stop: threading.Event) -> None:
        """Look every few seconds until `stop` is set."""
        while not stop.is_set():
            try:
                self.run_once()
            except loss.ERRORS:
                logger.warning("The tenants' anchors lost the database; they are told later.", exc_info=True)
                loss.reset()
            stop.wait(PAUSE)

    def tell(self, tenant: TenantRef) -> bool:
        """Tell one tenant's address the newest checkpoint; return whether it took it. Outside any scope."""
        with tenant_scope(tenant):
            state, message = place(), _message(tenant.id)
        if state is None or message is None:
            return False
        size, body = message
        try:
            self._send(state.address, body)
        except (egress.EgressRefused, egress.EgressFailed, Refused) as error:
            self._note(tenant.id, FAILED, [str(error)[:500], tenant.id, NAME, state.address])
            return False
        self._note(tenant.id, TOLD, [size, tenant.id, NAME, state.address])
        return True

    def _send(self, url: str, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "AI-BOS-Ledger/1"}
        reply = egress.send("POST", url, headers=headers, body=body, seconds=SECONDS, resolver=self._resolver)
        if not 200 <= reply.status < 300:
            raise Refused(f"The address answered {reply.status}.")

    def _note(self, ledger_id: UUID, statement: str, params: list[Any]) -> None:
        with platform_scope("ledger: how it went with a tenant's anchor"), fast.cursor() as cursor:
            cursor.execute(statement, params)


def _message(key: UUID) -> tuple[int, bytes] | None:
    """Return the size and the body of what is told now, in the tenant's scope; None before the first checkpoint."""
    state, newest = place(), checkpoints.latest(key)
    if state is None or newest is None:
        return None
    told = state.position
    origin = note.unchecked(newest.note).origin
    body = {
        "type": "ledger.checkpoint",
        "ledger": str(key),
        "origin": origin,
        "size": newest.size,
        "checkpoint": newest.note,
        "since": told,
        "proof": [_b64(item) for item in tree.consistency(key, told, newest.size)] if told else [],
        "keys": [note.verifier_key(origin, item) for item in note.keys()],  # noqa: SIM118 - a module
    }
    return newest.size, orjson.dumps(body)


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()
