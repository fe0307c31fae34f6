"""Delivery: hands events to the subscribers in this process, each effect once.

A handler's effects and the inbox row that names it commit together. A handler that raises is undone alone and tried
again as a job; so is every event of a tenant that cannot be entered. Neither holds up its neighbours.
"""

import logging
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from apps.core import context, queue
from apps.core.actor import SYSTEM
from apps.core.db import loss
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.bus.contract import Message
from apps.events.outbox import cause, depth
from apps.events.registry import Subscriber, subscribers
from apps.events.types import Event
from apps.tenants import queries as tenants

logger = logging.getLogger("aibos.events")

GROUP = "handlers"
REDELIVER = "events.redeliver"
TURN_SECONDS = 0.25  # an open transaction keeps ledger and log waiting
PENANCE = 5.0
CHUNK = 50
HANDLED = """
INSERT INTO public.events_inbox (event_id, subscriber, tenant_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
ALL_HANDLED = """
INSERT INTO public.events_inbox (event_id, subscriber, tenant_id)
SELECT event_id, subscriber, %s FROM unnest(%s::uuid[], %s::text[]) AS given(event_id, subscriber)
ON CONFLICT DO NOTHING RETURNING event_id, subscriber
"""


class Delivery:
    """Hands batches to whoever subscribed; a tenant that cannot be entered is not tried for `PENANCE` seconds."""

    def __init__(self) -> None:
        self._shunned: dict[UUID | None, float] = {}

    def __call__(self, batch: Sequence[Message]) -> None:
        """Deliver the batch, tenant by tenant, in the batch's order within each."""
        wanted = [item for item in batch if wanting(item.type)]
        wanted.sort(key=lambda item: str(item.tenant_id or ""))  # stable: the order within a tenant stays
        for tenant_id, items in groupby(wanted, key=lambda item: item.tenant_id):
            self._deliver(tenant_id, [item.event() for item in items])

    def _deliver(self, tenant_id: UUID | None, events: list[Event]) -> None:
        ref = None
        if tenant_id is not None:
            with platform_scope("events: whose they are"):
                found = tenants.snapshot(tenant_id)
            if found is None:
                logger.error("%s events of %s have nobody left to go to.", len(events), tenant_id)
                return
            ref = found.ref
        while events:
            if self._shunned.get(tenant_id, 0.0) > time.monotonic():
                _put_aside(events)
                return
            events = events[self._portion(tenant_id, ref, events) :]

    def _portion(self, tenant_id: UUID | None, ref: TenantRef | None, events: list[Event]) -> int:
        """Deliver as many as fit into one short transaction; return how many are done with."""
        until, done = time.monotonic() + TURN_SECONDS, 0
        try:
            with tenant_scope(ref) if ref else platform_scope("events: delivery"):
                while done < len(events) and time.monotonic() < until:
                    chunk = events[done : done + CHUNK]
                    if not _all_well(tenant_id, chunk):
                        for event in chunk:
                            _hand_over(event)
                    done += len(chunk)
            return done
        except Exception as error:
            if loss.is_lost(error):
                raise
            logger.exception("The events of %s are put aside.", ref.slug if ref else "the platform")
            self._shunned[tenant_id] = time.monotonic() + PENANCE
            return 0


def wanting(event_type: str) -> list[Subscriber]:
    """Return the subscribers of that type, in the order of registration."""
    return [item for _, item in subscribers.items() if item.wants(event_type)]


def _all_well(tenant_id: UUID | None, events: Sequence[Event]) -> bool:
    """Deliver the events in one go; return False, with nothing done, when any handler failed."""
    try:
        with transaction.atomic():
            pairs = [(event, item) for event in events for item in wanting(event.type) if item.when(event)]
            mine = _claim(tenant_id, pairs)
            for event, subscriber in pairs:
                if (event.id, subscriber.name) in mine:
                    _call(event, subscriber)
    except Exception as error:
        if loss.is_lost(error):
            raise
        return False
    return True


def _claim(tenant_id: UUID | None, pairs: Sequence[tuple[Event, Subscriber]]) -> set[tuple[UUID, str]]:
    """Note all of them as handled; return those that were not before."""
    if not pairs:
        return set()
    with connections["default"].cursor() as cursor:
        ids, names = [event.id for event, _ in pairs], [item.name for _, item in pairs]
        cursor.execute(ALL_HANDLED, [tenant_id, ids, names])
        return set(cursor.fetchall())


def _hand_over(event: Event) -> None:
    for subscriber in wanting(event.type):
        try:
            if subscriber.when(event):
                handle(event, subscriber)
        except Exception as error:
            if loss.is_lost(error):
                raise
            logger.warning("%s failed on %s (%s); it is tried again.", subscriber.name, event.id, error)
            _ask_again(event, subscriber)


def _put_aside(events: Sequence[Event]) -> None:
    with platform_scope("events: put aside"):
        for event in events:
            for subscriber in wanting(event.type):
                _ask_again(event, subscriber)


def _ask_again(event: Event, subscriber: Subscriber) -> None:
    queue.enqueue(
        REDELIVER,
        tenant=event.tenant_id,
        args={"subscriber": subscriber.name, "envelope": dict(event.envelope)},
        title=f"{event.type} → {subscriber.name}",
        by=SYSTEM,
        key=f"{event.id}:{subscriber.name}",
    )


@transaction.atomic
def handle(event: Event, subscriber: Subscriber) -> bool:
    """Let one subscriber handle one event, once ever; return False when it had. Runs in the event's scope."""
    with connections["default"].cursor() as cursor:
        cursor.execute(HANDLED, [event.id, subscriber.name, event.tenant_id])
        if not cursor.rowcount:
            return False
    _call(event, subscriber)
    return True


def _call(event: Event, subscriber: Subscriber) -> None:
    token = cause.set(event.id)
    deeper = depth.set(event.depth + 1)
    try:
        with context.carrying(request_id=event.envelope.get("correlationid")):
            subscriber.handle(event)
    finally:
        cause.reset(token)
        depth.reset(deeper)


@queue.task(REDELIVER, tenant="optional", max_attempts=8, sealed=True)
def redeliver(_job: queue.JobHandle, *, subscriber: str, envelope: dict[str, Any]) -> dict[str, Any]:
    """Hand an event to a subscriber that failed on it before."""
    known = subscribers.get(subscriber)
    if known is None:
        msg = f"No subscriber is registered as {subscriber!r}."
        raise LookupError(msg)
    return {"handled": handle(Event.of(envelope), known)}
