"""Celery's side of durable work: rings and sweeps; the truth is the job's row."""

from celery import shared_task

from apps.events.jobs import runner, sweeper

BUDGET = 5.0
# Acknowledged at once: a lost ring is rung again by the sweeper, and a late acknowledgement to a broker that has
# gone away in the meantime ends the whole worker.
RING = {"ignore_result": True, "acks_late": False, "reject_on_worker_lost": False}


@shared_task(name="events.ring", **RING)
def ring(_job_id: str) -> None:
    """Run what is due, the fairest first; the id says on whose behalf it rang."""
    runner.drain(BUDGET)


@shared_task(name="events.sweep", **RING)
def sweep() -> None:
    """Ring again for what nobody heard."""
    sweeper.sweep()
