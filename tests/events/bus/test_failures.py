"""What goes wrong with a server of the bus: gone, killed, emptied, or holding what is no event."""

import asyncio
import os

import nats as client
import pytest
from confluent_kafka import Producer

from apps.core.actor import SYSTEM
from apps.core.scope import platform_scope
from apps.events import positions
from apps.events.bus.kafka import KafkaBus
from apps.events.bus.nats import FAULTS, NatsBus
from apps.events.bus.postgresql import PostgresBus
from apps.events.bus.rewind import rewind
from apps.events.positions import BEGINNING
from apps.events.relay import Relay, name_of
from tests.events.bus.servers import nats_server
from tests.events.bus.test_contract import GROUP, drained
from tests.settling import settled


@pytest.fixture
def own(tmp_path, acme, own_tasks):
    """A NATS server of this test alone, and a bus on it."""
    with nats_server(tmp_path) as server:
        bus = NatsBus(server.url, f"own{os.urandom(3).hex()}")
        yield server, bus
        bus.close()


def test_what_was_published_survives_the_death_of_the_server(own, message):
    server, bus = own
    sent = [message(n=n) for n in range(50)]
    bus.publish(sent)
    server.kill()
    server.start()
    assert drained(bus, sent).ids == [item.id for item in sent]


def test_a_group_goes_on_behind_a_restart(own, message):
    server, bus = own
    first, second = [message(n=1)], [message(n=2)]
    bus.publish(first)
    assert drained(bus, first).ids == [first[0].id]
    server.kill()
    server.start()
    bus.publish(second)
    assert drained(bus, first + second).ids == [second[0].id]


@pytest.mark.long
def test_a_server_that_is_gone_fails_loudly_and_the_relay_goes_on_later(own, acme, message):
    server, bus = own
    sent = [message(n=n) for n in range(3)]

    PostgresBus().publish(sent)
    settled()
    server.kill()
    assert bus.health().status == "failed"
    with pytest.raises(FAULTS):
        Relay(bus).drain()
    with platform_scope("test"):
        assert positions.of(name_of(bus), bus=bus.name) == BEGINNING  # nothing counts as carried
    server.start()
    assert Relay(bus).drain() >= 3
    assert drained(bus, sent).ids == [item.id for item in sent]


def test_a_stream_that_lost_everything_is_read_anew(own, message):
    """A server that acknowledged before it wrote, and lost power: the group must not wait for numbers to come back."""
    server, bus = own
    first = [message(n=n) for n in range(10)]
    bus.publish(first)
    drained(bus, first)
    server.kill()
    server.wipe()
    server.start()
    later = [message(n=n) for n in range(3)]
    bus.publish(later)
    assert bus.lag(GROUP).events == 3
    assert drained(bus, later).ids == [item.id for item in later]


def test_a_build_that_trusts_its_number_misses_them(own, message, monkeypatch):
    """Negative control: going on at the number of before, the new stream's events are passed over."""

    async def trusting(_self, _js, _state, since):
        return since.xid + 1

    server, bus = own
    first = [message(n=n) for n in range(10)]
    bus.publish(first)
    drained(bus, first)
    server.kill()
    server.wipe()
    server.start()
    monkeypatch.setattr(NatsBus, "_start", trusting)
    later = [message(n=n) for n in range(3)]
    bus.publish(later)
    assert drained(bus, later).got == []


def test_the_relay_carries_again_what_a_stream_lost(own, acme, message):
    """The cure after a loss: the log still has what nobody has handled; without it (first half) it never comes."""
    server, bus = own
    sent = [message(n=n) for n in range(6)]
    PostgresBus().publish(sent)
    settled()
    Relay(bus).drain()
    server.kill()
    server.wipe()
    server.start()
    assert Relay(bus).drain() == 0
    assert drained(bus, sent).got == []
    with platform_scope("test"):
        assert rewind(bus, since=sent[0].event().time, by=SYSTEM)
        assert not rewind(PostgresBus(), since=sent[0].event().time, by=SYSTEM)
    Relay(bus).drain()
    assert drained(bus, sent).ids == [item.id for item in sent]


def test_what_is_no_event_holds_up_nobody_on_nats(nats, make_bus, message):
    bus, sent = make_bus("nats"), [message(n=1), message(n=2)]
    bus.publish(sent[:1])

    async def intrude():
        line = await client.connect(nats.url)
        for body in (b"", b"\xff", b"[]", b"{}", b'{"id": 7}'):
            await line.jetstream().publish(f"{bus._topic}.x.y", body)
        await line.close()

    asyncio.run(intrude())
    bus.publish(sent[1:])
    assert drained(bus, sent).ids == [item.id for item in sent]
    assert bus.lag(GROUP).events == 0


def test_what_is_no_event_holds_up_nobody_on_kafka(kafka, make_bus, message):
    bus, sent = make_bus("kafka"), [message(n=1), message(n=2)]
    bus.publish(sent[:1])
    intruder = Producer({"bootstrap.servers": kafka})
    for body in (b"", b"\xff", b"[]", b"{}", b'{"id": 7}'):
        intruder.produce(bus.topic, body, sent[0].key)
    intruder.flush()
    bus.publish(sent[1:])
    assert drained(bus, sent).ids == [item.id for item in sent]


def test_kafka_that_is_gone_fails_loudly(acme, monkeypatch, message):
    monkeypatch.setattr("apps.events.bus.kafka.ANSWER", 0.5)
    bus = KafkaBus("127.0.0.1:1", "gone")
    assert bus.health().status == "failed"
    with pytest.raises(Exception, match="_TRANSPORT"):
        bus.publish([message()])
