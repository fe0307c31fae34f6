"""The table of durable work; shared, with one place to drain."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Func, Q, Value

from apps.core.ids import uuid7
from apps.events.jobs.states import JobState


class Job(models.Model):
    """A piece of durable work: the row is the truth, whoever rings. `fence` grows with each claim.

    `attempts` is its history, oldest first: `{number, started, ended, state, cause, worker}`, where `number` is the
    claim's fence, `state` what the job became and `cause` is empty after a success. `acts` is
    what people did to it, oldest first: `{act, at, by, …}`; see `apps.events.jobs.letters`. `asleep` keeps jobs of later out of the way of those that are due.
    """

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(null=True)
    name = models.TextField()
    title = models.TextField()
    args = models.JSONField(default=dict)
    args_version = models.SmallIntegerField(default=1, db_default=1)
    actor = models.JSONField()
    request_id = models.TextField(null=True)  # noqa: DJ001 - null is "asked for outside a request"
    idempotency_key = models.TextField(null=True)  # noqa: DJ001 - null is "no key"
    state = models.TextField(choices=JobState.choices, default=JobState.QUEUED, db_default=JobState.QUEUED)
    priority = models.SmallIntegerField(default=0, db_default=0)
    attempt = models.IntegerField(default=0, db_default=0)
    max_attempts = models.IntegerField(default=3, db_default=3)
    asleep = models.BooleanField(default=False, db_default=False)
    run_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0, db_default=0)
    worker = models.TextField(default="", db_default="")
    attempts = models.JSONField(default=list, db_default=Value([], output_field=models.JSONField()))
    acts = models.JSONField(default=list, db_default=Value([], output_field=models.JSONField()))
    schedule_id = models.UUIDField(null=True)
    cancel_requested = models.BooleanField(default=False, db_default=False)
    done = models.BigIntegerField(default=0, db_default=0)
    total = models.BigIntegerField(null=True)
    message = models.TextField(default="", db_default="")
    log = models.TextField(default="", db_default="")
    result = models.JSONField(null=True)
    error = models.TextField(default="", db_default="")
    traceback = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                F("tenant_id"),
                F("priority").desc(),
                F("run_at"),
                F("id"),
                name="events_job_ready",
                condition=Q(state="queued", asleep=False),
            ),
            models.Index(
                fields=["run_at"], name="events_job_asleep", condition=Q(state="queued", asleep=True)
            ),
            models.Index(fields=["tenant_id"], name="events_job_running", condition=Q(state="running")),
            models.Index(fields=["tenant_id", "-id"], name="events_job_list"),
            models.Index(
                fields=["tenant_id", "-id"],
                name="events_job_dead",
                condition=Q(state__in=["failed", "quarantined"]),
            ),
            models.Index(
                fields=["schedule_id", "-id"],
                name="events_job_schedule",
                condition=Q(schedule_id__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "name", "idempotency_key"],
                name="events_job_once",
                condition=Q(idempotency_key__isnull=False),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(state__in=JobState.values),
                name="events_job_state",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"
