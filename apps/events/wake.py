"""Waking readers of the log: NOTIFY beside the transactions that write, LISTEN where events are awaited.

A NOTIFY inside a writing transaction makes all commits queue up behind one lock, so it is sent from a thread of
its own, at most a hundred times a second. It may be lost: readers look by themselves, only later.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from django.db import connections, transaction

logger = logging.getLogger("aibos.events")

CHANNEL = "aibos_events"
# Nothing is lost with a ring, so it does not wait for the disk; nothing is set for the session.
NOTIFY = f"BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}; COMMIT"
GATHER = 0.01
IDLE = 60.0
SULK = 2.0
ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('events:reader:' || %s, 0))"


def connect() -> psycopg.Connection[Any]:
    """Open a connection of the application's login beside Django's; the caller closes it."""
    values = connections.settings["default"]
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: values[key] for name, key in named.items() if values.get(key)}
    return psycopg.connect(autocommit=True, prepare_threshold=None, **given, **values["OPTIONS"])


class Bell:
    """Rings once for all events of a moment, from a thread that is started by the first of them."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._rung = threading.Event()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """Tell every reader, soon, that there may be something new; never fails and never waits."""
        if self._rung.is_set():
            return
        self._rung.set()
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="event bell", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while True:
            if not self._rung.wait(IDLE):
                _end(connection)
                connection = None
                self._rung.wait()
            time.sleep(GATHER)
            self._rung.clear()
            try:
                connection = connection or connect()
                connection.execute(NOTIFY)
            except psycopg.Error as error:
                _end(connection)
                connection = None
                logger.info("Readers were not woken (%s); they look by themselves.", error)
                time.sleep(SULK)


bell = Bell()


def ring_on_commit() -> None:
    """Ring when the transaction in force has been committed (at once outside one)."""
    transaction.on_commit(bell.ring, robust=True)


class Ear:
    """A reader's own connection: hears the bell between turns, and holds the reader's lock during one.

    The lock ends with its transaction, so a killed reader frees it at once, behind a pooler as well.
    """

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._silent_until = 0.0

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Yield whether no other process reads as `name`; none can begin before the block ends."""
        try:
            connection = self._open()
            with connection.transaction():
                row = connection.execute(ALONE, [name]).fetchone()
                yield bool(row and row[0])
        except psycopg.OperationalError:
            self.close()
            raise

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait for the bell, at most `seconds`; return whether it rang."""
        if time.monotonic() < self._silent_until:
            stop.wait(seconds)
            return False
        try:
            return any(True for _ in self._open().notifies(timeout=seconds, stop_after=1))
        except psycopg.Error:
            self.close()
            self._silent_until = time.monotonic() + SULK
            stop.wait(seconds)
            return False

    def close(self) -> None:
        """Give the connection back; the next call opens another."""
        _end(self._connection)
        self._connection = None

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect()
            self._connection.execute(f"LISTEN {CHANNEL}")
        return self._connection


def _end(connection: psycopg.Connection[Any] | None) -> None:
    if connection is not None:
        with contextlib.suppress(psycopg.Error):
            connection.close()
