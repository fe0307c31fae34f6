"""The tap: one thread of the sockets' process that hears of new events and wakes the followers of their tenants.

Nothing depends on it: a follower that is not woken looks by the clock.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from apps.core.db import loss
from apps.core.scope import platform_scope
from apps.events import log
from apps.events.wake import Ear

logger = logging.getLogger("aibos.live")

PAUSE = 0.25
SULK = 2.0
FROM_NOW = 1 << 62  # a floor above every transaction
Followers = set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]


class Tap:
    """Runs while somebody follows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followers: dict[UUID, Followers] = {}
        self._stop: threading.Event | None = None

    @contextmanager
    def hearing(self, tenant_id: UUID, moved: asyncio.Event) -> Iterator[None]:
        """Set `moved` soon after the tenant's events, for the block."""
        me = (asyncio.get_running_loop(), moved)
        with self._lock:
            self._followers.setdefault(tenant_id, set()).add(me)
            if self._stop is None:
                self._stop = threading.Event()
                threading.Thread(target=self._run, args=(self._stop,), name="event tap", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._followers[tenant_id].discard(me)
                if not self._followers[tenant_id]:
                    del self._followers[tenant_id]
                if not self._followers and self._stop is not None:
                    self._stop.set()
                    self._stop = None

    def _run(self, stop: threading.Event) -> None:
        ear, floor = Ear(), 0
        try:
            while not stop.is_set():
                try:
                    floor = self._turn(floor)
                    ear.wait(PAUSE, stop)
                except Exception as error:  # noqa: BLE001 - whatever it is, followers look by themselves
                    logger.warning("The tap hears nothing (%s: %s).", type(error).__name__, error)
                    loss.reset()
                    stop.wait(SULK)
        finally:
            ear.close()
            loss.reset()

    def _turn(self, floor: int) -> int:
        with platform_scope("live: who has new events"):
            low, tenants = log.news(floor or FROM_NOW)
        if not floor:  # what came between a follower's look and the first turn is below every later floor
            with self._lock:
                tenants = set(self._followers)
        self._wake(tenants)
        return low

    def _wake(self, tenants: set[UUID]) -> None:
        with self._lock:
            woken = [pair for tenant in tenants for pair in self._followers.get(tenant, ())]
        for loop, moved in woken:
            if not loop.is_closed():
                loop.call_soon_threadsafe(moved.set)


tap = Tap()
