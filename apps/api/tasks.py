"""Celery's side of the API: removes idempotent answers that are past their day."""

from celery import shared_task

from apps.api import idempotency


@shared_task(name="api.sweep_answers", ignore_result=True)
def sweep_answers() -> None:
    """Delete the answers of writes that are more than a day old."""
    idempotency.sweep()
