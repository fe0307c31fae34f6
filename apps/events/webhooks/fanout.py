"""From the log to deliveries: each event becomes one delivery per endpoint that asked for its type."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections

from apps.core.canonical import plain
from apps.core.clock import Clocked
from apps.core.ids import uuid7
from apps.core.scope import current_tenant
from apps.events.models import EndpointState, WebhookDelivery, WebhookEndpoint
from apps.events.registry import subscribe
from apps.events.types import Event
from apps.events.webhooks import patterns
from apps.events.webhooks.delivering import ask

INSERT = """
INSERT INTO public.webhooks_delivery
  (id, tenant_id, endpoint_id, event_id, event_type, subject, envelope, is_test, state, attempts, reason)
VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, false, 'waiting', 0, '') ON CONFLICT (endpoint_id, event_id) DO NOTHING
"""


@dataclass(frozen=True)
class Wanting:
    """An active endpoint and what it asked for."""

    id: UUID
    types: tuple[str, ...]


def _load() -> tuple[Wanting, ...]:
    rows = WebhookEndpoint.objects.filter(tenant_id=current_tenant().id, state=EndpointState.ACTIVE)
    return tuple(Wanting(key, tuple(types)) for key, types in rows.order_by("id").values_list("id", "types"))


active: Clocked[tuple[Wanting, ...]] = Clocked(_load)


def wanting(event_type: str) -> list[UUID]:
    """Return the active endpoints of the current tenant that asked for a type; no query while nothing changed."""
    return [item.id for item in active.get() if patterns.wanted(item.types, event_type)]


def concerns_somebody(event: Event) -> bool:
    """Return whether an endpoint of the event's tenant asked for its type."""
    return event.tenant_id is not None and bool(wanting(event.type))


@subscribe("webhooks", "*", when=concerns_somebody)
def fan_out(event: Event) -> None:
    """Write the deliveries of an event and ask for their jobs, in the transaction that marks it as handled."""
    if event.tenant_id is None:
        return
    for endpoint_id in wanting(event.type):
        delivery_id = uuid7()
        row: list[Any] = [
            delivery_id,
            event.tenant_id,
            endpoint_id,
            event.id,
            event.type,
            event.subject or "",
        ]
        with connections["default"].cursor() as cursor:
            cursor.execute(INSERT, [*row, json.dumps(plain(dict(event.envelope)))])
            if not cursor.rowcount:
                continue
        found = WebhookDelivery.objects.get(pk=delivery_id)
        found.job_id = ask(found)
        found.save(update_fields=["job_id"])
