"""The relay: carries the log to the bus, when the bus is another server; the log keeps what it has not taken."""

import threading
from collections.abc import Sequence

from apps.events.bus import choice
from apps.events.bus.contract import Bus, Message
from apps.events.delivery import GROUP, Delivery
from apps.events.reader import Reader


def name_of(bus: Bus) -> str:
    """Return the name of the position from which `bus` is fed."""
    return f"relay.{bus.name}"


class Relay:
    """Publishes the log to a bus, in the log's order, at least once; at PostgreSQL there is nothing to carry."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus or choice.current()

    def run(self, stop: threading.Event) -> None:
        """Publish until `stop` is set."""
        if self._bus.is_log:
            stop.wait()
            return
        self._reader().run(stop)

    def drain(self) -> int:
        """Publish what is settled now; return how many events that were."""
        return 0 if self._bus.is_log else self._reader().drain()

    def _reader(self) -> Reader:
        def publish(batch: Sequence[Message]) -> None:
            self._bus.publish(batch)

        return Reader(name_of(self._bus), publish, bus=self._bus.name)


def deliver_forever(stop: threading.Event) -> None:
    """Hand what the bus brings to the subscribers of this process until `stop` is set."""
    choice.current().consume(GROUP, Delivery(), stop)


def deliver_all() -> int:
    """Carry and hand over what there is now; return how many events were handed over."""
    bus = choice.current()
    Relay(bus).drain()
    return bus.drain(GROUP, Delivery())
