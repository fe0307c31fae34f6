"""Following a job: its state at once, then every change, until it ends or the caller loses the right to it."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from uuid import UUID

from django.db import DatabaseError
from django.http import HttpRequest

from apps.api.live.ears import hearing
from apps.api.live.look import Sight, look
from apps.api.live.telling import Teller, unavailable
from apps.core.errors import Problem

logger = logging.getLogger("aibos.live")

EVERY = 1.5  # seconds between looks when nobody calls; also the longest that an ended session goes on
HEARTBEAT = 15.0
REST = 5
MOST_PER_CALLER = 20
MOST = 1000


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
                f"At most {MOST_PER_CALLER} connections follow at once.",
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


class JobFeed:
    """The states of one job; as a stream's event id each has a digest, so that none is told twice."""

    def __init__(self, request: HttpRequest, job_id: UUID, *, marks: bool) -> None:
        self._request, self._job_id, self._marks = request, job_id, marks
        self._known = request.META.get("HTTP_LAST_EVENT_ID", "") if marks else ""
        self._sight: Sight | None = None

    async def begin(self) -> str:
        """Look for the first time; return the caller, or raise what the API would answer."""
        self._sight = await glance(self._request, self._job_id, first=True)
        return self._sight.caller

    def is_over(self) -> bool:
        """Say whether the job has ended and the caller knows how."""
        sight = self._sight
        return sight is not None and sight.job.ended and self._known == mark(sight.frame)

    async def run(self, teller: Teller, gone: "asyncio.Task[bool]") -> None:
        """Tell every state of the job; return when it has ended or the caller is `gone`.

        Raises `Problem` as soon as the caller may no longer know of the job, or the database does not answer.
        """
        assert self._sight is not None
        sight, moved = self._sight, asyncio.Event()
        gone.add_done_callback(lambda _task: moved.set())
        async with hearing(self._job_id, moved):
            told, spoke, took = b"", time.monotonic(), 0.0
            while not gone.done():
                if (frame := sight.frame) != told:
                    told, spoke = frame, time.monotonic()
                    await self._tell(teller, frame)
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
                sight = await glance(self._request, self._job_id)
                took = time.monotonic() - took

    async def _tell(self, teller: Teller, frame: bytes) -> None:
        if not self._marks:
            await teller.put(frame)
        elif (name := mark(frame)) != self._known:
            self._known = name
            await teller.put(frame, mark=name)


def mark(frame: bytes) -> str:
    """Return the event id of a state."""
    return blake2b(frame, digest_size=9).hexdigest()


async def glance(request: HttpRequest, job_id: UUID, *, first: bool = False) -> Sight:
    """Look at the job; a database that does not answer is a `Problem` too: nobody can say who may see what."""
    try:
        return await look(request, job_id, first=first)
    except DatabaseError:
        logger.exception("the database did not answer")
        raise unavailable() from None
