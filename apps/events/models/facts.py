"""The tables of facts: the outbox and what has been handled; shared, with one place to drain."""

from typing import ClassVar

from django.db import models
from django.db.models import Func

from apps.audit.models import Xid8Field
from apps.core.ids import uuid7


class OutboxEvent(models.Model):
    """A fact, written in the transaction that made it true; `body` is its CloudEvents envelope as JSON."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    xid = Xid8Field(db_default=Func(function="pg_current_xact_id"))
    tenant_id = models.UUIDField(null=True)
    type = models.TextField()
    subject = models.TextField(null=True)  # noqa: DJ001 - null is "nothing in particular"
    body = models.BinaryField()
    written_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        db_table = "events_outbox"
        indexes = [models.Index(fields=["tenant_id", "xid", "id"], name="events_outbox_order")]

    def __str__(self) -> str:
        return f"{self.type} {self.subject or ''}".strip()


class InboxEvent(models.Model):
    """Which subscriber has handled which event: the effect and this row commit together."""

    placement: ClassVar[str] = "public"

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    subscriber = models.TextField()
    tenant_id = models.UUIDField(null=True)
    handled_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        db_table = "events_inbox"
        constraints = [
            models.UniqueConstraint(fields=["event_id", "subscriber"], name="events_inbox_once"),
        ]
        indexes = [models.Index(fields=["handled_at"], name="events_inbox_age")]

    def __str__(self) -> str:
        return f"{self.event_id} {self.subscriber}"
