"""What every back end of the bus promises: durable before `publish` returns, each group at least once, in order.

Order holds for the events of one subject. An effect is made once by the inbox (`apps.events.delivery`), not by
the bus, so a back end may deliver twice and must never lose.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol
from uuid import UUID

from apps.core.health import Finding
from apps.events.types import Event


@dataclass(frozen=True)
class Message:
    """An event on its way: `body` is its CloudEvents envelope as written, the rest is for routing."""

    id: UUID
    tenant_id: UUID | None
    type: str
    subject: str | None
    body: bytes

    @property
    def key(self) -> str:
        """What must stay in order: the tenant and the subject (without one, the whole tenant)."""
        return f"{self.tenant_id or 'platform'}/{self.subject or ''}"

    def event(self) -> Event:
        """Return the event that the body holds."""
        return Event.read(self.body)


@dataclass(frozen=True)
class Lag:
    """How far a group is behind: events it has not acknowledged (at least), and the age of the oldest in seconds."""

    events: int
    seconds: float


Handle = Callable[[Sequence[Message]], None]


class Bus(Protocol):
    """A back end. Every method may be called from any thread and any process."""

    name: ClassVar[str]
    # Whether the log itself is the bus: then nothing has to be carried from the log to it.
    is_log: ClassVar[bool]

    def publish(self, batch: Sequence[Message]) -> None:
        """Take the messages in their order; they are durable when this returns. The same id twice counts once."""

    def consume(self, group: str, handle: Handle, stop: threading.Event) -> None:
        """Hand every message to the group until `stop` is set; a batch is acknowledged when `handle` returns.

        When `handle` raises, or the process dies, the batch comes again. Whoever starts a group gets what the back
        end still keeps, from the oldest on.
        """

    def drain(self, group: str, handle: Handle) -> int:
        """Hand over what is there now and return how many messages that were."""

    def lag(self, group: str) -> Lag:
        """Return how far the group is behind."""

    def health(self) -> Finding:
        """Return whether the back end takes and gives messages."""

    def close(self) -> None:
        """Give back connections; the object may be used again afterwards."""
