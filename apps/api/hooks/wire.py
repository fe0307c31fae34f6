"""Webhooks as the API writes them."""

from datetime import datetime
from typing import Any

from apps.api.contract import TEXT, array, shape
from apps.core.canonical import instant
from apps.events.models import (
    DeliveryState,
    EndpointState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookReceipt,
    WebhookSource,
)
from apps.events.webhooks.payload import SHAPES
from apps.events.webhooks.schemes import SCHEMES

NULL_TEXT = {"type": ["string", "null"]}
MOMENT = {"type": ["string", "null"], "format": "date-time"}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
OPEN = {"type": "object", "additionalProperties": True}
STATE = {"type": "string", "enum": list(EndpointState.values)}
ENDPOINT = shape(
    id=TEXT,
    url=TEXT,
    description=TEXT,
    types=array(TEXT),
    shape={"type": "string", "enum": list(SHAPES)},
    withRecord=FLAG,
    state=STATE,
    disabledFor=NULL_TEXT,
    owner=TEXT,
    failingSince=MOMENT,
    lastSuccessAt=MOMENT,
    lastFailureAt=MOMENT,
    createdAt=MOMENT,
    updatedAt=MOMENT,
)
SECRET = {**TEXT, "description": "Shown this once."}
DELIVERY = shape(
    id=TEXT,
    eventId=TEXT,
    type=TEXT,
    subject=TEXT,
    isTest=FLAG,
    state={"type": "string", "enum": list(DeliveryState.values)},
    attempts=COUNT,
    status={"type": ["integer", "null"]},
    reason=TEXT,
    nextAt=MOMENT,
    createdAt=MOMENT,
    endedAt=MOMENT,
)
ATTEMPT = shape(
    number=COUNT,
    at=MOMENT,
    seconds={"type": "number"},
    address=TEXT,
    request=shape(headers=OPEN, body=TEXT),
    status={"type": ["integer", "null"]},
    failure=TEXT,
    response=shape(headers=OPEN, body=TEXT),
)
SOURCE = shape(
    id=TEXT,
    name=TEXT,
    path=TEXT,
    description=TEXT,
    scheme={"type": "string", "enum": list(SCHEMES)},
    options=OPEN,
    state=STATE,
    received=COUNT,
    lastReceivedAt=MOMENT,
    lastRefusedAt=MOMENT,
    lastRefusal=TEXT,
    createdAt=MOMENT,
)
RECEIPT = shape(id=TEXT, eventId=TEXT, messageId=TEXT, size=COUNT, repeats=COUNT, receivedAt=MOMENT)


def with_secret(schema: Any) -> Any:
    """Return a shape with the secret beside the rest."""
    properties = {**schema["properties"], "secret": SECRET}
    return schema | {"properties": properties, "required": list(properties)}


def moment(value: datetime | None) -> str | None:
    """Return a moment as the API writes it."""
    return instant(value) if value else None


def endpoint(row: WebhookEndpoint) -> dict[str, Any]:
    """Return an endpoint; never its secrets."""
    return {
        "id": str(row.id),
        "url": row.url,
        "description": row.description,
        "types": row.types,
        "shape": row.shape,
        "withRecord": row.with_record,
        "state": row.state,
        "disabledFor": row.disabled_for or None,
        "owner": str(row.owner_id),
        "failingSince": moment(row.failing_since),
        "lastSuccessAt": moment(row.last_success_at),
        "lastFailureAt": moment(row.last_failure_at),
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def delivery(row: WebhookDelivery) -> dict[str, Any]:
    """Return a delivery without its envelope, which the asker may not be allowed to read."""
    return {
        "id": str(row.id),
        "eventId": str(row.event_id),
        "type": row.event_type,
        "subject": row.subject,
        "isTest": row.is_test,
        "state": row.state,
        "attempts": row.attempts,
        "status": row.status,
        "reason": row.reason,
        "nextAt": moment(row.next_at),
        "createdAt": moment(row.created_at),
        "endedAt": moment(row.ended_at),
    }


def attempt(row: WebhookAttempt) -> dict[str, Any]:
    """Return one call with what was sent (without the record's values) and an excerpt of the answer."""
    return {
        "number": row.number,
        "at": moment(row.at),
        "seconds": row.seconds,
        "address": row.address,
        "request": {"headers": row.request_headers, "body": row.request_body},
        "status": row.status,
        "failure": row.failure,
        "response": {"headers": row.response_headers, "body": row.response_body},
    }


def source(row: WebhookSource) -> dict[str, Any]:
    """Return a source; never its secrets."""
    return {
        "id": str(row.id),
        "name": row.name,
        "path": f"/api/v1/hooks/in/{row.name}",
        "description": row.description,
        "scheme": row.scheme,
        "options": row.options,
        "state": row.state,
        "received": row.received,
        "lastReceivedAt": moment(row.last_received_at),
        "lastRefusedAt": moment(row.last_refused_at),
        "lastRefusal": row.last_refusal,
        "createdAt": moment(row.created_at),
    }


def receipt(row: WebhookReceipt) -> dict[str, Any]:
    """Return a message that came in; its content is in the event."""
    return {
        "id": str(row.id),
        "eventId": str(row.event_id),
        "messageId": row.message_id,
        "size": row.size,
        "repeats": row.repeats,
        "receivedAt": moment(row.received_at),
    }
