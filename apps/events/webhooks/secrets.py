"""The secrets of endpoints and sources: sealed in the database, two of them valid while one is replaced."""

import datetime as dt
import os
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.core import sealing
from apps.core.ids import uuid7
from apps.events.models import WebhookSecret
from apps.events.webhooks import signing

PURPOSE = "webhooks"
SIZE = 32


def new_secret() -> str:
    """Return a random secret as the specification writes it."""
    return signing.secret_of(os.urandom(SIZE))


def keep(tenant_id: UUID, holder_id: UUID, secret: str) -> None:
    """Add a secret to its holder."""
    row_id = uuid7()
    sealed = sealing.seal(PURPOSE, _place(row_id), secret.encode())
    WebhookSecret.objects.create(id=row_id, tenant_id=tenant_id, holder_id=holder_id, sealed=sealed)


def valid(holder_id: UUID) -> list[str]:
    """Return the secrets of a holder that are valid now, the newest first."""
    now = timezone.now()
    rows = WebhookSecret.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), holder_id=holder_id)
    return [
        sealing.unseal(PURPOSE, _place(row.id), bytes(row.sealed)).decode() for row in rows.order_by("-id")
    ]


def replace(tenant_id: UUID, holder_id: UUID, secret: str, grace: dt.timedelta) -> None:
    """Put a new secret in front; the one before it stays valid for `grace`, older ones end now."""
    rows = list(WebhookSecret.objects.filter(holder_id=holder_id).order_by("-id"))
    WebhookSecret.objects.filter(id__in=[row.id for row in rows[1:]]).delete()
    if rows:
        WebhookSecret.objects.filter(id=rows[0].id).update(expires_at=timezone.now() + grace)
    keep(tenant_id, holder_id, secret)


def ending(holder_id: UUID) -> dt.datetime | None:
    """Return when the older of two valid secrets ends, or None."""
    rows = WebhookSecret.objects.filter(holder_id=holder_id, expires_at__gt=timezone.now())
    return rows.values_list("expires_at", flat=True).first()


def forget(holder_id: UUID) -> None:
    """Delete all secrets of a holder."""
    WebhookSecret.objects.filter(holder_id=holder_id).delete()


def _place(row_id: UUID) -> str:
    return f"webhooks_secret/{row_id}"
