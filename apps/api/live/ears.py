"""Hearing the herald: one channel of the layer for all followers of this process.

Nothing depends on it: a follower that hears nothing looks by the clock.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from apps.events.jobs.herald import PATIENCE, SULK, group_of

logger = logging.getLogger("aibos.live")


class Ears:
    """The followers of one event loop by job, and the task that wakes them."""

    def __init__(self) -> None:
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None
        self._channel = ""

    async def add(self, job_id: UUID, moved: asyncio.Event) -> None:
        """Wake `moved` at every call for the job."""
        known = self._followers.setdefault(str(job_id), set())
        known.add(moved)
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        elif len(known) == 1 and self._channel:
            await _try(get_channel_layer().group_add(group_of(job_id), self._channel))

    async def remove(self, job_id: UUID, moved: asyncio.Event) -> None:
        """Forget the follower; with the last one the listening ends."""
        known = self._followers[str(job_id)]
        known.discard(moved)
        if known:
            return
        del self._followers[str(job_id)]
        if self._channel:
            await _try(get_channel_layer().group_discard(group_of(job_id), self._channel))
        if not self._followers and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait({task}, timeout=SULK)

    async def _listen(self) -> None:
        """Listen while this is the task; a dead layer is tried again."""
        me = asyncio.current_task()
        while self._task is me:
            layer: Any = get_channel_layer()
            channel = await layer.new_channel()
            try:
                joined: set[str] = set()
                while missing := self._followers.keys() - joined:  # more may come while it joins
                    for job in missing:
                        await layer.group_add(group_of(UUID(job)), channel)
                    joined |= missing
                self._channel = channel
                while self._task is me:
                    message = await layer.receive(channel)
                    for moved in self._followers.get(message.get("job"), ()):
                        moved.set()
            except Exception as error:  # noqa: BLE001 - a layer has many ways to be dead
                logger.debug("The channel layer is silent (%s: %s).", type(error).__name__, error)
                await asyncio.sleep(SULK)
            finally:
                if self._channel == channel:
                    self._channel = ""


_ears: "WeakKeyDictionary[asyncio.AbstractEventLoop, Ears]" = WeakKeyDictionary()


@asynccontextmanager
async def hearing(job_id: UUID, moved: asyncio.Event) -> AsyncIterator[None]:
    """Set `moved` whenever the herald calls out the job, for the block."""
    ears = _ears.setdefault(asyncio.get_running_loop(), Ears())
    await ears.add(job_id, moved)
    try:
        yield
    finally:
        await ears.remove(job_id, moved)


async def _try(work: Any) -> None:
    with suppress(Exception):
        await asyncio.wait_for(work, PATIENCE)
