"""The pulse of running jobs: leases, progress and log lines, on a connection beside the job's transaction."""

import contextlib
import datetime as dt
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connections

from apps.audit.aside import Aside
from apps.core.actor import Actor
from apps.core.db import loss
from apps.events.jobs.herald import herald

LEASE = 30.0
QUIET = 0.25
LOG_ROOM = 100_000

BEAT = """
UPDATE public.events_job SET lease_until = clock_timestamp() + %s * interval '1 second'
WHERE id = %s AND fence = %s AND state = 'running' RETURNING cancel_requested
"""
PROGRESS = """
UPDATE public.events_job SET done = %s, total = coalesce(%s, total), message = %s,
       lease_until = clock_timestamp() + %s * interval '1 second'
WHERE id = %s AND fence = %s AND state = 'running' RETURNING cancel_requested
"""
LOG = """
UPDATE public.events_job SET log = right(log || %s, %s) WHERE id = %s AND fence = %s AND state = 'running'
"""

side = Aside("job pulse")


class Lost(RuntimeError):
    """The lease is gone: another worker may run the job, so this one must not commit."""


@dataclass
class Run:
    """A job in the hands of this process; what its handler gets as `job`."""

    id: UUID
    tenant_id: UUID | None
    by: Actor
    fence: int
    attempt: int
    lease: float = LEASE
    due: dt.datetime | None = None
    lost: bool = False
    stopped: bool = False
    noticed: bool = False
    _wrote: float = field(default=0.0, repr=False)
    _asked: float = field(default=0.0, repr=False)

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Tell how far the work is; others see it at once. Calls closer than 0.25 s are dropped, the end never."""
        now = time.monotonic()
        if now - self._wrote < QUIET and done != total:
            return
        self._wrote = now
        self._heard(PROGRESS, [done, total, _text(message), self.lease, self.id, self.fence])
        herald.call(self.id)

    def log(self, text: str) -> None:
        """Append a line to the job's log, which keeps the last 100,000 characters."""
        self._write(LOG, [f"{_text(text)}\n", LOG_ROOM, self.id, self.fence])

    def cancelled(self) -> bool:
        """Return whether somebody asked to stop; asks the database at most every 0.25 s.

        Raises Lost when another worker may have taken over.
        """
        now = time.monotonic()
        if not self.stopped and now - self._asked >= QUIET:
            self._asked = now
            self.beat()
        if self.lost:
            msg = f"The lease of job {self.id} is gone."
            raise Lost(msg)
        self.noticed = self.noticed or self.stopped
        return self.stopped

    def beat(self) -> None:
        """Extend the lease."""
        self._heard(BEAT, [self.lease, self.id, self.fence])

    def _heard(self, statement: str, params: list[Any]) -> None:
        with contextlib.suppress(TimeoutError, *loss.ERRORS):
            row = self._write(statement, params)
            self.lost = self.lost or row is None
            self.stopped = self.stopped or bool(row and row[0])

    def _write(self, statement: str, params: list[Any]) -> tuple[bool, ...] | None:
        def work() -> tuple[bool, ...] | None:
            with connections["default"].cursor() as cursor:
                cursor.execute(statement, params)
                return cursor.fetchone() if cursor.description else None

        return side.call(work)


class Heart:
    """Beats for all runs of this process, three times a lease, from a thread that dies with it."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._runs: dict[int, Run] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    @contextlib.contextmanager
    def beating(self, run: Run) -> Iterator[Run]:
        """Keep the run's lease alive for the block."""
        with self._lock:
            self._runs[id(run)] = run
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)
                self._thread.start()
        self._wake.set()
        try:
            yield run
        finally:
            with self._lock:
                self._runs.pop(id(run), None)

    def _beat(self) -> None:
        while True:
            self._wake.clear()
            with self._lock:
                runs = list(self._runs.values())
            if not runs:
                self._wake.wait()
                continue
            time.sleep(min(run.lease for run in runs) / 3)
            for run in runs:
                if id(run) in self._runs:
                    run.beat()


heart = Heart()


def _text(text: str) -> str:
    return str(text).replace("\x00", "\ufffd")
