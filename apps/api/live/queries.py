"""Live queries: a subscription's fields are lists and records, told whole at first and again whenever they have changed.

Each look passes the same compiler as a request of its own, so nothing outlives a right. Between looks the log of
events says whether anything was written to an object that the answer was read from.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from channels.db import database_sync_to_async
from django.http import HttpRequest
from graphql.language import OperationType

from apps.api.graphql.asking import Wish
from apps.api.graphql.problems import refused
from apps.api.graphql.running import Asked, run
from apps.api.live.look import arrive, name_of, told
from apps.api.live.tap import tap
from apps.api.live.telling import Teller, reached
from apps.core.errors import Problem
from apps.core.scope import TenantRef
from apps.events import log
from apps.events.log import Place

EVERY = 1.5  # seconds between looks when nobody rings; also the longest that an ended session goes on
WHOLE = 30.0  # seconds after which the answer is read again whatever the log says
HEARTBEAT = 15.0
GAP = 0.25  # the least seconds between two looks
REST = 2
PAGE = 100


@dataclass(frozen=True)
class Sight:
    """One look: where the log stood, by which clock, and the answer; `body` is None when nothing called for one."""

    caller: str
    tenant: TenantRef
    place: Place
    clock: int
    objects: frozenset[str]
    body: bytes | None
    once: bool = False


@database_sync_to_async
def look(request: HttpRequest, wish: Wish, before: Sight | None, *, whole: bool) -> Sight:
    """Return what stands now; the first look is counted and judged as a call to the API."""
    return told(request, lambda: _look(request, wish, before, whole=whole))


def _look(request: HttpRequest, wish: Wish, before: Sight | None, *, whole: bool) -> Sight:
    call, identity = arrive(request, first=before is None)
    if call.tenant is None:
        raise Problem("TENANT_REQUIRED", "Queries are followed at a tenant's host.", status=400)
    if before is None:
        place = log.now(call.tenant)
    else:
        page = log.after(call.tenant, before.place, limit=PAGE)
        place = page.place
        touched = {(event.subject or "").partition(":")[0] for event in page.events}
        if not (whole or page.more or identity.clock != before.clock or touched & before.objects):
            return replace(before, place=place, body=None)
    document = wish.document(call.tenant)
    operation = document.operation(wish.operation_name)
    if operation.operation == OperationType.MUTATION:
        raise refused("Mutations are sent with POST to /api/v1/graphql.", code="GRAPHQL_MUTATION_ELSEWHERE")
    user = identity.user
    me = {"id": str(user.id), "name": user.name, "email": user.email}
    answer = run(Asked(document, operation, wish.variables, identity.actor, call.tenant, me, call.zone))
    once = operation.operation == OperationType.QUERY
    return Sight(
        name_of(call, identity), call.tenant, place, identity.clock, answer.objects, answer.body(), once
    )


class LiveQuery:
    """One subscription of one caller. It holds no queue: it looks again when the last answer has been sent."""

    def __init__(self, request: HttpRequest, wish: Wish) -> None:
        self._request, self._wish = request, wish
        self._sight: Sight | None = None

    async def begin(self) -> str:
        """Look for the first time; return the caller, or raise what the API would answer."""
        seen = await reached(look(self._request, self._wish, None, whole=True))
        self._sight = seen
        return seen.caller

    def is_over(self) -> bool:
        """A subscription never ends by itself."""
        return False

    async def news(self, moved: asyncio.Event, gone: Callable[[], bool]) -> AsyncIterator[bytes | None]:
        """Yield the answer, and each that differs from the one before; None is a sign of life."""
        assert self._sight is not None
        seen, said = self._sight, b""
        spoke = read = time.monotonic()
        took = 0.0
        with tap.hearing(seen.tenant.id, moved):
            while not gone():
                if seen.body is not None:
                    read = time.monotonic()
                if seen.body not in (None, said):
                    said, spoke = seen.body or b"", time.monotonic()
                    yield said
                elif time.monotonic() - spoke >= HEARTBEAT:
                    spoke = time.monotonic()
                    yield None
                if seen.once:
                    return
                rest = time.monotonic() + max(GAP, min(EVERY, took * REST))
                with suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), EVERY)
                moved.clear()
                await asyncio.sleep(rest - time.monotonic())
                if gone():
                    return
                took = time.monotonic()
                whole = took - read >= WHOLE
                seen = await reached(look(self._request, self._wish, seen, whole=whole))
                took = time.monotonic() - took

    async def run(self, teller: Teller, gone: "asyncio.Task[bool]") -> None:
        """Tell every answer until the caller is `gone`: events `next`, and `complete` after a plain query."""
        moved = asyncio.Event()
        gone.add_done_callback(lambda _task: moved.set())
        async for body in self.news(moved, gone.done):
            if body is None:
                await teller.beat()
            else:
                await teller.put(body, name="next")
        if not gone.done():
            await teller.put(b"", name="complete")
