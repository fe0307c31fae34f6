"""The herald: says through the channel layer that a job's row has changed, beside whoever changed it.

A call may be lost (dead layer, full queue, killed process): listeners read the row by themselves, only later.
So a call never fails and never delays the job, and it carries no more than the job's id.
"""

import asyncio
import logging
import os
import queue
import threading
import time
from uuid import UUID

from channels.layers import InMemoryChannelLayer, get_channel_layer

logger = logging.getLogger("aibos.work")

ROOM = 1000
PATIENCE = 1.0
SULK = 2.0


def group_of(job_id: UUID) -> str:
    """Return the name of the group in which the job's changes are called out."""
    return f"job.{job_id}"


def message_of(job_id: UUID) -> dict[str, str]:
    """Return what is called out."""
    return {"type": "job.changed", "job": str(job_id)}


class Herald:
    """Calls from a thread of its own; after a failure it is silent for `SULK` seconds."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._calls: queue.Queue[UUID] = queue.Queue(ROOM)

    def call(self, job_id: UUID) -> None:
        """Say that the job has changed; returns at once, whatever becomes of it."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="herald", daemon=True)
                self._thread.start()
        try:
            self._calls.put_nowait(job_id)
        except queue.Full:
            logger.debug("The herald is busy; whoever follows %s reads its row.", job_id)

    def _run(self) -> None:
        silent_until = 0.0
        with asyncio.Runner() as runner:  # one loop for all calls: the layer keeps its connections by loop
            while True:
                job_id = self._calls.get()
                if time.monotonic() < silent_until:
                    continue
                try:
                    runner.run(_say(job_id))
                except Exception as error:  # noqa: BLE001 - a layer has many ways to be dead
                    silent_until = time.monotonic() + SULK
                    logger.warning("Nobody hears the herald (%s: %s).", type(error).__name__, error)


async def _say(job_id: UUID) -> None:
    layer = get_channel_layer()
    if isinstance(layer, InMemoryChannelLayer):
        return  # it would reach this thread alone
    await asyncio.wait_for(layer.group_send(group_of(job_id), message_of(job_id)), PATIENCE)


herald = Herald()
