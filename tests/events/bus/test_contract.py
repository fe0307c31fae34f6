"""What every back end of the bus promises, tried on all three: durable, each group, at least once, in order."""

import threading
import time

import pytest

from apps.events.bus.contract import Lag
from tests.events.working import until
from tests.settling import settled

GROUP = "handlers"


class Heard:
    """Notes what a group gets; refuses as often as told."""

    def __init__(self, wanted, refuse=0):
        self.wanted = {item.id for item in wanted}
        self.got, self.refuse, self.batches = [], refuse, 0

    def __call__(self, batch):
        mine = [item for item in batch if item.id in self.wanted]
        if mine and self.refuse:
            self.refuse -= 1
            msg = "not now"
            raise RuntimeError(msg)
        self.batches += bool(mine)
        self.got += mine

    @property
    def ids(self):
        return [item.id for item in self.got]


def drained(bus, wanted, group=GROUP):
    heard = Heard(wanted)
    settled()
    bus.drain(group, heard)
    return heard


def test_what_is_published_arrives_as_it_was(bus, message):
    sent = [message(n=n) for n in range(20)]
    bus.publish(sent)
    heard = drained(bus, sent)
    assert heard.got == sent
    assert [item.event().data["n"] for item in heard.got] == list(range(20))
    assert drained(bus, sent).got == []  # acknowledged


def test_the_events_of_a_subject_stay_in_their_order(bus, message):
    sent = [message(f"thing:{n % 7}", n) for n in range(300)]
    for start in range(0, 300, 50):
        bus.publish(sent[start : start + 50])
    heard = drained(bus, sent)
    for subject in {item.subject for item in sent}:
        assert [item.id for item in heard.got if item.subject == subject] == [
            item.id for item in sent if item.subject == subject
        ]
    assert len(heard.got) == 300


def test_every_group_gets_everything_from_the_oldest_on(bus, message):
    first, second = [message(n=1)], [message(n=2)]
    bus.publish(first)
    assert drained(bus, first + second, "one").ids == [first[0].id]
    bus.publish(second)
    assert drained(bus, first + second, "one").ids == [second[0].id]
    assert drained(bus, first + second, "late").ids == [first[0].id, second[0].id]


def test_what_is_refused_comes_again(bus, message):
    sent = [message(n=n) for n in range(5)]
    bus.publish(sent)
    heard = Heard(sent, refuse=1)
    settled()
    with pytest.raises(RuntimeError):
        bus.drain(GROUP, heard)
    bus.drain(GROUP, heard)
    assert heard.ids == [item.id for item in sent]


def test_the_same_id_twice_counts_once(bus, message):
    sent = [message(n=n) for n in range(5)]
    bus.publish(sent)
    bus.publish(sent[2:])  # a relay that did not hear the answer
    bus.publish([message(n=9)])
    assert drained(bus, sent).ids == [item.id for item in sent]


def test_a_consumer_hears_soon_and_ends_when_told(bus, message):
    sent = [message(n=n) for n in range(3)]
    heard, stop = Heard(sent), threading.Event()
    thread = threading.Thread(target=_in_thread, args=(bus, heard, stop))
    thread.start()
    try:
        for item in sent:
            bus.publish([item])
        until(lambda: len(heard.got) == 3)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert heard.ids == [item.id for item in sent]


def _in_thread(bus, handle, stop):
    from django.db import connections

    try:
        bus.consume(GROUP, handle, stop)
    finally:
        connections.close_all()


def test_two_consumers_share_the_work_and_keep_the_order(bus, message):
    sent = [message(f"thing:{n % 5}", n) for n in range(200)]
    heard, stop, lock = Heard(sent), threading.Event(), threading.Lock()

    def handle(batch):
        time.sleep(0.01)
        with lock:
            heard(batch)

    threads = [threading.Thread(target=_in_thread, args=(bus, handle, stop)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for start in range(0, 200, 20):
            bus.publish(sent[start : start + 20])
        until(lambda: len(set(heard.ids)) == 200)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    for subject in {item.subject for item in sent}:
        firsts = list(dict.fromkeys(item.id for item in heard.got if item.subject == subject))
        assert firsts == [item.id for item in sent if item.subject == subject]


def test_lag_is_what_was_not_acknowledged(bus, message):
    sent = [message(n=n) for n in range(7)]
    drained(bus, sent)
    assert bus.lag(GROUP) == Lag(0, 0.0)
    bus.publish(sent)
    behind = bus.lag(GROUP)
    assert behind.events == 7
    assert 0.0 <= behind.seconds < 60
    drained(bus, sent)
    assert bus.lag(GROUP).events == 0


def test_health_and_use_after_close(bus, message):
    assert bus.health().status == "ok"
    bus.close()
    sent = [message()]
    bus.publish(sent)
    assert drained(bus, sent).ids == [sent[0].id]


def test_an_empty_batch_is_nothing(bus):
    bus.publish([])
    assert bus.health().status == "ok"
