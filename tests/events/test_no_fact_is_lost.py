"""Sixteen writers, open transactions, roll-backs, and a reader killed again and again: every fact, each effect once."""

import json
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connections

from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events import outbox, registry
from apps.events.delivery import GROUP, Delivery
from apps.events.models import OutboxEvent
from apps.events.reader import Reader, lag
from apps.events.registry import EventType
from apps.events.types import Event
from tests.events.working import clear, until

FORK = multiprocessing.get_context("fork")
PROCESSES, THREADS, SECONDS, KILLS = 4, 4, 6.0, 10
# No key: an effect that happens twice is seen twice.
EFFECTS = """
CREATE TABLE IF NOT EXISTS public.test_effect (place bigserial, event_id uuid, subject text, n int);
TRUNCATE public.test_effect;
GRANT ALL ON public.test_effect TO aibos_app; GRANT ALL ON SEQUENCE public.test_effect_place_seq TO aibos_app;
"""
EFFECT = "INSERT INTO public.test_effect (event_id, subject, n) VALUES (%s, %s, %s)"


@pytest.fixture
def effects(acme: TenantRef, own_tasks: None, superuser_url: str) -> Any:
    """A table of effects, the tests' own event type, and a subscriber that writes one row an event."""
    registry.event_types._values.pop("fact.tested", None)
    registry.register(EventType("fact.tested", "A test."))
    registry.subscribers._values.clear()
    registry.subscribe("effect", "fact.tested")(effect)
    clear()
    with psycopg.connect(superuser_url) as admin:
        admin.execute(EFFECTS)
    yield
    clear()
    with psycopg.connect(superuser_url) as admin:
        admin.execute("DROP TABLE public.test_effect")


def effect(event: Event) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute(EFFECT, [event.id, event.subject, event.data["n"]])
    time.sleep(random.random() * 0.002)


def writer(tenant: TenantRef, seed: int, seconds: float, into: Path) -> None:
    """One process of four writers; what they committed goes into a file."""
    kept: list[list[Any]] = []
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=commit_facts, args=(tenant, seed * 100 + number, end, kept))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    into.write_text(json.dumps(kept))
    os._exit(0)


def commit_facts(tenant: TenantRef, seed: int, end: float, kept: list[list[Any]]) -> None:
    """Hold a transaction open for chance times; one in ten is rolled back and counts for nothing."""
    chance, number = random.Random(seed), 0
    while time.monotonic() < end:
        number += 1
        subject = f"thing:{seed}-{number % 3}"
        try:
            with tenant_scope(tenant):
                event_id = outbox.emit("fact.tested", subject=subject, data={"n": number}, by=SYSTEM)
                time.sleep(chance.random() * 0.01)
                if chance.random() < 0.1:
                    raise InterruptedError
        except InterruptedError:
            continue
        kept.append([str(event_id), subject, number])
    connections.close_all()


def careful() -> None:
    """The product's own reader."""
    Reader(GROUP, Delivery(), bus="postgresql", batch=50).run(threading.Event())


def naive() -> None:
    """What everybody writes first: by id, the place kept in memory and begun at the end, no inbox."""
    last = UUID(int=0)
    with platform_scope("test"):
        newest = OutboxEvent.objects.order_by("-id").values_list("id", flat=True).first()
    last = newest or last
    while True:
        with platform_scope("test"):
            found = OutboxEvent.objects.filter(type="fact.tested", id__gt=last).order_by("id")[:50]
            for row in found:
                effect(Event.read(bytes(row.body)))
                last = row.id


def started(target: Any, *args: Any) -> BaseProcess:
    connections.close_all()
    process = FORK.Process(target=target, args=args, daemon=True)
    process.start()
    return process


def killed(process: BaseProcess) -> None:
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()


def run(tenant: TenantRef, reader: Any, folder: Path) -> list[list[Any]]:
    """Write with all writers while the reader is killed `KILLS` times; return what was committed."""
    files = [folder / f"{number}.json" for number in range(PROCESSES)]
    writers = [started(writer, tenant, number + 1, SECONDS, file) for number, file in enumerate(files)]
    reading = started(reader)
    for _ in range(KILLS):
        time.sleep(SECONDS / (KILLS + 1))
        killed(reading)
        reading = started(reader)
    for process in writers:
        process.join()
        assert process.exitcode == 0
    committed = [row for file in files for row in json.loads(file.read_text())]
    try:
        if reader is careful:
            until(lambda: not lag(GROUP, bus="postgresql").events)
        else:
            time.sleep(1.0)
    finally:
        killed(reading)
    return committed


def found() -> list[tuple[str, str, int]]:
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("SELECT event_id::text, subject, n FROM public.test_effect ORDER BY place")
        return cursor.fetchall()


def test_every_committed_fact_has_its_effect_once_and_in_order(
    acme: TenantRef, effects: None, tmp_path: Path
) -> None:
    committed = run(acme, careful, tmp_path)
    happened = found()
    assert len(committed) > 100
    assert Counter(row[0] for row in happened) == Counter(row[0] for row in committed)
    for subject in {row[1] for row in committed}:
        numbers = [row[2] for row in happened if row[1] == subject]
        assert numbers == sorted(numbers), subject


def test_negative_control_the_naive_reader_loses_or_doubles(
    acme: TenantRef, effects: None, tmp_path: Path
) -> None:
    committed = {row[0] for row in run(acme, naive, tmp_path)}
    happened = Counter(row[0] for row in found())
    lost = committed - happened.keys()
    doubled = [key for key, count in happened.items() if count > 1]
    assert lost or doubled, "the harness would not notice a broken reader"
