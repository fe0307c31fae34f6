"""R3: jobs that take their worker along, among two hundred good ones: each good one once, the poison among the dead letters."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from apps.core import queue
from apps.core.actor import Actor
from apps.core.errors import Conflict
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import queries, replay, work
from tests.events.working import ROOT, clear, job

GOOD, POISON = 200, 5
GAPS = """
SELECT max(gap) FROM (
  SELECT extract(epoch FROM finished_at - lag(finished_at) OVER (ORDER BY finished_at))::float8 AS gap
  FROM public.events_job WHERE name = 'test.mark' AND state = 'done') gaps
"""
MARKS = "SELECT target, count(*) FROM public.audit_pending WHERE action = 'test.marked' AND tenant_id = %s GROUP BY 1"


@pytest.fixture(autouse=True)
def tasks(own_tasks: None, acme: TenantRef) -> None:
    """The tasks of the pool, known here by name only."""
    clear()

    @queue.task("test.mark")
    def mark(_job: queue.JobHandle, *, number: int) -> dict[str, Any]:
        raise NotImplementedError

    @queue.task("test.poison", max_attempts=2, waits=(0.5,))
    def poison(_job: queue.JobHandle, *, number: int) -> dict[str, Any]:
        raise NotImplementedError


@contextmanager
def pool(processes: int, lease: float, *words: str) -> Iterator[None]:
    """Keep so many workers alive for the block."""
    command = [sys.executable, "-m", "tests.events.pool", str(processes), str(lease), *words]
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def until(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def counted(name: str) -> dict[str, int]:
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("SELECT state, count(*) FROM public.events_job WHERE name = %s GROUP BY 1", [name])
        return dict(cursor.fetchall())


def marks(ref: TenantRef) -> dict[str, int]:
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(MARKS, [ref.id])
        return dict(cursor.fetchall())


def ask(ref: TenantRef, name: str, number: int, by: Actor) -> UUID:
    return queue.enqueue(name, tenant=ref.id, args={"number": number}, title=f"{name} {number}", by=by)


def test_poison_ends_as_dead_letters_and_the_others_are_done_once(
    acme: TenantRef, anna: Actor, record_property: Any
) -> None:
    boss = Actor(kind="member", id="0192-boss", label="Bo Boss", tenant_id=acme.id, role="owner")
    bad = []
    with tenant_scope(acme):
        for number in range(GOOD):
            ask(acme, "test.mark", number, anna)
            if number % (GOOD // POISON) == 10:
                bad.append(ask(acme, "test.poison", GOOD + number, anna))
    with pool(2, 1.0):
        until(lambda: counted("test.mark") == {"done": GOOD} and counted("test.poison") == {"failed": POISON})
    assert marks(acme) == {f"mark:{number}": 1 for number in range(GOOD)}
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(GAPS)
        gap = cursor.fetchone()[0]
    record_property("longest_pause_of_the_neighbours", gap)
    print(f"longest pause between two neighbours: {gap:.3f} s")
    for letter in bad:
        row = job(letter)
        assert row.error == "The worker was lost during attempt 2."
        assert [item["state"] for item in row.attempts] == ["queued", "failed"]
        assert all(item["cause"].startswith("The worker was lost") for item in row.attempts)
    with tenant_scope(acme):
        assert replay.matching(replay.Wish()) == 0, "what kills workers is not replayed with the many"
        assert replay.matching(replay.Wish(lost=True)) == POISON

    barrier = threading.Barrier(4)

    def press(_index: int) -> str:
        barrier.wait(20)
        try:
            with tenant_scope(acme):
                work.retry(bad[0], by=boss)
        except Conflict:
            return "refused"
        finally:
            connections.close_all()
        return "queued"

    with ThreadPoolExecutor(4) as pressing:
        assert sorted(pressing.map(press, range(4))) == ["queued", "refused", "refused", "refused"]
    with tenant_scope(acme):
        replay.replay(replay.Wish(lost=True), by=boss, per_second=100)
    with pool(2, 1.0, "mended"):
        until(lambda: counted("test.poison") == {"done": POISON})
    assert set(marks(acme).values()) == {1}
    assert len(marks(acme)) == GOOD + POISON
    with tenant_scope(acme):
        assert queries.dead_by_task() == []
