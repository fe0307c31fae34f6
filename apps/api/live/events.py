"""Following events: what happens in a tenant, as one caller may know of it, from a place in the log.

A follower holds no queue. It reads the next page of the log when it has sent the last one, so a slow caller costs
a place in the log and nothing else; its right to see is asked anew for every page.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from channels.db import database_sync_to_async
from django.conf import settings
from django.http import HttpRequest

from apps.api import answers
from apps.api.live.look import arrive, name_of, told
from apps.api.live.tap import tap
from apps.api.live.telling import Teller, reached
from apps.api.live.wishes import Wish
from apps.core.errors import Problem
from apps.core.scope import TenantRef, tenant_scope
from apps.events import cursor, log
from apps.events.audience import seen_by
from apps.events.log import Place
from apps.events.types import Event
from apps.identity.resolve import Identity
from apps.objects.audience import subject_of
from apps.objects.catalog import catalog

EVERY = 1.5  # seconds between looks when nobody rings; also the longest that an ended session goes on
HEARTBEAT = 15.0
REST = 2
PAGE = 100
GAP = 0.1  # the least seconds between two looks of one follower that is up to date
GONE = {
    "code": "CURSOR_EXPIRED",
    "status": 410,
    "message": "Events after this cursor may be gone. Read again what you show; new events follow.",
}


@dataclass(frozen=True)
class View:
    """One look at the log: what the caller may see, where to go on, and whether it must begin again."""

    caller: str
    tenant: TenantRef
    events: Sequence[tuple[Event, Place]]
    place: Place
    more: bool = False
    reload: bool = False


@database_sync_to_async
def view(request: HttpRequest, wish: Wish, place: Place | None) -> View:
    """Return what has happened after `place`; None is the first look, counted and judged as a call to the API."""
    return told(request, lambda: _view(request, wish, place))


def _view(request: HttpRequest, wish: Wish, place: Place | None) -> View:
    call, identity = arrive(request, first=place is None)
    if call.tenant is None:
        raise Problem("TENANT_REQUIRED", "Events are followed at a tenant's host.", status=400)
    caller = name_of(call, identity)
    if place is None:
        start = log.now(call.tenant)
        place = _begin(call.tenant, wish.after, start) if wish.after else start
        if place is None:
            return View(caller, call.tenant, (), start, reload=True)
        if place == start:
            return View(caller, call.tenant, (), start)
    page = log.after(call.tenant, place, limit=PAGE, subject=wish.subject, prefix=wish.prefix)
    wanted = [event for event in page.events if wish.wants(event.type)]
    places = {event.id: at for event, at in zip(page.events, page.places, strict=True)}
    seen = _seen(call.tenant, wanted, identity) if wanted else []
    return View(caller, call.tenant, [(event, places[event.id]) for event in seen], page.place, page.more)


def _begin(tenant: TenantRef, after: str, start: Place) -> Place | None:
    """Return the place of a cursor; None when events after it may be gone, or nobody knows where it is."""
    place = cursor.unseal(tenant.id, after)
    if place is None or place.xid > start.xid:  # changed by hand, or given by another cluster
        return None
    return place if start.time - place.time <= dt.timedelta(days=settings.EVENTS_KEEP_DAYS) else None


def _seen(tenant: TenantRef, events: list[Event], identity: Identity) -> list[Event]:
    with tenant_scope(tenant):
        seen = seen_by(events, by=identity.actor)
        if identity.from_cookie:
            return seen
        return [event for event in seen if _served(event)]


def _served(event: Event) -> bool:
    """Say whether the API serves what the event is about: programs learn of an object only where they may read it."""
    subject = subject_of(event)
    if subject is None:
        return True
    enable = catalog().object(subject[0]).enable
    return enable.api_enabled and bool({"get", "list"} & set(enable.api_methods))


async def glance(request: HttpRequest, wish: Wish, place: Place | None) -> View:
    """Look; a database that does not answer is a `Problem` too."""
    return await reached(view(request, wish, place))


class EventFeed:
    """The events of a tenant for one caller."""

    def __init__(self, request: HttpRequest, wish: Wish) -> None:
        self._request, self._wish = request, wish
        self._view: View | None = None

    async def begin(self) -> str:
        """Look for the first time; return the caller, or raise what the API would answer."""
        self._view = await glance(self._request, self._wish, None)
        return self._view.caller

    def is_over(self) -> bool:
        """Events never end."""
        return False

    async def run(self, teller: Teller, gone: "asyncio.Task[bool]") -> None:
        """Tell where the stream begins, then every event, until the caller is `gone`."""
        assert self._view is not None
        seen, tenant = self._view, self._view.tenant.id
        moved = asyncio.Event()
        gone.add_done_callback(lambda _task: moved.set())
        with tap.hearing(tenant, moved):
            name, said = ("reload", GONE) if seen.reload else ("open", {"heartbeat": HEARTBEAT})
            await teller.put(answers.encode(said), mark=cursor.seal(tenant, seen.place), name=name)
            seen, spoke, took = replace(seen, more=True), time.monotonic(), 0.0
            while not gone.done():
                for event, place in seen.events:
                    spoke = time.monotonic()
                    body = answers.encode(dict(event.envelope))
                    await teller.put(body, mark=cursor.seal(tenant, place))
                if time.monotonic() - spoke >= HEARTBEAT:
                    spoke = time.monotonic()
                    await teller.beat(cursor.seal(tenant, seen.place))
                if not seen.more:
                    rest = time.monotonic() + max(GAP, min(EVERY, took * REST))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(moved.wait(), EVERY)
                    moved.clear()
                    await asyncio.sleep(rest - time.monotonic())  # a slow database is not asked more often
                if gone.done():
                    return
                took = time.monotonic()
                seen = await glance(self._request, self._wish, seen.place)
                took = time.monotonic() - took
