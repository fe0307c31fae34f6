"""Receiving: a message that is genuine, fresh and new becomes the event `webhook.received`, in one transaction."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections
from django.utils import timezone

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Invalid, NotFound, Problem
from apps.core.ids import NIL, uuid7
from apps.core.scope import TenantRef, current_tenant, tenant_scope
from apps.events import outbox
from apps.events.models import EndpointState, WebhookSource
from apps.events.registry import EventType, register
from apps.events.webhooks import secrets, sources
from apps.events.webhooks.schemes import SCHEMES, Genuine, Given, Refusal
from apps.identity import seen

MOST_BYTES = 262_144
RECEIVED = "webhook.received"
TEXT = {"type": "string"}
TAKE = """
INSERT INTO public.webhooks_receipt
  (id, tenant_id, source_id, replay_key, message_id, event_id, size, repeats)
VALUES (%s, %s, %s, %s, %s, %s, %s, 0)
ON CONFLICT (source_id, replay_key) DO UPDATE SET repeats = webhooks_receipt.repeats + 1
RETURNING event_id
"""
COUNT = """
UPDATE public.webhooks_source SET received = received + 1, last_received_at = clock_timestamp() WHERE id = %s
"""

register(
    EventType(
        RECEIVED,
        "A message came in through an incoming webhook and was genuine.",
        {
            "type": "object",
            "properties": {
                "source": TEXT,
                "messageid": TEXT,
                "contenttype": TEXT,
                "payload": {"description": "The JSON that came; numbers with a fraction are text."},
                "text": {"type": "string", "description": "The body when it is no JSON."},
                "base64": {"type": "string", "description": "The body when it is no text."},
            },
            "required": ["source", "messageid", "contenttype"],
            "additionalProperties": False,
        },
    )
)


@dataclass(frozen=True)
class Received:
    """What the sender is told: the event the message became, and whether it had come before.

    A message that only asks whether the address is ours becomes no event; its answer is `challenge`.
    """

    event_id: UUID
    repeated: bool
    challenge: str | None = None


class Unverified(Problem):
    """401: the sender learns nothing of why; the source's page tells its owners."""

    def __init__(self) -> None:
        super().__init__("SIGNATURE_INVALID", "The message could not be verified.", status=401)


def receive(tenant: TenantRef, name: str, *, headers: Mapping[str, str], body: bytes) -> Received:
    """Take a message for a source of the tenant; outside any scope.

    Raises NotFound (no such source, or paused), Unverified, and Invalid for a body that cannot be kept.
    """
    try:
        with tenant_scope(tenant):
            source = _source(name)
            given = Given({key.lower(): value for key, value in headers.items()}, body, time.time())
            genuine = SCHEMES[source.scheme].verify(given, secrets.valid(source.id), source.options)
            if source.scheme == "slack" and (challenge := _challenge(body)) is not None:
                return Received(NIL, repeated=False, challenge=challenge)
            return _take(source, genuine, given)
    except Refusal as refusal:
        _note(tenant, name, str(refusal))
        raise Unverified from None


def _source(name: str) -> WebhookSource:
    rows = WebhookSource.objects.filter(tenant_id=current_tenant().id, name=name, state=EndpointState.ACTIVE)
    row = rows.first()
    if row is None:
        raise NotFound("There is no such incoming webhook.", code="RESOURCE_NOT_FOUND")
    return row


def _take(source: WebhookSource, genuine: Genuine, given: Given) -> Received:
    event_id = uuid7()
    same = hashlib.sha256(genuine.same).digest()
    row: list[Any] = [
        uuid7(),
        source.tenant_id,
        source.id,
        same,
        _clean(genuine.message_id),
        event_id,
        len(given.body),
    ]
    with connections["default"].cursor() as cursor:
        cursor.execute(TAKE, row)
        first = UUID(str(cursor.fetchone()[0]))
        if first != event_id:
            return Received(first, repeated=True)
        cursor.execute(COUNT, [source.id])
    by = Actor("system", f"webhook:{source.name}", f"Webhook {source.name}", tenant_id=source.tenant_id)
    data = {
        "source": source.name,
        "messageid": _clean(genuine.message_id),
        "contenttype": _clean(given.headers.get("content-type", ""))[:200],
    }
    try:
        emitted = outbox.emit(
            RECEIVED, subject=sources.target(source), data=data | _content(given.body), by=by
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise Invalid("The body cannot be kept as an event.") from error
    with connections["default"].cursor() as cursor:
        cursor.execute("UPDATE public.webhooks_receipt SET event_id = %s WHERE id = %s", [emitted, row[0]])
    details = {"source": source.name, "message": data["messageid"], "bytes": len(given.body)}
    ledger.record("webhook_source.received", by=by, target=sources.target(source), details=details)
    return Received(emitted, repeated=False)


def _challenge(body: bytes) -> str | None:
    """Return what Slack wants to hear back before it sends anything."""
    payload = _content(body).get("payload")
    asked = payload if isinstance(payload, dict) and payload.get("type") == "url_verification" else {}
    return str(asked["challenge"])[:500] if "challenge" in asked else None


def _content(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
    try:
        return {"payload": json.loads(text, parse_float=str, parse_constant=_no_constant)}
    except (ValueError, RecursionError):
        return {"text": text}


def _no_constant(name: str) -> Any:
    msg = f"{name} is no JSON."
    raise ValueError(msg)


def _clean(text: str) -> str:
    return text.replace("\x00", "")


def _note(tenant: TenantRef, name: str, why: str) -> None:
    """Write a refusal down, at most once a minute for each source: whoever sends rubbish must not fill the ledger."""
    if not seen.first(f"webhook:{tenant.id}:{name}"):
        return
    with tenant_scope(tenant):
        source = _source(name)
        source.last_refused_at, source.last_refusal, source.refused = (
            timezone.now(),
            why,
            source.refused + 1,
        )
        source.save(update_fields=["last_refused_at", "last_refusal", "refused"])
        by = Actor("system", f"webhook:{source.name}", f"Webhook {source.name}", tenant_id=source.tenant_id)
        ledger.record(
            "webhook_source.refused",
            by=by,
            target=sources.target(source),
            details={"reason": why, "outcome": "denied"},
        )
