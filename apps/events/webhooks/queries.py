"""Reading webhooks, for the pages and the API; only what the current tenant has."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from apps.core.errors import Invalid, NotFound
from apps.core.scope import current_tenant
from apps.events.models import (
    DeliveryState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookReceipt,
    WebhookSource,
)

MOST = 200


@dataclass(frozen=True)
class Tally:
    """How many deliveries of an endpoint stand how."""

    waiting: int
    delivered: int
    failed: int
    skipped: int

    @property
    def missed(self) -> int:
        """Deliveries that came to nothing."""
        return self.failed + self.skipped


@dataclass(frozen=True)
class DeliveryPage:
    """Deliveries, newest first, and the cursor of the next page (None: this was the last)."""

    deliveries: tuple[WebhookDelivery, ...]
    next: str | None


def endpoints() -> list[WebhookEndpoint]:
    """Return the endpoints, oldest first."""
    return list(WebhookEndpoint.objects.filter(tenant_id=current_tenant().id).order_by("id"))


def endpoint(endpoint_id: UUID) -> WebhookEndpoint:
    """Return one endpoint; raises NotFound."""
    row = WebhookEndpoint.objects.filter(tenant_id=current_tenant().id, pk=endpoint_id).first()
    if row is None:
        raise NotFound(_("There is no such webhook."), code="RESOURCE_NOT_FOUND")
    return row


def tallies(ids: Sequence[UUID]) -> dict[UUID, Tally]:
    """Return the counts of each endpoint's deliveries in the log."""
    rows = WebhookDelivery.objects.filter(tenant_id=current_tenant().id, endpoint_id__in=ids)
    counts = {state.value: Count("id", filter=Q(state=state)) for state in DeliveryState}
    found = {
        key: Tally(*numbers)
        for key, *numbers in rows.values("endpoint_id").annotate(**counts).values_list("endpoint_id", *counts)
    }
    return {key: found.get(key, Tally(0, 0, 0, 0)) for key in ids}


def deliveries(
    endpoint_id: UUID, *, state: str | None = None, cursor: str | None = None, limit: int = 50
) -> DeliveryPage:
    """Return a page of an endpoint's deliveries."""
    rows = WebhookDelivery.objects.filter(tenant_id=current_tenant().id, endpoint_id=endpoint_id)
    if state:
        if state not in DeliveryState.values:
            message = _("Choose one of: %(options)s.") % {"options": ", ".join(DeliveryState.values)}
            raise Invalid(message, code="INVALID_QUERY")
        rows = rows.filter(state=state)
    if cursor:
        rows = rows.filter(id__lt=_id(cursor))
    limit = max(1, min(limit, MOST))
    found = list(rows.order_by("-id")[: limit + 1])
    return DeliveryPage(tuple(found[:limit]), str(found[limit - 1].id) if len(found) > limit else None)


def delivery(delivery_id: UUID) -> WebhookDelivery:
    """Return one delivery; raises NotFound."""
    row = WebhookDelivery.objects.filter(tenant_id=current_tenant().id, pk=delivery_id).first()
    if row is None:
        raise NotFound(_("There is no such delivery."), code="RESOURCE_NOT_FOUND")
    return row


def attempts(delivery_id: UUID) -> list[WebhookAttempt]:
    """Return the calls of a delivery, the last one first."""
    rows = WebhookAttempt.objects.filter(tenant_id=current_tenant().id, delivery_id=delivery_id)
    return list(rows.order_by("-number"))


def sources() -> list[WebhookSource]:
    """Return the sources by name."""
    return list(WebhookSource.objects.filter(tenant_id=current_tenant().id).order_by("name"))


def source(source_id: UUID) -> WebhookSource:
    """Return one source; raises NotFound."""
    row = WebhookSource.objects.filter(tenant_id=current_tenant().id, pk=source_id).first()
    if row is None:
        raise NotFound(_("There is no such incoming webhook."), code="RESOURCE_NOT_FOUND")
    return row


def receipts(source_id: UUID, limit: int = 50) -> list[WebhookReceipt]:
    """Return the last messages of a source, newest first."""
    rows = WebhookReceipt.objects.filter(tenant_id=current_tenant().id, source_id=source_id)
    return list(rows.order_by("-id")[: min(limit, MOST)])


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid(_("The cursor is not one that this list gave out."), code="INVALID_CURSOR") from error
