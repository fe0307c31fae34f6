"""What is sent: the event as the endpoint's owner may see it now, with the record if the endpoint wants it."""

from collections.abc import Mapping
from typing import Any

import orjson

from apps.core.actor import Actor
from apps.core.canonical import plain
from apps.core.registry import Registry
from apps.events.types import Event

# Receivers of the specification expect less than this; a larger record is left out.
MOST_BYTES = 20_000
LOG_ROOM = 20_000
SHAPES: Mapping[str, str] = {
    "cloudevents": "application/cloudevents+json; charset=utf-8",
    "plain": "application/json; charset=utf-8",
}


class Teller:
    """Tells the record that an event is about; registered by the app that keeps records."""

    def record(self, event: Event, *, by: Actor) -> bytes | None:
        """Return the record's readable fields as JSON, or None when there is none to read."""
        raise NotImplementedError


tellers: Registry[Teller] = Registry("tellers of webhooks", Teller)


def body(event: Event, *, shape: str, with_record: bool, by: Actor) -> tuple[bytes, str]:
    """Return the bytes to send, and the text that the log keeps: the same without the record's values."""
    data: dict[str, Any] = dict(event.data)
    plainly = _encoded(event, data, shape)
    if not with_record:
        return plainly, _shortened(plainly)
    record = next((found for _, teller in tellers.items() if (found := teller.record(event, by=by))), None)
    if record is None:
        return plainly, _shortened(plainly)
    full = _encoded(event, data | {"record": orjson.Fragment(record)}, shape)
    if len(full) > MOST_BYTES:
        plainly = _encoded(event, data | {"recordomitted": "too large"}, shape)
        return plainly, _shortened(plainly)
    names = sorted(orjson.loads(record))
    return full, _shortened(_encoded(event, data | {"record": dict.fromkeys(names, "…")}, shape))


def _encoded(event: Event, data: Mapping[str, Any], shape: str) -> bytes:
    if shape == "plain":
        values = {"type": event.type, "timestamp": event.envelope["time"], "id": str(event.id)}
        values |= {"subject": event.subject} if event.subject else {}
        return orjson.dumps(values | {"data": data}, default=plain)
    return orjson.dumps({**event.envelope, "data": data}, default=plain)


def _shortened(body_bytes: bytes) -> str:
    return body_bytes[:LOG_ROOM].decode(errors="replace")
