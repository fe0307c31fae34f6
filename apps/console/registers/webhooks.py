"""Webhooks of all tenants: what goes out and how it fares, and who may send messages in. No content is shown."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.console.doings.webhooks import PauseSource, PauseWebhook, ResumeSource, ResumeWebhook
from apps.console.operator import tenants_of
from apps.console.panels import Badge, Fact, Link, Panel, Table
from apps.console.registers.register import Register
from apps.console.registers.states import in_list
from apps.events.models import (
    DeliveryState,
    DisabledFor,
    EndpointState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSource,
)
from apps.events.webhooks.endpoints import host_of
from apps.events.webhooks.schemes import SCHEMES
from apps.tenants.models import Tenant

LATEST = 20


class OwnerFilter(SimpleListFilter):
    """The tenants of this operator."""

    title = gettext_lazy("tenant")
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(tenant.pk), tenant.name) for tenant in tenants_of(request).order_by("name")[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        known = dict(self.lookup_choices)
        return queryset.filter(tenant_id=self.value()) if self.value() in known else queryset


class HealthFilter(SimpleListFilter):
    """Those that want somebody's attention."""

    title = gettext_lazy("health")
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("failing", _("failing")), ("off", _("switched off by the platform"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "failing":
            return queryset.exclude(failing_since=None)
        return queryset.filter(state=EndpointState.DISABLED) if self.value() == "off" else queryset


class OfTenantId(Register):
    """Rows that name their tenant by id."""

    tenant_lookup = "tenant_id"
    ordering = ("-id",)

    def narrowed(self, rows: QuerySet, request: HttpRequest) -> QuerySet:
        owner = Tenant.objects.filter(pk=OuterRef("tenant_id"))
        return (
            super()
            .narrowed(rows, request)
            .annotate(
                tenant_name=Subquery(owner.values("name")[:1]), tenant_slug=Subquery(owner.values("slug")[:1])
            )
        )

    @display(description=gettext_lazy("Tenant"))
    def tenant_shown(self, row: Any) -> str:
        return str(row.tenant_name or "")

    @display(description=gettext_lazy("State"), ordering="state")
    def status(self, row: Any) -> Any:
        return in_list(self.badge(row))

    def badge(self, row: Any) -> Badge:
        raise NotImplementedError

    def book(self, row: Any) -> str:
        return str(row.tenant_slug)

    def tenant_fact(self, row: Any) -> Fact:
        """The tenant with the way to its page."""
        url = reverse("console:tenants_tenant_change", args=[row.tenant_id])
        return Fact(_("tenant"), Link(row.tenant_name, url))


class EndpointRegister(OfTenantId):
    """Where tenants send their events."""

    about = gettext_lazy(
        "Addresses that get tenants' events. Only the host is shown: the rest of an address may hold a secret."
    )
    list_display = ("host", "tenant_shown", "status", "failing_since", "last_success_at", "created_at")
    list_filter = (HealthFilter, "state", OwnerFilter)
    search_fields = ("description",)
    deeds = (PauseWebhook(), ResumeWebhook())

    @display(description=gettext_lazy("Goes to"))
    def host(self, row: WebhookEndpoint) -> str:
        return host_of(row)

    def target(self, row: Model) -> str:
        return f"webhook:{row.pk}"

    def heading(self, row: WebhookEndpoint) -> str:
        return host_of(row)

    def badge(self, row: WebhookEndpoint) -> Badge:
        if row.state == EndpointState.DISABLED:
            return Badge(_("switched off"), "danger")
        if row.state == EndpointState.PAUSED:
            return Badge(_("paused"), "neutral")
        return Badge(_("failing"), "warning") if row.failing_since else Badge(_("active"), "success")

    def panels(self, request: HttpRequest, row: WebhookEndpoint) -> Sequence[Panel]:
        why = DisabledFor(row.disabled_for).label if row.disabled_for else ""
        facts = [
            self.tenant_fact(row),
            Fact(_("purpose"), row.description),
            Fact(_("events"), ", ".join(row.types)),
            Fact(_("switched off because"), why),
            Fact(_("failing since"), row.failing_since),
            Fact(_("failures in a row"), row.failures),
            Fact(_("rests until"), row.resting_until),
            Fact(_("last accepted"), row.last_success_at),
            Fact(_("last failure"), row.last_failure_at),
            Fact(_("created"), row.created_at),
        ]
        return [Panel(_("Webhook"), facts=facts), _deliveries(row)]


class SourceRegister(OfTenantId):
    """Who may send messages in."""

    about = gettext_lazy("Addresses for senders. A message without the right signature is refused.")
    list_display = (
        "name",
        "tenant_shown",
        "scheme",
        "status",
        "received",
        "last_received_at",
        "last_refused_at",
    )
    list_filter = ("state", "scheme", OwnerFilter)
    search_fields = ("name", "description")
    deeds = (PauseSource(), ResumeSource())

    def target(self, row: Model) -> str:
        return f"webhook_source:{row.pk}"

    def heading(self, row: WebhookSource) -> str:
        return row.name

    def badge(self, row: WebhookSource) -> Badge:
        on = row.state == EndpointState.ACTIVE
        return Badge(_("active"), "success") if on else Badge(_("paused"), "neutral")

    def panels(self, request: HttpRequest, row: WebhookSource) -> Sequence[Panel]:
        facts = [
            self.tenant_fact(row),
            Fact(_("purpose"), row.description),
            Fact(_("sender signs as"), SCHEMES[row.scheme].label),
            Fact(_("messages"), row.received),
            Fact(_("last message"), row.last_received_at),
            Fact(_("last refusal"), row.last_refused_at, row.last_refusal),
            Fact(_("created"), row.created_at),
        ]
        return [Panel(_("Incoming webhook"), facts=facts)]


TONES: dict[str, Any] = {
    DeliveryState.DELIVERED: "success",
    DeliveryState.FAILED: "danger",
    DeliveryState.WAITING: "info",
    DeliveryState.SKIPPED: "warning",
}


def _deliveries(row: WebhookEndpoint) -> Panel:
    found = WebhookDelivery.objects.filter(endpoint_id=row.pk).order_by("-id")[:LATEST]
    cells: list[tuple[Any, ...]] = [
        (
            each.event_type,
            Badge(DeliveryState(each.state).label, TONES[each.state]),
            each.attempts,
            each.status or "",
            each.reason,
            each.created_at,
        )
        for each in found
    ]
    headers = (_("Event"), _("State"), _("Attempts"), _("Answer"), _("Reason"), _("When"))
    table = Table(headers, cells, _("Nothing was sent yet."))
    return Panel(_("Last deliveries"), table=table, wide=True)
