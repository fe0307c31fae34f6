"""The guard of the pump's loops: starts what died again, and frees what stands still, one step after the other.

A loop stands still when its thread has been at the same instruction of the same stack for `STUCK` seconds, has
hardly used the processor and has not rested: it waits for a lock, or for a server that will never answer. First the statement is cancelled, then the line to the database
is cut, and at last the thread is left behind and another takes its place; what it holds is guarded by locks of
the database, so two at work do no harm.
"""

import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections

from apps.events.health.healing import healed

logger = logging.getLogger("aibos.pump")

Loop = Callable[[threading.Event], None]
RESTART = 1.0
STUCK, STEP = 60.0, 10.0
BUSY = 0.05
DEPTH = 40


class Watched(threading.Event):
    """The `stop` that a loop is given: it notes when the loop asks, rests, and on which line it works."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._outer = stop
        self.given_up = False
        self.turned = time.monotonic()
        self.resting_until = 0.0
        self.line: Any = None

    def is_set(self) -> bool:
        """Whether the loop must end: the pump ends, or another thread has taken this one's place."""
        self._note()
        return self.given_up or self._outer.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Rest until the pump ends or for `timeout` seconds."""
        self._note()
        self.resting_until = time.monotonic() + (float("inf") if timeout is None else timeout)
        try:
            return self._outer.wait(timeout) or self.given_up
        finally:
            self.resting_until = 0.0
            self._note()

    def _note(self) -> None:
        self.turned = time.monotonic()
        self.line = connections["default"].connection or self.line


class Ward:
    """One loop and the thread it runs in."""

    def __init__(self, name: str, loop: Loop, stop: threading.Event) -> None:
        self.name, self._loop, self._stop = name, loop, stop
        self.restarts = 0
        self.steps = 0
        self._still_since = time.monotonic()
        self._seen: tuple[Any, ...] = ()
        self._looked, self._worked = time.monotonic(), 0.0
        self._begin()

    def _begin(self) -> None:
        self.watched = Watched(self._stop)
        self.thread = threading.Thread(target=self._keep, args=(self.watched,), name=self.name, daemon=True)

    def start(self) -> None:
        """Start the loop's thread."""
        self.thread.start()

    @property
    def still(self) -> float:
        """For how many seconds the loop has stood still, as of the last look."""
        return time.monotonic() - self._still_since

    @property
    def stuck(self) -> bool:
        """Whether the loop is being freed."""
        return self.steps > 0

    def look(self) -> None:
        """Look at the loop once; free it when it has stood still for too long."""
        now, stack = time.monotonic(), self._where()
        seen = (self.watched.turned, *stack)
        busy = self._busy(now)
        if busy or seen != self._seen or not stack or now < self.watched.resting_until + 1.0:
            if self.steps:
                logger.warning("The %s comes round again.", self.name)
            self._seen, self._still_since, self.steps = seen, now, 0
            return
        if self.still > STUCK + self.steps * STEP:
            self._free()

    def _where(self) -> tuple[tuple[int, int], ...]:
        frame = sys._current_frames().get(self.thread.ident or 0)  # noqa: SLF001 - there is no public way
        found: list[tuple[int, int]] = []
        while frame is not None and len(found) < DEPTH:
            found.append((id(frame.f_code), frame.f_lasti))
            frame = frame.f_back
        return tuple(found)

    def _busy(self, now: float) -> bool:
        """Whether the thread has used a good part of the time since the last look."""
        try:
            worked = time.clock_gettime(time.pthread_getcpuclockid(self.thread.ident or 0))
        except OSError:
            return True  # the thread is gone, and another one about to come
        share = (worked - self._worked) / max(0.001, now - self._looked)
        self._looked, self._worked = now, worked
        return share > BUSY

    def _free(self) -> None:
        still, line = self.still, self.watched.line
        self.steps += 1
        step = ("its statement was cancelled", "its line to the database was cut")[min(self.steps, 2) - 1]
        if self.steps == 1:
            threading.Thread(target=_cancel, args=(line,), daemon=True).start()
        elif self.steps == 2:
            _cut(line)
        else:
            step = "another thread took its place"
            self.watched.given_up = True
            self.restarts += 1
            self._begin()
            self._seen, self._still_since, self.steps = (), time.monotonic(), 0
            self.start()
        healed(
            "stuck_loop",
            f"The {self.name} stood still for {still:.0f} s; {step}.",
            loop=self.name,
            step=step,
            seconds=round(still),
        )

    def _keep(self, watched: Watched) -> None:
        while not watched.is_set():
            try:
                self._loop(watched)
            except Exception as error:
                logger.exception("The %s stopped; it starts again in %s s.", self.name, RESTART)
                self.restarts += 1
                cause = f"{type(error).__name__}: {error}"[:300]
                healed("dead_loop", f"The {self.name} stopped and was started again: {cause}", loop=self.name)
                time.sleep(RESTART)
            finally:
                connections.close_all()


class Guard:
    """Looks after all loops of this process."""

    def __init__(self, loops: dict[str, Loop], stop: threading.Event) -> None:
        self.wards = [Ward(name, loop, stop) for name, loop in loops.items()]

    def start(self) -> None:
        """Start every loop in a thread of its own."""
        for ward in self.wards:
            ward.start()

    def look(self) -> None:
        """Look at every loop once."""
        for ward in self.wards:
            ward.look()

    def join(self, patience: float = 10.0) -> None:
        """Wait for all of them to end, each at most `patience` seconds."""
        for ward in self.wards:
            ward.thread.join(timeout=patience)

    def state(self) -> dict[str, Any]:
        """Return what the heartbeat says about the loops."""
        return {
            "loops": {
                ward.name: {
                    "stuck": ward.stuck,
                    "restarts": ward.restarts,
                    "still_seconds": round(ward.still, 1),
                }
                for ward in self.wards
            }
        }


def _cancel(line: Any) -> None:
    if line is not None and not line.closed:
        with contextlib.suppress(Exception):
            line.cancel_safe(timeout=STEP / 2)


def _cut(line: Any) -> None:
    """Close the socket below the driver, so that whoever waits on it gets an error at once."""
    if line is None or line.closed:
        return
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(line.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)
