"""Plans: named sets of limits."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.console.doings.plans import QUOTA_LABELS, EditPlan, RemovePlan
from apps.console.operator import sees_everything, tenants_of
from apps.console.panels import Badge, Fact, Link, Panel, Table
from apps.console.registers.register import Register, Tool
from apps.console.registers.states import tenant_badge
from apps.tenants.models import Plan


class PlanRegister(Register):
    """All operators may read plans; superusers change them."""

    about = gettext_lazy("What tenants may use. Limits change for all tenants of a plan at once.")
    list_display = ("name", "code", "limits", "tenants", "default")
    search_fields = ("name", "code")
    deeds = (EditPlan(), RemovePlan())

    def tools(self, request: HttpRequest) -> Sequence[Tool]:
        tool = Tool(_("New plan"), reverse("console:new_plan"), "add")
        return [tool] if sees_everything(request) else []

    def narrowed(self, rows: QuerySet, request: HttpRequest) -> QuerySet:
        return rows.annotate(users=Count("tenants"))

    @display(description=gettext_lazy("Limits"))
    def limits(self, row: Plan) -> str:
        named = [f"{QUOTA_LABELS.get(key, key)} {value}" for key, value in row.quotas.items()]
        return " · ".join(named) or _("none")

    @display(description=gettext_lazy("Tenants"), ordering="users")
    def tenants(self, row: Any) -> Any:
        return row.users

    @display(description=gettext_lazy("For new tenants"), boolean=True)
    def default(self, row: Plan) -> bool:
        return row.is_default

    def badge(self, row: Plan) -> Badge | None:
        return Badge(_("default"), "success") if row.is_default else None

    def panels(self, request: HttpRequest, row: Plan) -> Sequence[Panel]:
        limits = [Fact(label, row.quotas.get(key, _("no limit"))) for key, label in QUOTA_LABELS.items()]
        users: list[Sequence[Any]] = [
            (
                Link(tenant.name, reverse("console:tenants_tenant_change", args=[tenant.pk])),
                tenant_badge(tenant),
            )
            for tenant in tenants_of(request).filter(plan=row)[:50]
        ]
        table = Table([_("tenant"), _("state")], users, _("No tenant is on this plan."))
        return [
            Panel(_("Limits"), facts=[Fact(_("code"), row.code), *limits]),
            Panel(_("Tenants"), table=table),
        ]
