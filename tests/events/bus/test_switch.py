"""Killed and switched under way: every event reaches its subscriber, each effect is there once (R43, R44)."""

import os
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connections

from apps.core.actor import SYSTEM
from apps.core.scope import platform_scope, tenant_scope
from apps.events import outbox
from apps.events.registry import EventType, event_types, register
from tests.events.bus.servers import make_topic
from tests.events.bus.worker import TYPE
from tests.events.working import ROOT, until

PATIENCE = (
    180.0  # a group waits for a killed member until its session has run out, and the machine may be busy
)
TABLE = """
CREATE TABLE IF NOT EXISTS public.bus_tally (event_id uuid NOT NULL, subject text, n int, at bigserial);
GRANT ALL ON public.bus_tally TO PUBLIC; GRANT ALL ON SEQUENCE public.bus_tally_at_seq TO PUBLIC;
"""


@pytest.fixture
def tally(acme, superuser_url, own_tasks):
    """A table of effects that nothing makes unique, and the event that makes them."""
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute(TABLE)
        admin.execute(
            "TRUNCATE public.bus_tally, public.events_inbox, public.events_outbox, public.events_position"
        )
    if TYPE not in event_types:
        register(EventType(TYPE, "A tally was made."))
    yield
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute("DROP TABLE public.bus_tally")


def effects():
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("SELECT event_id, subject, n FROM public.bus_tally ORDER BY at")
        return cursor.fetchall()


def count():
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.bus_tally")
        return cursor.fetchone()[0]


class Writers:
    """Write events of twelve subjects until stopped; some transactions take their time, some are rolled back."""

    def __init__(self, ref, number=3):
        self._ref, self._stop = ref, threading.Event()
        self.committed: list[tuple[str, int]] = []
        self._threads = [threading.Thread(target=self._write, args=(index,)) for index in range(number)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_raised):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, index):
        chance, n = random.Random(index), 0
        try:
            while not self._stop.is_set():
                subject, n = f"thing:{index}-{chance.randrange(3)}", n + 1
                try:
                    with tenant_scope(self._ref):
                        outbox.emit(TYPE, subject=subject, data={"n": n}, by=SYSTEM)
                        time.sleep(chance.random() / 100)
                        if chance.random() < 0.1:
                            raise _Undone
                    self.committed.append((subject, n))
                except _Undone:
                    continue
                time.sleep(0.1)
        finally:
            connections.close_all()


class _Undone(Exception):
    pass


@contextmanager
def pump(kind, address, topic, log):
    """Run a process of one back end until the block ends, then kill it."""
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}
    command = [sys.executable, "-m", "tests.events.bus.worker", kind, address, topic]
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=out)
    try:
        assert process.stdout.readline() == b"ready\n", log.read_text()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def lines(request, tally, tmp_path):
    """Return where each back end is, on a topic of this test."""
    topic = f"switch{os.urandom(3).hex()}"
    servers = request.getfixturevalue("kafka")
    make_topic(servers, topic)
    addresses = {"postgresql": "-", "nats": request.getfixturevalue("nats").url, "kafka": servers}
    return {kind: (kind, address, topic, tmp_path / f"{kind}.log") for kind, address in addresses.items()}


def judged(committed):
    """Wait for every committed event's effect; return how many there are, each once and in its subject's order."""
    wanted = set(committed)
    try:
        until(lambda: count() >= len(wanted), PATIENCE)
    except AssertionError:
        missing = wanted - {(subject, n) for _id, subject, n in effects()}
        pytest.fail(f"{len(missing)} of {len(wanted)} effects are missing")
    time.sleep(1)
    found = effects()
    assert {(subject, n) for _id, subject, n in found} == wanted, "an event that was rolled back"
    assert len({event_id for event_id, *_ in found}) == len(found), "an effect twice"
    for name in {subject for subject, _n in wanted}:
        numbers = [n for _id, subject, n in found if subject == name]
        assert numbers == sorted(numbers)
    return len(found)


@pytest.mark.long
def test_back_ends_are_switched_under_way(acme, lines):
    """PostgreSQL → NATS → Kafka → PostgreSQL while events are written; each is killed in the middle of its work."""
    with Writers(acme) as writers:
        for kind in ("postgresql", "nats", "kafka", "postgresql"):
            before = count()
            with pump(*lines[kind]):
                until(lambda before=before: count() > before + 10, PATIENCE)
    with pump(*lines["postgresql"]):
        print(f"{judged(writers.committed)} events, four switches: none lost, none twice")


def test_two_back_ends_at_once_do_nothing_twice(acme, lines):
    """While processes with the old setting still run beside those with the new one."""
    with Writers(acme) as writers, pump(*lines["postgresql"]), pump(*lines["nats"]), pump(*lines["kafka"]):
        until(lambda: count() > 60, PATIENCE)
    with pump(*lines["nats"]):
        judged(writers.committed)


def test_without_an_inbox_a_switch_doubles_effects(acme, lines, superuser_url):
    """Negative control: forgetting what was handled, the same switch makes effects twice."""
    with Writers(acme, 2) as writers, pump(*lines["postgresql"]):
        until(lambda: count() > 10, PATIENCE)
    with pump(*lines["postgresql"]):
        judged(writers.committed)
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute("TRUNCATE public.events_inbox")
    with pump(*lines["nats"]):
        until(lambda: count() > len(writers.committed), PATIENCE)


def test_a_switch_from_now_on_would_lose(acme, lines, superuser_url):
    """Negative control: a new back end that begins at the end of the log never hears of what waited."""
    with Writers(acme, 2) as writers:
        time.sleep(1)
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute(
            "INSERT INTO public.events_position (consumer, bus, xid, id, cluster) SELECT 'relay.nats', 'nats',"
            " pg_snapshot_xmax(pg_current_snapshot()), gen_random_uuid(),"
            " (SELECT system_identifier FROM pg_control_system())"
        )
    with pump(*lines["nats"]):
        time.sleep(4)
        assert effects() == []
    assert writers.committed


@pytest.mark.long
@pytest.mark.parametrize("kind", ["nats", "kafka"])
def test_killed_again_and_again(acme, lines, kind):
    with Writers(acme) as writers:
        for _ in range(3):
            before = count()
            with pump(*lines[kind]):
                until(lambda before=before: count() > before, PATIENCE)
                time.sleep(random.random() / 3)
    with pump(*lines[kind]):
        judged(writers.committed)
