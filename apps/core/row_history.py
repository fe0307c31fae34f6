"""History of the platform's own rows (plans, hosts, tenants) for the console, by django-simple-history."""

from typing import Any

from django.db import models
from simple_history.models import HistoricalRecords

from apps.core import context


def _acting(**_kwargs: Any) -> str | None:
    actor = context.actor.get()
    return f"{actor.kind}:{actor.label}" if actor else None


def _get(row: Any) -> str | None:
    return row.history_user_id  # type: ignore[no-any-return]


def _set(row: Any, user: str | None) -> None:
    row.history_user_id = user[:200] if user else None


def row_history(**options: Any) -> HistoricalRecords:
    """Return history records that name the actor as text: no relation points up to the users."""
    return HistoricalRecords(
        history_user_id_field=models.CharField(max_length=200, null=True),
        history_user_getter=_get,
        history_user_setter=_set,
        get_user=_acting,
        **options,
    )
