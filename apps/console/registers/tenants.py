"""Tenants: the customers, their states, and everything an operator can do to one."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.console.doings.access import Invite
from apps.console.doings.modules import InstallModule, UninstallModule, UpgradeModule
from apps.console.doings.packages import BringPackage
from apps.console.doings.privacy import KeepEntries, PlaceHold, ReleaseHold
from apps.console.doings.tenant_changes import AddHost, ChangePlan, ChangeSettings, Export
from apps.console.doings.tenant_moves import Archive, Delete, Restore, Resume, Retry, Suspend
from apps.console.operator import sees_everything
from apps.console.panels import Badge, Panel
from apps.console.registers.register import Register, Tool
from apps.console.registers.states import in_list, tenant_badge
from apps.console.registers.tenant_panels import panels_of
from apps.identity.models import MembershipState
from apps.tenants.models import Tenant
from apps.tenants.states import State


class TenantRegister(Register):
    """The operator's tenants."""

    tenant_lookup = "pk"
    about = gettext_lazy(
        "Each tenant has a schema of its own behind two walls. Operators run tenants; they do not read their records."
    )
    list_display = ("name", "slug", "status", "plan", "members", "created_at")
    list_filter = ("state", "plan", "locale")
    search_fields = ("name", "slug", "domains__domain", "=id")
    ordering = ("name",)
    deeds = (
        Resume(),
        Retry(),
        Restore(),
        InstallModule(),
        UpgradeModule(),
        BringPackage(),
        Invite(),
        AddHost(),
        ChangePlan(),
        ChangeSettings(),
        Export(),
        KeepEntries(),
        PlaceHold(),
        ReleaseHold(),
        UninstallModule(),
        Suspend(),
        Archive(),
        Delete(),
    )

    def tools(self, request: HttpRequest) -> Sequence[Tool]:
        if not sees_everything(request):
            return []
        return [
            Tool(_("Import archive"), reverse("console:import_tenant"), "upload"),
            Tool(_("New tenant"), reverse("console:new_tenant"), "add"),
        ]

    def narrowed(self, rows: QuerySet, request: HttpRequest) -> QuerySet:
        active = Count("memberships", filter=Q(memberships__state=MembershipState.ACTIVE), distinct=True)
        return super().narrowed(rows, request).select_related("plan").annotate(member_count=active)

    @display(description=gettext_lazy("State"), ordering="state")
    def status(self, row: Tenant) -> Any:
        return in_list(tenant_badge(row))

    @display(description=gettext_lazy("Members"), ordering="member_count")
    def members(self, row: Tenant) -> int:
        return row.member_count

    def badge(self, row: Tenant) -> Badge:
        return tenant_badge(row)

    def panels(self, request: HttpRequest, row: Tenant) -> Sequence[Panel]:
        return panels_of(request, row)

    def context(self, request: HttpRequest, row: Tenant) -> dict[str, Any]:
        return {"notice": notice(row), "subtitle": row.slug}


def notice(row: Tenant) -> Badge | None:
    """What has to be known about the state, in a sentence."""
    if row.state == State.DELETED and row.delete_after:
        when = formats.date_format(timezone.localtime(row.delete_after), "SHORT_DATETIME_FORMAT")
        return Badge(
            _("Deleted. All data are removed after %(when)s; until then it can be restored.")
            % {"when": when},
            "danger",
        )
    if row.state == State.FAILED:
        return Badge(
            _("It could not be opened, and nothing is left of the attempt. %(why)s")
            % {"why": row.state_reason},
            "danger",
        )
    if row.state == State.PROVISIONING:
        return Badge(_("It is being opened."), "info")
    if row.state in {State.SUSPENDED, State.ARCHIVED}:
        return Badge(
            _("Its doors are closed. Members read: “%(why)s”") % {"why": row.state_reason}, "warning"
        )
    if row.schema_error:
        return Badge(
            _("The last upgrade of its tables failed: %(why)s") % {"why": row.schema_error[:300]}, "danger"
        )
    return None
