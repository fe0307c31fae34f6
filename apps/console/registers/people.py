"""People: every account of the installation, operators among them."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.console.doings.people import (
    CloseAccount,
    Dismiss,
    EndSessions,
    Grant,
    OpenAccount,
    SendReset,
    Withdraw,
    granted_to,
)
from apps.console.doings.privacy import ErasePerson
from apps.console.panels import Badge, Fact, Link, Panel, Table
from apps.console.registers.register import Register, Tool
from apps.console.registers.states import in_list
from apps.identity.models import Membership, Session, User
from apps.identity.user_agents import device_of


class PersonRegister(Register):
    """For superusers: a person may belong to tenants that an operator must not know of."""

    about = gettext_lazy(
        "Everybody who can sign in. One person has one account, whatever the number of tenants."
    )
    list_display = ("email", "name", "kind", "places", "last_login", "created_at")
    list_filter = ("is_staff", "is_superuser", "is_active")
    search_fields = ("email", "name")
    ordering = ("email",)
    deeds = (
        SendReset(),
        Grant(),
        Withdraw(),
        EndSessions(),
        Dismiss(),
        CloseAccount(),
        OpenAccount(),
        ErasePerson(),
    )

    def tools(self, request: HttpRequest) -> Sequence[Tool]:
        return [Tool(_("New operator"), reverse("console:new_operator"), "person_add")]

    def narrowed(self, rows: QuerySet, request: HttpRequest) -> QuerySet:
        return super().narrowed(rows, request).annotate(place_count=Count("memberships"))

    @display(description=gettext_lazy("Kind"))
    def kind(self, row: User) -> Any:
        badge = self.badge(row)
        return in_list(badge) if badge else _("member")

    @display(description=gettext_lazy("Tenants"), ordering="place_count")
    def places(self, row: Any) -> Any:
        return row.place_count

    def target(self, row: User) -> str:
        return f"user:{row.pk}"

    def heading(self, row: User) -> str:
        return row.get_full_name()

    def badge(self, row: User) -> Badge | None:
        if not row.is_active:
            return Badge(_("closed"), "danger")
        if row.is_superuser:
            return Badge(_("superuser"), "primary")
        return Badge(_("operator"), "info") if row.is_staff else None

    def panels(self, request: HttpRequest, row: User) -> Sequence[Panel]:
        facts = [
            Fact(_("email address"), row.email),
            Fact(_("language"), row.locale),
            Fact(_("time zone"), row.time_zone),
            Fact(_("last sign-in"), row.last_login),
            Fact(_("password changed"), row.password_changed_at),
            Fact(_("created"), row.created_at),
        ]
        panels = [Panel(_("Person"), facts=facts), Panel(_("Memberships"), table=self.memberships(row))]
        if row.is_staff and not row.is_superuser:
            panels.append(Panel(_("Granted tenants"), table=self.granted(row)))
        return [*panels, Panel(_("Open sessions"), table=self.sessions(row), wide=True)]

    def memberships(self, row: User) -> Table:
        """Where the person belongs."""
        rows = [
            (
                Link(place.tenant.name, reverse("console:identity_membership_change", args=[place.pk])),
                place.get_role_display(),
                place.get_state_display(),
            )
            for place in Membership.objects.filter(user=row).select_related("tenant")[:50]
        ]
        return Table([_("tenant"), _("role"), _("state")], rows, _("This person belongs to no tenant."))

    def granted(self, row: User) -> Table:
        """What the operator may operate."""
        rows = [
            (Link(tenant.name, reverse("console:tenants_tenant_change", args=[tenant.pk])),)
            for tenant in granted_to(row)
        ]
        return Table(
            [_("tenant")], rows, _("No tenant has been granted yet: the console is empty for this person.")
        )

    def sessions(self, row: User) -> Table:
        """Where the person is signed in."""
        rows = [
            (
                Link(each.get_kind_display(), reverse("console:identity_session_change", args=[each.pk])),
                each.host,
                each.ip,
                device_of(each.user_agent).label or each.user_agent[:60],
                each.last_seen_at,
            )
            for each in Session.objects.filter(user=row, ended_at=None).order_by("-last_seen_at")[:20]
        ]
        headers = [_("kind"), _("host"), _("IP address"), _("device"), _("last seen")]
        return Table(headers, rows, _("This person is signed in nowhere."))
