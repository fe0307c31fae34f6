"""The tables of webhooks: where events go, what became of each, and who may send events in."""

from typing import ClassVar

from django.db import models
from django.db.models import Func, Q
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7


class EndpointState(models.TextChoices):
    """`disabled` is what the platform does, `paused` what people do; both are ended by people."""

    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    DISABLED = "disabled", _("Disabled")


class DisabledFor(models.TextChoices):
    """Why the platform stopped sending."""

    GONE = "gone", _("The receiver answered that the address is gone (410).")
    FAILING = "failing", _("Nothing was accepted for five days.")
    OWNER = "owner", _("Who set it up may no longer manage webhooks.")


class DeliveryState(models.TextChoices):
    """`skipped`: nothing was sent, because the owner may not see the event or the endpoint was switched off."""

    WAITING = "waiting", _("Waiting")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Not sent")


class WebhookEndpoint(models.Model):
    """An address that gets the tenant's events, with the rights of `owner_id` narrowed by `owner_scopes`."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField()
    owner_id = models.UUIDField()
    owner_scopes = models.JSONField(null=True)
    url = models.TextField()
    description = models.TextField(default="", blank=True)
    types = models.JSONField(default=list)
    shape = models.TextField(default="cloudevents")
    with_record = models.BooleanField(default=False)
    state = models.TextField(choices=EndpointState.choices, default=EndpointState.ACTIVE)
    disabled_for = models.TextField(choices=DisabledFor.choices, default="", blank=True)
    failures = models.IntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    resting_until = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    last_failure_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    updated_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        db_table = "webhooks_endpoint"
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        indexes = [models.Index(fields=["tenant_id"], name="webhooks_endpoint_tenant")]

    def __str__(self) -> str:
        return self.description or self.url


class WebhookSecret(models.Model):
    """A secret of an endpoint or source (`holder_id`), sealed; with `expires_at` it is on its way out."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField()
    holder_id = models.UUIDField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhooks_secret"
        indexes = [models.Index(fields=["holder_id"], name="webhooks_secret_holder")]

    def __str__(self) -> str:
        return f"{self.holder_id}"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint, once; `envelope` is the event as it was written."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField()
    endpoint_id = models.UUIDField()
    event_id = models.UUIDField()
    event_type = models.TextField()
    subject = models.TextField(default="")
    envelope = models.JSONField()
    is_test = models.BooleanField(default=False)
    state = models.TextField(choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.IntegerField(default=0)
    reason = models.TextField(default="")
    status = models.IntegerField(null=True)
    job_id = models.UUIDField(null=True)
    next_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhooks_delivery"
        indexes = [
            models.Index(fields=["endpoint_id", "-id"], name="webhooks_delivery_list"),
            models.Index(fields=["next_at"], name="webhooks_delivery_waiting", condition=Q(state="waiting")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["endpoint_id", "event_id"], name="webhooks_delivery_once")
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.state}"


class WebhookAttempt(models.Model):
    """One call of an endpoint. The request is kept without the record's values, the answer as an excerpt."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField()
    delivery_id = models.UUIDField()
    number = models.IntegerField()
    at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    seconds = models.FloatField(default=0)
    address = models.TextField(default="")
    request_headers = models.JSONField(default=dict)
    request_body = models.TextField(default="")
    status = models.IntegerField(null=True)
    failure = models.TextField(default="")
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(default="")

    class Meta:
        db_table = "webhooks_attempt"
        indexes = [models.Index(fields=["delivery_id", "number"], name="webhooks_attempt_list")]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.number}"


class WebhookSource(models.Model):
    """Who may send events in, at `/api/v1/hooks/in/<name>`; `options` say how its signature is written."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField()
    name = models.TextField()
    description = models.TextField(default="", blank=True)
    scheme = models.TextField()
    options = models.JSONField(default=dict)
    state = models.TextField(choices=EndpointState.choices, default=EndpointState.ACTIVE)
    received = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    last_received_at = models.DateTimeField(null=True)
    last_refused_at = models.DateTimeField(null=True)
    last_refusal = models.TextField(default="")
    created_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        db_table = "webhooks_source"
        verbose_name = _("incoming webhook")
        verbose_name_plural = _("incoming webhooks")
        constraints = [models.UniqueConstraint(fields=["tenant_id", "name"], name="webhooks_source_name")]

    def __str__(self) -> str:
        return self.name


class WebhookReceipt(models.Model):
    """A message that came in: `replay_key` is taken once per source, so that a second one is known."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField()
    source_id = models.UUIDField()
    replay_key = models.BinaryField(max_length=32)
    message_id = models.TextField(default="")
    event_id = models.UUIDField()
    size = models.IntegerField()
    repeats = models.IntegerField(default=0)
    received_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        db_table = "webhooks_receipt"
        indexes = [
            models.Index(fields=["source_id", "-id"], name="webhooks_receipt_list"),
            models.Index(fields=["received_at"], name="webhooks_receipt_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["source_id", "replay_key"], name="webhooks_receipt_once")
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.message_id}"
