"""What people may do with deliveries: try an endpoint, send one again, send everything that was missed."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core import queue
from apps.core.actor import Actor
from apps.core.canonical import plain
from apps.core.errors import Conflict, FieldError, Invalid, NotFound
from apps.core.ids import uuid7
from apps.core.scope import current_tenant
from apps.events.jobs.states import ENDED
from apps.events.models import DeliveryState, EndpointState, Job, WebhookDelivery
from apps.events.registry import EventType, register
from apps.events.webhooks import endpoints, rights
from apps.events.webhooks.delivering import TEST, ask
from apps.events.webhooks.keeping import LOG_DAYS

AGAIN = "webhooks.send_missed"
MISSED = (DeliveryState.FAILED, DeliveryState.SKIPPED)
PORTION, PACE = 500, 0.05
TEXT = {"type": "string"}

register(
    EventType(
        TEST,
        "A test that somebody sent to one webhook; it goes nowhere else.",
        {
            "type": "object",
            "properties": {"message": TEXT, "by": TEXT},
            "required": ["message", "by"],
            "additionalProperties": False,
        },
    )
)


@transaction.atomic
def test(*, endpoint_id: UUID, by: Actor) -> UUID:
    """Send a test event to an endpoint, tried once whatever the endpoint's state; return the delivery."""
    rights.require(by, "webhook.tested")
    row = endpoints.locked(endpoint_id)
    event_id, tenant = uuid7(), current_tenant()
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "type": TEST,
        "source": f"/tenants/{tenant.id}",
        "subject": endpoints.target(row),
        "time": timezone.now(),
        "datacontenttype": "application/json",
        "tenant": tenant.id,
        "actor": f"{by.kind}:{by.id}",
        "data": {"message": "This is a test. Nothing has happened.", "by": by.label},
    }
    made = WebhookDelivery.objects.create(
        tenant_id=tenant.id,
        endpoint_id=row.id,
        event_id=event_id,
        event_type=TEST,
        subject=endpoints.target(row),
        envelope=plain(envelope),
        is_test=True,
    )
    made.job_id = ask(made, priority=10)
    made.save(update_fields=["job_id"])
    details = {"host": endpoints.host_of(row), "delivery": str(made.id)}
    ledger.record("webhook.tested", by=by, target=endpoints.target(row), details=details)
    return made.id


@transaction.atomic
def redeliver(*, delivery_id: UUID, by: Actor) -> None:
    """Send a delivery again, with the same `webhook-id`; pressed twice it is sent once."""
    rights.require(by, "webhook.redelivered")
    rows = WebhookDelivery.objects.select_for_update().filter(tenant_id=current_tenant().id)
    row = rows.filter(pk=delivery_id).first()
    if row is None:
        raise NotFound(_("There is no such delivery."), code="RESOURCE_NOT_FOUND")
    if row.state == DeliveryState.WAITING and _has_job(row):
        raise Conflict(_("The delivery is on its way already."), code="INVALID_STATE")
    endpoint = endpoints.locked(row.endpoint_id)
    if endpoint.state != EndpointState.ACTIVE and not row.is_test:
        raise Conflict(_("The webhook is not active. Switch it on first."), code="INVALID_STATE")
    _again(row, 0.0)
    details = {"delivery": str(row.id), "event": str(row.event_id), "host": endpoints.host_of(endpoint)}
    ledger.record("webhook.redelivered", by=by, target=endpoints.target(endpoint), details=details)


@transaction.atomic
def send_missed(*, endpoint_id: UUID, by: Actor, days: int = 7) -> UUID:
    """Send again, in their order and at a measured pace, what failed or was held back; return the job."""
    rights.require(by, "webhook.missed_resent")
    if not 1 <= days <= LOG_DAYS:
        message = _("Choose 1 to %(most)s days.") % {"most": LOG_DAYS}
        raise Invalid(message, [FieldError("days", "max_value", message, value=days)])
    row = endpoints.locked(endpoint_id)
    if row.state != EndpointState.ACTIVE:
        raise Conflict(_("The webhook is not active. Switch it on first."), code="INVALID_STATE")
    since = timezone.now() - dt.timedelta(days=days)
    details = {"host": endpoints.host_of(row), "since": since}
    ledger.record("webhook.missed_resent", by=by, target=endpoints.target(row), details=details)
    return queue.enqueue(
        AGAIN,
        tenant=row.tenant_id,
        args={"endpoint_id": str(row.id), "since": since.isoformat()},
        title=_("Send missed events to %(host)s") % {"host": endpoints.host_of(row)},
        by=by,
    )


@queue.task(AGAIN)
def send_missed_job(job: queue.JobHandle, endpoint_id: str, since: str) -> dict[str, Any]:
    """Put missed deliveries back on their way, twenty a second; the next portion is a job of its own."""
    rows = WebhookDelivery.objects.select_for_update(skip_locked=True).filter(
        endpoint_id=UUID(endpoint_id),
        state__in=MISSED,
        is_test=False,
        created_at__gte=dt.datetime.fromisoformat(since),
    )
    found = list(rows.order_by("id")[:PORTION])
    for number, row in enumerate(found):
        _again(row, number * PACE)
    job.progress(len(found), len(found))
    if len(found) == PORTION:
        args = {"endpoint_id": endpoint_id, "since": since}
        title = _("Send missed events, next portion")
        queue.enqueue(AGAIN, tenant=job.tenant_id, args=args, title=title, by=job.by, delay=PORTION * PACE)
    return {"sent_again": len(found)}


def _has_job(row: WebhookDelivery) -> bool:
    return Job.objects.filter(pk__in=[row.job_id]).exclude(state__in=ENDED).exists()


def _again(row: WebhookDelivery, delay: float) -> None:
    row.state, row.reason, row.ended_at = DeliveryState.WAITING, "", None
    row.next_at = timezone.now() + dt.timedelta(seconds=delay)
    row.job_id = ask(row, delay=delay)
    row.save(update_fields=["state", "reason", "ended_at", "next_at", "job_id"])
