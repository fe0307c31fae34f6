"""The doorbell: asks Celery to look for due jobs, after the commit and beside the caller.

A ring may be lost (dead broker, full queue, killed process): the sweeper rings again. So ringing never fails
and never delays whoever enqueued the job.
"""

import logging
import os
import queue
import threading
import time
from uuid import UUID

from celery import Celery

logger = logging.getLogger("aibos.work")

TASK = "events.ring"
ROOM = 1000
SULK = 2.0


# Its own application: whoever enqueues a job need not have loaded the workers' one.
sender = Celery("aibos-bell", set_as_current=False)
sender.config_from_object("django.conf:settings", namespace="CELERY")


class Bell:
    """Sends rings from a thread of its own; after a failure it is silent for `SULK` seconds."""

    def __init__(self) -> None:
        # Without a broker rings would only pile up in this process; the workers ask by themselves then.
        self.silent = str(sender.conf.broker_url).startswith("memory:")
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._rings: queue.Queue[UUID] = queue.Queue(ROOM)

    def ring(self, job_id: UUID) -> None:
        """Ask a worker to look for due jobs; `job_id` says on whose behalf."""
        if self.silent:
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()
        try:
            self._rings.put_nowait(job_id)
        except queue.Full:
            logger.warning("The bell is busy; the sweeper will ring for %s.", job_id)

    def _run(self) -> None:
        silent_until = 0.0
        while True:
            job_id = self._rings.get()
            if time.monotonic() < silent_until:
                continue
            try:
                sender.send_task(TASK, args=[str(job_id)], retry=False, ignore_result=True)
            except Exception as error:  # noqa: BLE001 - a broker has many ways to be dead
                silent_until = time.monotonic() + SULK
                logger.warning(
                    "Nobody hears the bell (%s: %s); the sweeper rings later.", type(error).__name__, error
                )


bell = Bell()
