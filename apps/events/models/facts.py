"""The tables of facts: the log, what has been handled, and who has read how far; shared, one place to drain.

Log and inbox are partitioned by the event's id, which begins with its time: old days are dropped whole.
"""

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
        indexes = [
            models.Index(fields=["xid", "id"], name="events_outbox_settled"),
            models.Index(fields=["tenant_id", "xid", "id"], name="events_outbox_order"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject or ''}".strip()


class InboxEvent(models.Model):
    """Which subscriber has handled which event: the effect and this row commit together."""

    placement: ClassVar[str] = "public"

    pk = models.CompositePrimaryKey("event_id", "subscriber")
    event_id = models.UUIDField()
    subscriber = models.TextField()
    tenant_id = models.UUIDField(null=True)
    handled_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        db_table = "events_inbox"

    def __str__(self) -> str:
        return f"{self.event_id} {self.subscriber}"


class HookState(models.Model):
    """What is remembered of a hook in a tenant: when one that runs once has run, and how often it failed."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(null=True)
    hook = models.TextField()
    ran_at = models.DateTimeField(null=True)
    failures = models.BigIntegerField(default=0, db_default=0)
    error = models.TextField(default="", db_default="")
    failed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "events_hook"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "hook"], name="events_hook_of_tenant", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.hook


class Position(models.Model):
    """How far a reader has read the log: after this event of this transaction of this cluster."""

    placement: ClassVar[str] = "public"

    consumer = models.TextField(primary_key=True)
    bus = models.TextField()
    xid = Xid8Field()
    id = models.UUIDField()
    cluster = models.BigIntegerField()
    moved_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        db_table = "events_position"

    def __str__(self) -> str:
        return self.consumer
