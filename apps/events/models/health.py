"""The tables of health: the last finding of each check, its history by minutes, processes, and alerts."""

from typing import ClassVar

from django.db import models
from django.db.models import Func, Q

from apps.core.ids import uuid7


class CheckState(models.Model):
    """The last finding of one check; `since` is when its status became what it is.

    `settled` is the status that was announced last, `streak` how many probes in a row have found `status`.
    """

    placement: ClassVar[str] = "public"

    name = models.TextField(primary_key=True)
    status = models.TextField()
    message = models.TextField()
    figures = models.JSONField(default=dict)
    seconds = models.FloatField(default=0)
    at = models.DateTimeField()
    since = models.DateTimeField()
    settled = models.TextField()
    streak = models.IntegerField(default=1)

    class Meta:
        db_table = "events_check"

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"


class CheckMinute(models.Model):
    """What the probes of one minute found: the worst of it, and the peak of the check's measure."""

    placement: ClassVar[str] = "public"

    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    start = models.DateTimeField()
    worst = models.SmallIntegerField()
    message = models.TextField()
    peak = models.FloatField(null=True)
    probes = models.IntegerField(default=1)

    class Meta:
        db_table = "events_check_minute"
        constraints = [models.UniqueConstraint(fields=["start", "name"], name="events_check_minute_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.start:%Y-%m-%d %H:%M}"


class Process(models.Model):
    """A process of the product and when it was last heard; `lost_at` says that it went without a word."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.TextField()
    name = models.TextField()
    host = models.TextField()
    pid = models.IntegerField()
    version = models.TextField()
    started_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    seen_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    lost_at = models.DateTimeField(null=True)
    details = models.JSONField(default=dict)

    class Meta:
        db_table = "events_process"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Alert(models.Model):
    """Something that people must know; open until `resolved_at`, in the way until somebody has acknowledged it.

    `tenant_id` null: the platform's. Operators and the tenant's own people acknowledge each for themselves.
    """

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(null=True)
    kind = models.TextField()
    subject = models.TextField()
    severity = models.TextField(choices=[("critical", "critical"), ("warning", "warning")])
    message = models.TextField()
    details = models.JSONField(default=dict)
    times = models.IntegerField(default=1)
    raised_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    last_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    operators_ack_at = models.DateTimeField(null=True)
    operators_ack_by = models.TextField(default="", db_default="")
    tenant_ack_at = models.DateTimeField(null=True)
    tenant_ack_by = models.TextField(default="", db_default="")
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(default="", db_default="")

    class Meta:
        db_table = "events_alert"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject", "tenant_id"],
                name="events_alert_open",
                condition=Q(resolved_at__isnull=True),
                nulls_distinct=False,
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "-id"], name="events_alert_list")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
