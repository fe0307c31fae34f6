"""The three buses, each on a server of its own, and events to put on them."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator

import pytest

from apps.core import canonical
from apps.core.ids import uuid7
from apps.core.scope import TenantRef
from apps.events.bus.contract import Bus, Message
from apps.events.bus.kafka import KafkaBus
from apps.events.bus.nats import NatsBus
from apps.events.bus.postgresql import PostgresBus
from tests.events.bus.servers import NatsServer, kafka_cluster, make_topic, nats_server
from tests.events.working import clear

KINDS = ("postgresql", "nats", "kafka")
_topics = itertools.count()


@pytest.fixture(scope="session")
def nats(tmp_path_factory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    with kafka_cluster() as servers:
        yield servers


@pytest.fixture
def make_bus(request, acme, own_tasks) -> Iterator[Callable[[str], Bus]]:
    """Make a bus of a kind on a topic of this test alone."""
    made, topic = [], f"test{next(_topics)}"
    clear()

    def make(kind: str) -> Bus:
        if kind == "postgresql":
            return PostgresBus()
        if kind == "nats":
            bus = NatsBus(request.getfixturevalue("nats").url, topic)
        else:
            servers = request.getfixturevalue("kafka")
            make_topic(servers, topic)
            bus = KafkaBus(servers, topic)
        made.append(bus)
        return bus

    yield make
    for bus in made:
        bus.close()
    clear()


@pytest.fixture(params=KINDS)
def bus(request, make_bus) -> Bus:
    return make_bus(request.param)


@pytest.fixture
def message(acme: TenantRef) -> Callable[..., Message]:
    """Make an event as the outbox writes it."""

    def make(subject: str = "thing:1", n: int = 0, type: str = "thing.made") -> Message:  # noqa: A002
        event_id = uuid7()
        envelope = {
            "specversion": "1.0",
            "id": event_id,
            "type": type,
            "source": f"/tenants/{acme.id}",
            "subject": subject,
            "time": dt.datetime.now(dt.UTC),
            "tenant": acme.id,
            "actor": "system:system",
            "data": {"n": n},
        }
        return Message(event_id, acme.id, type, subject, canonical.dumps(envelope))

    return make
