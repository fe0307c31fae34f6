"""Memberships, invitations, sessions and API keys."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.console.doings.access import (
    ChangeRole,
    EndSession,
    ReactivateMember,
    RemoveMember,
    RevokeInvitation,
    RevokeKey,
    ShowLink,
    SuspendMember,
)
from apps.console.operator import sees_everything, tenants_of
from apps.console.pages.ledger import PLATFORM
from apps.console.panels import Badge, Fact, Link, Panel, Tone
from apps.console.registers.register import Register
from apps.console.registers.states import in_list
from apps.identity.models import ApiKey, Invitation, Membership, MembershipState, Session
from apps.identity.user_agents import device_of

STATUS: dict[str, tuple[Any, Tone]] = {
    "pending": (gettext_lazy("pending"), "info"),
    "accepted": (gettext_lazy("accepted"), "success"),
    "revoked": (gettext_lazy("withdrawn"), "neutral"),
    "expired": (gettext_lazy("expired"), "warning"),
}


class TenantFilter(SimpleListFilter):
    """The tenants of this operator; never a name of another."""

    title = gettext_lazy("tenant")
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(tenant.slug, tenant.name) for tenant in tenants_of(request).order_by("name")[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(tenant__slug=self.value()) if self.value() else queryset


class OfTenant(Register):
    """Rows that belong to one tenant; their entries are in that tenant's ledger."""

    tenant_lookup = "tenant"

    def narrowed(self, rows: QuerySet, request: HttpRequest) -> QuerySet:
        return super().narrowed(rows, request).select_related("tenant", *self.joined)

    joined: tuple[str, ...] = ("user",)

    def book(self, row: Any) -> str:
        return row.tenant.slug if row.tenant else PLATFORM

    def tenant_fact(self, row: Any) -> Fact:
        """The tenant as a link."""
        if row.tenant is None:
            return Fact(_("tenant"), _("Platform"))
        return Fact(
            _("tenant"), Link(row.tenant.name, reverse("console:tenants_tenant_change", args=[row.tenant_id]))
        )

    def person_fact(self, request: HttpRequest, row: Any) -> Fact:
        """The person; a link for whoever may open it."""
        if not sees_everything(request):
            return Fact(_("person"), row.user)
        return Fact(_("person"), Link(row.user, reverse("console:identity_user_change", args=[row.user_id])))

    @display(description=gettext_lazy("State"))
    def status(self, row: Model) -> Any:
        badge = self.badge(row)
        return in_list(badge) if badge else ""


class MembershipRegister(OfTenant):
    """Who belongs where."""

    about = gettext_lazy(
        "Who belongs to which tenant. Rights on records come from permission sets, inside the tenant."
    )
    list_display = ("email", "person", "tenant", "role", "status", "created_at")
    list_filter = (TenantFilter, "role", "state")
    search_fields = ("user__email", "user__name", "tenant__name", "tenant__slug")
    ordering = ("tenant__slug", "user__email")
    deeds = (ReactivateMember(), ChangeRole(), SuspendMember(), RemoveMember())

    @display(description=gettext_lazy("Email address"), ordering="user__email")
    def email(self, row: Membership) -> str:
        return row.user.email

    @display(description=gettext_lazy("Name"), ordering="user__name")
    def person(self, row: Membership) -> str:
        return row.user.name

    def target(self, row: Membership) -> str:
        return f"user:{row.user_id}"

    def heading(self, row: Membership) -> str:
        return _("%(name)s in %(tenant)s") % {"name": row.user, "tenant": row.tenant}

    def badge(self, row: Membership) -> Badge:
        active = row.state == MembershipState.ACTIVE
        return Badge(row.get_state_display(), "success" if active else "warning")

    def panels(self, request: HttpRequest, row: Membership) -> Sequence[Panel]:
        facts = [
            self.person_fact(request, row),
            self.tenant_fact(row),
            Fact(_("role"), row.get_role_display()),
            Fact(_("joined"), row.created_at),
        ]
        return [Panel(_("Membership"), facts=facts)]


class InvitationRegister(OfTenant):
    """Who was asked to join."""

    about = gettext_lazy("Who was asked to join a tenant. The link is known to the invited person only.")
    list_display = ("email", "tenant", "role", "status", "created_at", "expires_at")
    list_filter = (TenantFilter, "role")
    search_fields = ("email", "tenant__name", "tenant__slug")
    ordering = ("-created_at",)
    joined = ("invited_by",)
    deeds = (ShowLink(), RevokeInvitation())

    def heading(self, row: Invitation) -> str:
        return _("%(email)s to %(tenant)s") % {"email": row.email, "tenant": row.tenant}

    def badge(self, row: Invitation) -> Badge:
        return Badge(*STATUS[row.status])

    def panels(self, request: HttpRequest, row: Invitation) -> Sequence[Panel]:
        facts = [
            Fact(_("email address"), row.email),
            self.tenant_fact(row),
            Fact(_("role"), row.get_role_display()),
            Fact(_("invited by"), row.invited_by),
            Fact(_("sent"), row.created_at),
            Fact(_("expires"), row.expires_at),
            Fact(_("accepted"), row.accepted_at),
        ]
        return [Panel(_("Invitation"), facts=facts)]


class OpenFilter(SimpleListFilter):
    """Sessions that hold, or are over."""

    title = gettext_lazy("state")
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("open")), ("no", _("over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        holds = Q(ended_at=None, expires_at__gt=timezone.now())
        return (
            queryset.filter(holds)
            if self.value() == "yes"
            else queryset.exclude(holds)
            if self.value()
            else queryset
        )


class SessionRegister(OfTenant):
    """Where people are signed in; anonymous visits are not listed."""

    about = gettext_lazy(
        "Where people are signed in: browsers, programs and token families. Ending takes effect at the next request."
    )
    list_display = ("user", "tenant", "kind", "status", "host", "ip", "last_seen_at")
    list_filter = (OpenFilter, TenantFilter, "kind")
    search_fields = ("user__email", "user__name", "ip", "host")
    ordering = ("-last_seen_at",)
    deeds = (EndSession(),)

    def narrowed(self, rows: QuerySet, request: HttpRequest) -> QuerySet:
        return super().narrowed(rows, request).exclude(user=None).defer("data", "token_hash")

    def heading(self, row: Session) -> str:
        return _("Session of %(name)s") % {"name": row.user}

    def badge(self, row: Session) -> Badge:
        if row.ended_at:
            return Badge(_("ended"), "neutral")
        open_now = row.expires_at > timezone.now()
        return Badge(_("open"), "success") if open_now else Badge(_("expired"), "warning")

    def panels(self, request: HttpRequest, row: Session) -> Sequence[Panel]:
        facts = [
            self.person_fact(request, row),
            self.tenant_fact(row),
            Fact(_("kind"), row.get_kind_display()),
            Fact(_("host"), row.host),
            Fact(_("IP address"), row.ip),
            Fact(_("device"), device_of(row.user_agent).label, row.user_agent),
            Fact(_("signed in"), row.created_at),
            Fact(_("last seen"), row.last_seen_at),
            Fact(_("expires"), row.expires_at),
            Fact(_("ended"), row.ended_at, row.ended_reason),
        ]
        return [Panel(_("Session"), facts=facts)]


class ApiKeyRegister(OfTenant):
    """Keys by their prefix; the secret is known to nobody but its maker."""

    about = gettext_lazy(
        "Keys of programs. A key acts for the person who made it, in one tenant, within its scopes."
    )
    list_display = ("name", "prefix_shown", "tenant", "user", "status", "last_used_at", "expires_at")
    list_filter = (TenantFilter,)
    search_fields = ("name", "prefix", "user__email", "tenant__slug")
    ordering = ("-created_at",)
    deeds = (RevokeKey(),)

    @display(description=gettext_lazy("Prefix"))
    def prefix_shown(self, row: ApiKey) -> str:
        return f"osk_{row.prefix}…"

    def target(self, row: ApiKey) -> str:
        return f"api_key:{row.pk}"

    def heading(self, row: ApiKey) -> str:
        return row.name

    def badge(self, row: ApiKey) -> Badge:
        if row.revoked_at:
            return Badge(_("revoked"), "neutral")
        over = row.expires_at is not None and row.expires_at <= timezone.now()
        return Badge(_("expired"), "warning") if over else Badge(_("active"), "success")

    def panels(self, request: HttpRequest, row: ApiKey) -> Sequence[Panel]:
        facts = [
            Fact(_("prefix"), self.prefix_shown(row)),
            self.person_fact(request, row),
            self.tenant_fact(row),
            Fact(_("scopes"), ", ".join(row.scopes)),
            Fact(_("created"), row.created_at),
            Fact(_("last used"), row.last_used_at),
            Fact(_("expires"), row.expires_at),
            Fact(_("revoked"), row.revoked_at),
        ]
        return [Panel(_("API key"), facts=facts)]
