"""Following a job: its state at once, then every change, until it ends or the caller loses the right to it."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol
from uuid import UUID

from django.db import DatabaseError
from django.http import HttpRequest

from apps.api.live.ears import hearing
from apps.api.live.look import Sight, look
from apps.core.errors import Problem

logger = logging.getLogger("aibos.live")

EVERY = 1.5  # seconds between looks when nobody calls; also the longest that an ended session goes on
HEARTBEAT = 15.0
REST = 5
MOST_PER_CALLER = 20
MOST = 1000


class Teller(Protocol):
    """What a door sends: a frame of state, and a sign of life."""

    async def tell(self, frame: bytes) -> None: ...
    async def beat(self) -> None: ...


class Crowd:
    """Who follows through this process, counted by caller."""

    def __init__(self) -> None:
        self._callers: Counter[str] = Counter()

    @contextmanager
    def place(self, caller: str) -> Iterator[None]:
        """Hold one connection's place; raise 429 when the caller, or the process, has too many."""
        if self._callers[caller] >= MOST_PER_CALLER or self._callers.total() >= MOST:
            raise Problem(
                "RATE_LIMIT_EXCEEDED",
                f"At most {MOST_PER_CALLER} jobs are followed at once.",
                status=429,
                cure="Close connections that are not needed.",
                headers={"Retry-After": "10"},
            )
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._callers[caller] -= 1
            self._callers += Counter()  # forgets those that are gone


crowd = Crowd()


async def follow(
    request: HttpRequest, job_id: UUID, teller: Teller, sight: Sight, gone: "asyncio.Task[bool]"
) -> None:
    """Tell every state of the job, beginning with `sight`; return when it has ended or the caller is `gone`.

    Raises `Problem` as soon as the caller may no longer know of the job, or the database does not answer.
    """
    moved = asyncio.Event()
    gone.add_done_callback(lambda _task: moved.set())
    async with hearing(job_id, moved):
        told, spoke, took = b"", time.monotonic(), 0.0
        while not gone.done():
            if (frame := sight.frame) != told:
                told, spoke = frame, time.monotonic()
                await teller.tell(frame)
            elif time.monotonic() - spoke >= HEARTBEAT:
                spoke = time.monotonic()
                await teller.beat()
            if sight.job.ended:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(moved.wait(), EVERY)
            moved.clear()
            if gone.done():
                return
            await asyncio.sleep(min(EVERY, took * REST))  # a slow database is not asked more often
            took = time.monotonic()
            sight = await glance(request, job_id)
            took = time.monotonic() - took


async def glance(request: HttpRequest, job_id: UUID, *, first: bool = False) -> Sight:
    """Look at the job; a database that does not answer is a `Problem` too: nobody can say who may see what."""
    try:
        return await look(request, job_id, first=first)
    except DatabaseError:
        logger.exception("the database did not answer")
        raise Problem(
            "SERVICE_UNAVAILABLE",
            "The database did not answer in time.",
            status=503,
            headers={"Retry-After": "2"},
        ) from None
