"""Delivering: one job for each event and endpoint, tried ten times within three days, each try in the log.

No transaction is open while the receiver is called. The request is signed with every valid secret; 2xx is
success, 410 switches the endpoint off, everything else is tried again by the plan or as Retry-After says.
"""

import datetime as dt
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from apps.core import egress, queue
from apps.core.actor import SYSTEM, Actor
from apps.core.errors import Problem
from apps.core.ids import uuid7
from apps.core.scope import platform_scope, tenant_scope
from apps.events.audience import seen_by
from apps.events.models import (
    DeliveryState,
    DisabledFor,
    EndpointState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from apps.events.types import Event
from apps.events.webhooks import endpoints, notices, payload, rights, secrets, signing
from apps.tenants.queries import TenantSnapshot, snapshot

TASK = "webhooks.deliver"
TEST = "webhook.test"
ARGUMENTS = {
    "type": "object",
    "properties": {
        "delivery_id": {"type": "string", "format": "uuid"},
        "spent": {"type": "integer", "minimum": 0, "maximum": 9, "description": "Attempts of earlier jobs."},
    },
    "required": ["delivery_id"],
    "additionalProperties": False,
}
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# The schedule of the Standard Webhooks specification: ten attempts, 75.6 hours from the first to the last.
WAITS = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
MOST_ATTEMPTS = len(WAITS) + 1
SECONDS, ANSWER_BYTES, EXCERPT = 20.0, 16_384, 2_000
DISABLE_AFTER = dt.timedelta(days=5)
# A receiver that failed gets one call at a time; after that many failures in a row, or one that kept a worker
# waiting (seconds), it gets none for a while, so that a dead receiver does not keep workers busy.
TOLERATED, SLOW, REST, LONGEST_REST = 5, 2.0, 30.0, 900.0
SUSPENDED = "The tenant is not open."
UNSEEN = "The owner of the webhook may not see this event."
TOLD_HEADERS = ("content-type", "date", "retry-after", "server", "location", "x-request-id")


@dataclass(frozen=True)
class Parcel:
    """A request ready to be sent, with everything it needs outside a scope."""

    delivery_id: UUID
    endpoint_id: UUID
    url: str
    body: bytes
    kept: str
    headers: Mapping[str, str]
    is_test: bool


@dataclass(frozen=True)
class Outcome:
    """What came of one call; `failure` is empty on success."""

    failure: str
    seconds: float
    status: int | None = None
    address: str = ""
    headers: Mapping[str, str] | None = None
    excerpt: str = ""

    @property
    def good(self) -> bool:
        """Whether the receiver took the event."""
        return not self.failure


class Exhausted(Problem):
    """All attempts failed; the job is a dead letter."""

    def __init__(self, failure: str) -> None:
        super().__init__("DELIVERY_FAILED", f"Ten attempts failed. The last one: {failure}", status=422)


@queue.task(TASK, max_attempts=MOST_ATTEMPTS, waits=WAITS, manages_scope=True, schema=ARGUMENTS)
def deliver(job: queue.JobHandle, delivery_id: str, spent: int = 0) -> dict[str, Any]:
    """Send one delivery once; raises Later while there are attempts left, and Exhausted after the last."""
    tenant, attempt = _tenant(job), job.attempt + spent
    stopped = "Somebody stopped it." if job.cancelled() else "" if tenant.serves else SUSPENDED
    with tenant_scope(tenant.ref):
        parcel = _prepare(UUID(delivery_id), attempt, stopped)
    if isinstance(parcel, str):
        return {"outcome": parcel}
    job.log(f"Attempt {attempt}: POST to {urlsplit(parcel.url).hostname}")  # the rest may hold a secret
    outcome = call(parcel)
    job.log(f"{outcome.status or ''} {outcome.failure or 'accepted'}".strip())
    wait = None if parcel.is_test or attempt >= MOST_ATTEMPTS else _wait(attempt, outcome)
    with tenant_scope(tenant.ref):
        over = _settle(parcel, outcome, wait)
    if outcome.good or over:
        return {"outcome": "delivered" if outcome.good else "failed", "status": outcome.status}
    if wait is None:
        raise Exhausted(outcome.failure)
    raise queue.Later(outcome.failure, after=wait)


def call(parcel: Parcel) -> Outcome:
    """Send the request; whatever happens is an outcome."""
    started = time.monotonic()
    try:
        reply = egress.send(
            "POST",
            parcel.url,
            headers=parcel.headers,
            body=parcel.body,
            seconds=SECONDS,
            max_bytes=ANSWER_BYTES,
        )
    except egress.EgressRefused as refused:
        return Outcome(refused.message, time.monotonic() - started)
    except egress.EgressFailed as failed:
        return Outcome(str(failed), time.monotonic() - started)
    failure = "" if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES else _told(reply.status)
    headers = {name: value[:500] for name, value in reply.headers.items() if name in TOLD_HEADERS}
    excerpt = reply.body[:EXCERPT].decode(errors="replace").replace("\x00", "\ufffd")
    return Outcome(failure, reply.seconds, reply.status, reply.address, headers, excerpt)


def _told(status: int) -> str:
    if 300 <= status < 400:
        return f"The receiver answered {status}; redirects are not followed."
    return f"The receiver answered {status}."


def _tenant(job: queue.JobHandle) -> TenantSnapshot:
    with platform_scope("webhooks: whose delivery"):
        found = snapshot(job.tenant_id) if job.tenant_id else None
    if found is None:
        msg = "The tenant of this delivery is gone."
        raise LookupError(msg)
    return found


def _prepare(delivery_id: UUID, attempt: int, stopped: str) -> Parcel | str:
    """Return what to send, or what became of it instead; runs in the tenant's scope."""
    row = WebhookDelivery.objects.select_for_update().filter(pk=delivery_id).first()
    endpoint = WebhookEndpoint.objects.filter(pk=row.endpoint_id).first() if row else None
    if row is None or endpoint is None or row.state == DeliveryState.DELIVERED:
        return "delivered" if row and endpoint else "gone"
    if stopped or (endpoint.state != EndpointState.ACTIVE and not row.is_test):
        return _skip(row, stopped or f"The webhook is {endpoint.state}.")
    owner = rights.owner_of(endpoint)
    if owner is None or not rights.may_manage(owner):
        if endpoint.state == EndpointState.ACTIVE:
            notices.disabled(endpoints.locked(endpoint.id), DisabledFor.OWNER)
        return _skip(row, "The owner of the webhook may no longer manage webhooks.")
    if not row.is_test and _rests(row, endpoint, attempt):
        return "rests"
    event = Event.of(row.envelope)
    visible = [event] if row.is_test else seen_by([event], by=owner)
    return _packed(row, endpoint, visible[0], owner) if visible else _skip(row, UNSEEN)


def _rests(row: WebhookDelivery, endpoint: WebhookEndpoint, attempt: int) -> bool:
    """Put a delivery off while its endpoint rests; else let it be the only one that tries a failing endpoint.

    The job that comes later counts on from this one's attempts.
    """
    if endpoint.failing_since is None:
        return False
    endpoint = endpoints.locked(endpoint.id)
    now = timezone.now()
    if endpoint.resting_until is None or endpoint.resting_until <= now:
        if endpoint.failing_since is not None:
            endpoint.resting_until = now + dt.timedelta(seconds=SECONDS + 1)
            endpoint.save(update_fields=["resting_until"])
        return False
    rest = (endpoint.resting_until - now).total_seconds() * (1 + random.random() / 10)  # noqa: S311 - spreads load
    row.next_at = now + dt.timedelta(seconds=rest)
    row.job_id = ask(row, delay=rest, spent=attempt - 1)
    row.save(update_fields=["next_at", "job_id"])
    return True


def _packed(row: WebhookDelivery, endpoint: WebhookEndpoint, event: Event, owner: Actor) -> Parcel:
    sent, kept = payload.body(
        event, shape=endpoint.shape, with_record=endpoint.with_record and not row.is_test, by=owner
    )
    keys = [signing.key_of(secret) for secret in secrets.valid(endpoint.id)]
    signed = signing.headers(keys, str(row.event_id), int(time.time()), sent)
    headers = {"Content-Type": payload.SHAPES[endpoint.shape], "User-Agent": "AI-BOS-Webhooks/1"} | signed
    return Parcel(row.id, endpoint.id, endpoint.url, sent, kept, headers, row.is_test)


def _skip(row: WebhookDelivery, reason: str) -> str:
    row.state, row.reason, row.ended_at, row.next_at = DeliveryState.SKIPPED, reason, timezone.now(), None
    row.save(update_fields=["state", "reason", "ended_at", "next_at"])
    return "skipped"


def ask(row: WebhookDelivery, *, delay: float = 0.0, priority: int = 0, spent: int = 0) -> UUID:
    """Queue the job of a delivery, which looks up by itself with whose rights it sends."""
    return queue.enqueue(
        TASK,
        tenant=row.tenant_id,
        args={"delivery_id": str(row.id), "spent": spent},
        title=f"{row.event_type} → webhook",
        by=SYSTEM,
        priority=priority,
        delay=delay,
    )


def _settle(parcel: Parcel, outcome: Outcome, wait: float | None) -> bool:
    """Write the attempt and what it means; return whether nothing more will be tried."""
    row = WebhookDelivery.objects.select_for_update().filter(pk=parcel.delivery_id).first()
    if row is None:
        return True
    row.attempts += 1
    _note(row, parcel, outcome)
    if row.state == DeliveryState.DELIVERED:  # by another worker, while this one was taken for dead
        row.save(update_fields=["attempts"])
        return True
    gone = outcome.status == HTTPStatus.GONE
    off = False if parcel.is_test else _mark(parcel.endpoint_id, outcome, gone=gone)
    over = outcome.good or off or gone or parcel.is_test
    row.status, row.reason = outcome.status, outcome.failure
    row.next_at = row.ended_at = None
    if outcome.good:
        row.state, row.ended_at = DeliveryState.DELIVERED, timezone.now()
    elif over or wait is None:
        row.state, row.ended_at = DeliveryState.FAILED, timezone.now()
    else:
        row.state, row.next_at = DeliveryState.WAITING, timezone.now() + dt.timedelta(seconds=wait)
    row.save()
    return over


def _note(row: WebhookDelivery, parcel: Parcel, outcome: Outcome) -> None:
    WebhookAttempt.objects.create(
        id=uuid7(),
        tenant_id=row.tenant_id,
        delivery_id=row.id,
        number=row.attempts,
        seconds=round(outcome.seconds, 3),
        address=outcome.address,
        request_headers=dict(parcel.headers),
        request_body=parcel.kept,
        status=outcome.status,
        failure=outcome.failure,
        response_headers=dict(outcome.headers or {}),
        response_body=outcome.excerpt,
    )


def _mark(endpoint_id: UUID, outcome: Outcome, *, gone: bool) -> bool:
    """Note success or failure at the endpoint; return whether it is switched off now."""
    now = timezone.now()
    rows = WebhookEndpoint.objects.filter(pk=endpoint_id)
    if outcome.good:
        rows.update(last_success_at=now, failures=0, failing_since=None, resting_until=None)
        return False
    rows.update(failures=F("failures") + 1, last_failure_at=now)
    row = rows.select_for_update().first()
    if row is None:
        return True
    if row.state != EndpointState.ACTIVE:
        return True
    row.failing_since, row.resting_until = row.failing_since or now, None
    beyond = row.failures - (1 if outcome.seconds >= SLOW else TOLERATED)
    if beyond >= 0:
        rest = min(REST * 2 ** min(beyond, 10), LONGEST_REST)
        row.resting_until = now + dt.timedelta(seconds=rest)
    row.save(update_fields=["failing_since", "resting_until"])
    if gone or now - row.failing_since > DISABLE_AFTER:
        notices.disabled(row, DisabledFor.GONE if gone else DisabledFor.FAILING)
        return True
    return False


def _wait(attempt: int, outcome: Outcome) -> float:
    """Return the seconds before the next attempt: the plan's, spread by a tenth, or more if the receiver asks."""
    planned = WAITS[min(attempt, len(WAITS)) - 1] * (1 + random.random() / 10)  # noqa: S311 - spreads load
    return max(planned, min(retry_after((outcome.headers or {}).get("retry-after", "")), DAY))


def retry_after(text: str) -> float:
    """Return the seconds that a Retry-After header asks for, in either of its forms; 0 for none."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return max((moment - timezone.now()).total_seconds(), 0.0)
