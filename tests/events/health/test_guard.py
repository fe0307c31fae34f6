"""The guard: a loop that stands still is freed step by step, one that works or rests is left alone."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connections

from apps.audit import queries
from apps.core.scope import TenantRef, platform_scope
from apps.events.health import guard, healing
from apps.events.models import OutboxEvent
from tests.events.working import until

LOCK = 77_001


@pytest.fixture(autouse=True)
def quick(database: dict[str, TenantRef], monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become fractions of one."""
    monkeypatch.setattr(guard, "STUCK", 0.4)
    monkeypatch.setattr(guard, "STEP", 0.3)
    monkeypatch.setattr(guard, "RESTART", 0.0)


@pytest.fixture
def healed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was put right: its kind and its sentence."""
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(guard, "healed", lambda what, message, **_figures: seen.append((what, message)))
    return seen


@pytest.fixture
def ward() -> Iterator[Callable[[guard.Loop], guard.Ward]]:
    """Put a loop under guard; whatever the test does, its threads end."""
    stop = threading.Event()
    made: list[guard.Ward] = []

    def make(loop: guard.Loop) -> guard.Ward:
        made.append(guard.Ward("relay", loop, stop))
        made[-1].start()
        return made[-1]

    yield make
    stop.set()
    for item in made:
        item.thread.join(30)
        assert not item.thread.is_alive()


def watch(item: guard.Ward, condition: Callable[[], bool]) -> None:
    """Look at the loop as the pump does until the condition holds."""

    def look() -> bool:
        item.look()
        time.sleep(0.03)
        return condition()

    until(look)


def look_for(item: guard.Ward, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        item.look()
        time.sleep(0.03)


def test_a_loop_that_waits_for_a_lock_gets_its_statement_cancelled(
    ward: Callable[[guard.Loop], guard.Ward], healed: list[tuple[str, str]], superuser_url: str
) -> None:
    turns: list[int] = []

    def loop(stop: threading.Event) -> None:
        while not stop.is_set():
            with platform_scope("test"), connections["default"].cursor() as cursor:
                turns.append(1)
                if len(turns) == 2:
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            stop.wait(0.01)

    with psycopg.connect(superuser_url) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        item = ward(loop)
        watch(item, lambda: len(turns) > 4)
    assert sorted(what for what, _message in healed) == ["dead_loop", "stuck_loop"]
    assert any("its statement was cancelled" in message for _what, message in healed)
    assert item.restarts == 1


def test_control_without_the_guard_it_waits_for_ever(
    ward: Callable[[guard.Loop], guard.Ward], superuser_url: str
) -> None:
    """Negative control: nobody looks, nothing comes round again."""
    turns: list[int] = []

    def loop(stop: threading.Event) -> None:
        with platform_scope("test"), connections["default"].cursor() as cursor:
            turns.append(1)
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        stop.wait()

    with psycopg.connect(superuser_url) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        item = ward(loop)
        until(lambda: bool(turns))
        time.sleep(1.5)
        assert turns == [1]
        assert item.restarts == 0


class BlackHole:
    """A way to the database that stops carrying anything when told to, and closes nothing."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self.frozen = threading.Event()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _address = self._door.accept()
                far = socket.create_connection(self._to)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with one, suppress(OSError):
            while data := one.recv(65_536):
                if not self.frozen.is_set():
                    other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()


def test_a_line_to_a_server_that_never_answers_is_cut(
    ward: Callable[[guard.Loop], guard.Ward],
    healed: list[tuple[str, str]],
    superuser_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(superuser_url)
    hole = BlackHole(str(parts["host"]), int(parts["port"] or 5432))
    line = SimpleNamespace(connection=None)
    monkeypatch.setattr(guard, "connections", FakeConnections(line))
    errors: list[BaseException] = []
    turns: list[int] = []

    def loop(stop: threading.Event) -> None:
        with closing(psycopg.connect(superuser_url, host="127.0.0.1", port=hole.port)) as own:
            line.connection = own
            while not stop.is_set():
                turns.append(1)
                if len(turns) == 3:
                    hole.frozen.set()
                try:
                    own.execute("SELECT 1")
                except psycopg.OperationalError as error:
                    errors.append(error)
                    hole.frozen.clear()
                    raise
                stop.wait(0.01)

    try:
        item = ward(loop)
        watch(item, lambda: len(turns) > 6)
    finally:
        hole.close()
    assert errors
    assert sorted(what for what, _message in healed) == ["dead_loop", "stuck_loop", "stuck_loop"]
    assert any("its line to the database was cut" in message for _what, message in healed)


class FakeConnections:
    """Stands for Django's connections: the loop's line is another one than the guard would find."""

    def __init__(self, line: Any) -> None:
        self._line = line

    def __getitem__(self, alias: str) -> Any:
        return self._line

    def close_all(self) -> None:
        """The loop closes its own."""


def test_what_cannot_be_freed_is_replaced(
    ward: Callable[[guard.Loop], guard.Ward], healed: list[tuple[str, str]]
) -> None:
    never, seen = threading.Lock(), []
    never.acquire()

    def loop(stop: threading.Event) -> None:
        seen.append(threading.current_thread())
        if len(seen) == 1:
            never.acquire()
            seen.append(stop.is_set())
            return
        while not stop.wait(0.01):
            pass

    item = ward(loop)
    watch(item, lambda: len(seen) > 1)
    assert [message.partition("; ")[2] for _what, message in healed] == [
        "its statement was cancelled.",
        "its line to the database was cut.",
        "another thread took its place.",
    ]
    assert seen[0] is not seen[1]
    never.release()
    until(lambda: len(seen) > 2)
    assert seen[2] is True, "the thread that comes too late is told to end"


def test_control_loops_that_work_or_rest_are_left_alone(
    ward: Callable[[guard.Loop], guard.Ward], healed: list[tuple[str, str]]
) -> None:
    def working(stop: threading.Event) -> None:
        """Computes without asking whether to stop for far longer than a loop may stand still."""
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            sum(number * number for number in range(1000))
        stop.wait()

    def resting(stop: threading.Event) -> None:
        while not stop.wait(1.0):
            pass

    def listening(stop: threading.Event) -> None:
        """Waits elsewhere than at `stop`, always at the same place, but comes round."""
        while not stop.is_set():
            threading.Event().wait(0.05)

    for loop in (working, resting, listening):
        item = ward(loop)
        look_for(item, 1.3)
        assert not item.stuck
    assert healed == []


def test_a_loop_that_dies_is_started_again_and_it_is_written_down(
    ward: Callable[[guard.Loop], guard.Ward],
) -> None:
    turns: list[int] = []

    def loop(stop: threading.Event) -> None:
        turns.append(1)
        if len(turns) == 1:
            msg = "a slip"
            raise ValueError(msg)
        stop.wait()

    ward(loop)
    until(lambda: len(turns) == 2)
    healing.side.drain()
    with platform_scope("test"):
        (entry,) = queries.history("health:dead_loop")
        events = OutboxEvent.objects.filter(type="health.healed", subject="health:dead_loop").count()
    assert entry.action == "health.healed"
    assert "ValueError: a slip" in entry.details["message"]
    assert events == 1
