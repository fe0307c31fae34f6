"""The relay: hands committed events to their subscribers, in order, at least once with the effect once.

Bounded by the snapshot's xmin like the sequencer, so that no event of a slow transaction is passed over. An
event's handlers, their inbox rows and the removal from the outbox are one transaction of the event's tenant. A
handler that raises is undone alone and tried again as a job, so it never holds up its neighbours.
"""

import logging
import threading
import time
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from psycopg import sql

from apps.core import context, queue
from apps.core.actor import SYSTEM
from apps.core.db import loss
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.outbox import cause
from apps.events.registry import Subscriber, subscribers
from apps.events.types import Event
from apps.tenants import queries as tenants

logger = logging.getLogger("aibos.events")

BATCH, TURN_SECONDS = 500, 0.5
FAST, SLOW = 0.02, 0.25
PENANCE = 5.0
REDELIVER = "events.redeliver"

WAITING = """
WITH RECURSIVE turn AS (
  (SELECT tenant_id FROM public.events_outbox WHERE tenant_id IS NOT NULL ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT o.tenant_id FROM public.events_outbox o WHERE o.tenant_id > turn.tenant_id
          ORDER BY o.tenant_id LIMIT 1)
  FROM turn WHERE turn.tenant_id IS NOT NULL)
SELECT tenant_id FROM turn WHERE tenant_id IS NOT NULL
UNION ALL
SELECT NULL WHERE EXISTS (SELECT 1 FROM public.events_outbox WHERE tenant_id IS NULL)
"""
# One relay a tenant, or two of them would deliver out of order.
ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('events_outbox:' || %s, 0))"
SETTLED = sql.SQL("""
SELECT id, body FROM public.events_outbox
WHERE tenant_id {whose} AND (xid < pg_snapshot_xmin(pg_current_snapshot())
                             OR xid >= pg_snapshot_xmax(pg_current_snapshot()))
ORDER BY xid, id LIMIT {batch}
""")
HANDLED = """
INSERT INTO public.events_inbox (event_id, subscriber, tenant_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
GONE = "DELETE FROM public.events_outbox WHERE id = ANY(%s)"


class Relay:
    """Delivers the outbox of all tenants, each in turn; a broken one waits `PENANCE` seconds."""

    def __init__(self, batch: int = BATCH) -> None:
        self._batch = batch
        self._shunned: dict[UUID | None, float] = {}

    def run_once(self) -> int:
        """Give every tenant with waiting events one turn; return how many events were handed over."""
        now, done = time.monotonic(), 0
        with platform_scope("events: which outboxes wait"), connections["default"].cursor() as cursor:
            cursor.execute(WAITING)
            waiting = [row[0] for row in cursor.fetchall()]
            refs = {key: tenants.snapshot(key) for key in waiting if key is not None}
        for tenant_id in waiting:
            if self._shunned.get(tenant_id, 0.0) > now:
                continue
            found = refs.get(tenant_id)
            if tenant_id is not None and found is None:
                self._shun(tenant_id, now, "there is no such tenant")
                continue
            try:
                done += self._turn(tenant_id, found.ref if found else None)
            except loss.ERRORS as error:
                if loss.is_lost(error):
                    raise
                self._shun(tenant_id, now, str(error))
        return done

    def run_forever(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set, asking every 20 ms under load and every 250 ms at rest."""
        pause = FAST
        while not stop.is_set():
            try:
                pause = FAST if self.run_once() else min(pause * 2, SLOW)
            except loss.ERRORS:
                logger.warning("The relay lost its database; it tries again.", exc_info=True)
                loss.reset()
                pause = 1.0
            stop.wait(pause)

    def _shun(self, tenant_id: UUID | None, now: float, why: str) -> None:
        logger.error("The events of %s wait: %s", tenant_id or "the platform", why)
        self._shunned[tenant_id] = now + PENANCE

    def _turn(self, tenant_id: UUID | None, ref: TenantRef | None) -> int:
        whose = sql.SQL("IS NULL") if tenant_id is None else sql.SQL("= {}").format(sql.Literal(tenant_id))
        until, done = time.monotonic() + TURN_SECONDS, []
        scope = tenant_scope(ref) if ref else platform_scope("events: relay")
        with scope, connections["default"].cursor() as cursor:
            cursor.execute(ALONE, [str(tenant_id)])
            if not cursor.fetchone()[0]:
                return 0
            cursor.execute(SETTLED.format(whose=whose, batch=sql.Literal(self._batch)))
            for event_id, body in cursor.fetchall():
                _deliver(Event.read(bytes(body)))
                done.append(event_id)
                if time.monotonic() > until:
                    break
            if done:
                cursor.execute(GONE, [done])
        return len(done)


def _deliver(event: Event) -> None:
    for name in subscribers:
        subscriber = subscribers[name]
        if not subscriber.wants(event.type):
            continue
        try:
            handle(event, subscriber)
        except Exception as error:
            if loss.is_lost(error):
                raise
            logger.warning("%s failed on %s (%s); it is tried again.", subscriber.name, event.id, error)
            queue.enqueue(
                REDELIVER,
                tenant=event.tenant_id,
                args={"subscriber": subscriber.name, "envelope": dict(event.envelope)},
                title=f"{event.type} → {subscriber.name}",
                by=SYSTEM,
            )


@transaction.atomic
def handle(event: Event, subscriber: Subscriber) -> bool:
    """Let one subscriber handle one event, once ever; return False when it had. Runs in the event's scope."""
    with connections["default"].cursor() as cursor:
        cursor.execute(HANDLED, [event.id, subscriber.name, event.tenant_id])
        if not cursor.rowcount:
            return False
    token = cause.set(event.id)
    try:
        with context.carrying(request_id=event.envelope.get("correlationid")):
            subscriber.handle(event)
    finally:
        cause.reset(token)
    return True


@queue.task(REDELIVER, tenant="optional", max_attempts=8)
def redeliver(_job: queue.JobHandle, *, subscriber: str, envelope: dict[str, Any]) -> dict[str, Any]:
    """Hand an event to a subscriber that failed on it before."""
    known = subscribers.get(subscriber)
    if known is None:
        msg = f"No subscriber is registered as {subscriber!r}."
        raise LookupError(msg)
    return {"handled": handle(Event.of(envelope), known)}
