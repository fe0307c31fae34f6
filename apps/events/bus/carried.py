"""Events as they travel through a server: the CloudEvents envelope as it was written, read back into a message."""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

import orjson

from apps.events.bus.contract import Message

logger = logging.getLogger("aibos.events")

CONTENT_TYPE = "application/cloudevents+json"
REMEMBERED = 20_000


def read(body: bytes) -> Message | None:
    """Return the message of an envelope; None, and a line in the log, for what is no event of ours."""
    try:
        values = orjson.loads(body)
        tenant = values.get("tenant")
        return Message(
            UUID(values["id"]),
            UUID(tenant) if tenant else None,
            str(values["type"]),
            values.get("subject"),
            body,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("Something that is no event lies on the bus and is passed over (%s).", error)
        return None


class Seen:
    """The ids that were handled lately: a server may hold an event twice, the group gets it once.

    Only a comfort: what it forgets, the inbox knows.
    """

    def __init__(self, room: int = REMEMBERED) -> None:
        self._ids: OrderedDict[UUID, None] = OrderedDict()
        self._room = room

    def new(self, messages: Iterable[Message]) -> list[Message]:
        """Return those that were not handled, each id once, in their order."""
        found = {item.id: item for item in reversed(list(messages)) if item.id not in self._ids}
        return list(reversed(found.values()))

    def add(self, messages: Iterable[Message]) -> None:
        """Remember these as handled."""
        for item in messages:
            self._ids[item.id] = None
        while len(self._ids) > self._room:
            self._ids.popitem(last=False)
