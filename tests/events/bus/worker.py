"""A process of the bus for tests: relays and delivers with one back end until it is killed.

Arguments: kind, url or servers, topic. The subscriber `tally` writes one row an event into `public.bus_tally`.
"""

import sys
import threading

import django

django.setup()

from django.db import connections  # noqa: E402

from apps.events.bus.contract import Bus  # noqa: E402
from apps.events.bus.kafka import KafkaBus  # noqa: E402
from apps.events.bus.nats import NatsBus  # noqa: E402
from apps.events.bus.postgresql import PostgresBus  # noqa: E402
from apps.events.delivery import GROUP, Delivery  # noqa: E402
from apps.events.registry import EventType, register, subscribe, subscribers  # noqa: E402
from apps.events.relay import Relay  # noqa: E402
from apps.events.types import Event  # noqa: E402

TYPE = "tally.made"


def prepare() -> None:
    """Leave the tally as the only subscriber."""
    subscribers._values.clear()
    register(EventType(TYPE, "A tally was made."))

    @subscribe("tally", TYPE)
    def tally(event: Event) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "INSERT INTO public.bus_tally (event_id, subject, n) VALUES (%s, %s, %s)",
                [event.id, event.subject, event.data["n"]],
            )


def bus_of(kind: str, address: str, topic: str) -> Bus:
    if kind == "nats":
        return NatsBus(address, topic)
    return KafkaBus(address, topic) if kind == "kafka" else PostgresBus()


if __name__ == "__main__":
    prepare()
    bus, stop = bus_of(*sys.argv[1:4]), threading.Event()
    relay = threading.Thread(target=Relay(bus).run, args=(stop,), daemon=True)
    relay.start()
    print("ready", flush=True)
    bus.consume(GROUP, Delivery(), stop)
