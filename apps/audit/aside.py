"""Short transactions beside the caller's own: what must be kept although the caller rolls back.

One thread with a connection of its own writes one thing after the other. The caller waits a bounded time; what
takes longer stays queued, and what can never be written goes to the log in full.
"""

import atexit
import contextlib
import contextvars
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from django.db import connections

from apps.core.db import loss
from apps.core.scope import platform_scope

logger = logging.getLogger("aibos.aside")

PATIENCE = 2.0
IDLE = 5.0
RETRIES = 6
ROOM = 10_000


class Aside:
    """A writer thread, started by the first piece of work and again after a fork."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._reset()
        os.register_at_fork(after_in_child=self._reset)
        atexit.register(self.drain)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._queue: queue.Queue[tuple[Callable[[], Any] | None, Future[Any], bytes]] = queue.Queue(ROOM)

    def submit(self, work: Callable[[], Any], note: bytes = b"") -> "Future[Any]":
        """Run `work` in the platform's scope on the other connection; `note` goes to the log when it fails.

        What the caller's request or job carries (its id, its address) is carried along.
        """
        carried = contextvars.copy_context()
        future: Future[Any] = Future()
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        try:
            self._queue.put_nowait((partial(carried.run, self._attempt, work), future, note))
        except queue.Full as error:
            self._give_up(note, error)
            future.set_exception(error)
        return future

    def call(self, work: Callable[[], Any], note: bytes = b"") -> Any:
        """Run `work` and return its result; raise TimeoutError after `PATIENCE` seconds (it stays queued)."""
        return self.submit(work, note).result(timeout=PATIENCE)

    def drain(self, patience: float = PATIENCE) -> None:
        """Wait until everything queued has been tried, at most `patience` seconds, and close the connection."""
        if self._thread is not None and self._thread.is_alive():
            with contextlib.suppress(TimeoutError, queue.Full):
                done: Future[Any] = Future()
                self._queue.put((None, done, b""), timeout=patience)
                done.result(timeout=patience)

    def _run(self) -> None:
        while True:
            try:
                work, future, note = self._queue.get(timeout=IDLE)
            except queue.Empty:
                connections.close_all()
                work, future, note = self._queue.get()
            if work is None:
                connections.close_all()
                future.set_result(None)
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - the waiting caller gets whatever it was
                self._give_up(note, error)
                future.set_exception(error)
            if self._queue.empty():
                connections["default"].close_if_unusable_or_obsolete()

    def _attempt(self, work: Callable[[], Any]) -> Any:
        for attempt in range(RETRIES):
            try:
                with platform_scope(self._name):
                    return work()
            except loss.ERRORS as error:
                if not loss.is_lost(error) or attempt == RETRIES - 1:
                    raise
                loss.reset()
                time.sleep(0.05 * 2**attempt)
        raise AssertionError

    def _give_up(self, note: bytes, error: BaseException) -> None:
        logger.critical(
            "%s: not written (%s: %s): %s",
            self._name,
            type(error).__name__,
            error,
            note.decode("utf-8", "replace"),
        )


denials = Aside("ledger of denials")


def commit(work: Callable[[], Any], *, note: bytes) -> None:
    """Commit `work` now; with the database slow or away it stays queued and the caller goes on."""
    try:
        denials.call(work, note)
    except TimeoutError:
        logger.warning("A denial waits for the database: %s", note.decode("utf-8", "replace"))
    except loss.ERRORS:
        logger.exception("A denial could not be written.")


def write(statement: str, params: Sequence[Any], *, note: bytes) -> None:
    """Commit one statement as `commit` does."""

    def work() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(statement, params)

    commit(work, note=note)
