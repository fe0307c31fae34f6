"""Celery's side of durable work: rings and sweeps; the truth is the job's row."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import beat_init, worker_ready, worker_shutdown

from apps.core.db import loss
from apps.events.health.processes import SCHEDULER, WORKER, Heartbeat
from apps.events.jobs import runner, sweeper

logger = logging.getLogger("aibos.work")

BUDGET = 5.0
hearts: list[Heartbeat] = []
# Acknowledged at once: a lost ring is rung again by the sweeper, and a late acknowledgement to a broker that has
# gone away in the meantime ends the whole worker.
RING = {"ignore_result": True, "acks_late": False, "reject_on_worker_lost": False}


@shared_task(name="events.ring", **RING)
def ring(_job_id: str) -> None:
    """Run what is due, the fairest first; the id says on whose behalf it rang."""
    try:
        runner.drain(BUDGET)
    except loss.ERRORS:
        logger.warning("A worker lost its database; the next ring finds it again.", exc_info=True)
        loss.reset()


@shared_task(name="events.sweep", **RING)
def sweep() -> None:
    """Ring again for what nobody heard."""
    sweeper.sweep()


@worker_ready.connect
def arrive(sender: Any = None, **_signal: Any) -> None:
    """The worker's first process says from now on that it lives."""
    slots = int(getattr(getattr(sender, "controller", None), "concurrency", None) or 1)
    hearts.append(Heartbeat(WORKER, lambda: {"slots": slots}).start())


@beat_init.connect
def begin(**_signal: Any) -> None:
    """The clock says from now on that it lives."""
    hearts.append(Heartbeat(SCHEDULER).start())


@worker_shutdown.connect
def leave(**_signal: Any) -> None:
    """A worker that ends in order is not lost."""
    while hearts:
        hearts.pop().stop()
