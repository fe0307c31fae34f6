"""Celery's side of durable work: rings and sweeps; the truth is the job's row."""

from celery import shared_task

from apps.events import runner, sweeper

BUDGET = 5.0


@shared_task(name="events.ring", ignore_result=True)
def ring(_job_id: str) -> None:
    """Run what is due, the fairest first; the id says on whose behalf it rang."""
    runner.drain(BUDGET)


@shared_task(name="events.sweep", ignore_result=True)
def sweep() -> None:
    """Ring again for what nobody heard."""
    sweeper.sweep()
