"""Which records a member opened last."""

from uuid import UUID

from django.utils import timezone

from apps.portal.models import Visit

KEPT = 50


def note(user_id: UUID, object_name: str, record_id: UUID) -> None:
    """Remember that the member opened the record now."""
    now = timezone.now()
    _row, made = Visit.objects.update_or_create(
        user_id=user_id, object_name=object_name, record_id=record_id, defaults={"seen_at": now}
    )
    if made:
        kept = Visit.objects.filter(user_id=user_id).order_by("-seen_at").values_list("id", flat=True)[:KEPT]
        Visit.objects.filter(user_id=user_id).exclude(id__in=list(kept)).delete()


def latest(user_id: UUID, limit: int) -> list[Visit]:
    """Return the last visits, the newest first."""
    return list(Visit.objects.filter(user_id=user_id).order_by("-seen_at")[:limit])
