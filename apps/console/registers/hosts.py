"""Hosts: every address at which a tenant is served."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.console.doings.tenant_changes import MakeHostPrimary, RemoveHost
from apps.console.panels import Badge, Fact, Link, Panel
from apps.console.registers.register import Register
from apps.tenants.models import Host


class HostRegister(Register):
    """Addresses, with the tenant behind each."""

    tenant_lookup = "tenant"
    about = gettext_lazy("Addresses at which tenants are served. Add one on the page of its tenant.")
    list_display = ("domain", "tenant_link", "primary", "created_at")
    list_filter = ("is_primary",)
    search_fields = ("domain", "tenant__name", "tenant__slug")
    ordering = ("domain",)
    deeds = (MakeHostPrimary(), RemoveHost())

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("tenant")

    @display(description=gettext_lazy("Tenant"), ordering="tenant__name")
    def tenant_link(self, row: Host) -> Any:
        return row.tenant.name

    @display(description=gettext_lazy("Primary"), boolean=True, ordering="is_primary")
    def primary(self, row: Host) -> bool:
        return row.is_primary

    def badge(self, row: Host) -> Badge | None:
        return Badge(_("primary"), "success") if row.is_primary else None

    def panels(self, request: HttpRequest, row: Host) -> Sequence[Panel]:
        tenant = Link(row.tenant.name, reverse("console:tenants_tenant_change", args=[row.tenant_id]))
        return [
            Panel(
                title=_("Host"),
                facts=[
                    Fact(_("domain"), row.domain),
                    Fact(_("tenant"), tenant),
                    Fact(_("added"), row.created_at),
                ],
            )
        ]
