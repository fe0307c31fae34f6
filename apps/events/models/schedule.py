"""The table of schedules: what is to be asked for again and again, or once at a moment to come."""

from typing import ClassVar

from django.db import models
from django.db.models import Func, Q
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7


class ScheduleKind(models.TextChoices):
    """How the moments are told."""

    CRON = "cron", _("By the calendar")
    INTERVAL = "interval", _("Every so often")
    ONCE = "once", _("Once")


class ScheduleState(models.TextChoices):
    """Whether a schedule asks for anything."""

    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    ENDED = "ended", _("Ended")


class Missed(models.TextChoices):
    """What becomes of moments that passed while nobody looked."""

    SKIP = "skip", _("Leave them out")
    ONCE = "once", _("Run once for all of them")
    ALL = "all", _("Run for each of them")


class Overlap(models.TextChoices):
    """What happens when the job of the moment before has not ended."""

    SKIP = "skip", _("Leave the moment out")
    ALLOW = "allow", _("Run beside it")


class Schedule(models.Model):
    """A task, its arguments, and the moments at which a job is made of them.

    `every` is in seconds and counts from `at`; `at` is the moment itself for `once`. `key` is the name by which the
    product's code finds a schedule of its own. `next_at` is null when there is no moment to come.
    """

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(null=True)
    key = models.TextField(null=True)  # noqa: DJ001 - null is "made by a person"
    title = models.TextField()
    task = models.TextField()
    args = models.JSONField(default=dict)
    args_version = models.SmallIntegerField(default=1, db_default=1)
    kind = models.TextField(choices=ScheduleKind.choices)
    cron = models.TextField(default="", db_default="")
    every = models.BigIntegerField(null=True)
    at = models.DateTimeField(null=True)
    time_zone = models.TextField(default="UTC", db_default="UTC")
    missed = models.TextField(choices=Missed.choices, default=Missed.ONCE, db_default=Missed.ONCE)
    overlap = models.TextField(choices=Overlap.choices, default=Overlap.SKIP, db_default=Overlap.SKIP)
    priority = models.SmallIntegerField(default=0, db_default=0)
    state = models.TextField(
        choices=ScheduleState.choices, default=ScheduleState.ACTIVE, db_default=ScheduleState.ACTIVE
    )
    actor = models.JSONField()
    next_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    last_job_id = models.UUIDField(null=True)
    runs = models.BigIntegerField(default=0, db_default=0)
    left_out = models.BigIntegerField(default=0, db_default=0)
    trouble = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    updated_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], name="events_schedule_due", condition=Q(state="active")),
            models.Index(fields=["tenant_id", "-id"], name="events_schedule_list"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "key"],
                name="events_schedule_once",
                condition=Q(key__isnull=False),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(kind__in=ScheduleKind.values, state__in=ScheduleState.values),
                name="events_schedule_words",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"
