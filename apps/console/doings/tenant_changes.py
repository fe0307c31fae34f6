"""Changes of a tenant that are no moves: settings, plan, hosts, archives, and who operates it."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.console.deeds import Deed, DeedForm, Outcome, offer
from apps.console.doings.tenant_moves import job_url
from apps.core import queue
from apps.core.actor import Actor
from apps.tenants import branding, hosts, plans
from apps.tenants.models import Plan, Tenant
from apps.tenants.states import State

STANDING = frozenset({State.ACTIVE, State.SUSPENDED, State.ARCHIVED})
CURRENCIES = (
    "EUR",
    "USD",
    "GBP",
    "CHF",
    "SEK",
    "NOK",
    "DKK",
    "PLN",
    "CZK",
    "CAD",
    "AUD",
    "JPY",
    "CNY",
    "INR",
    "BRL",
    "SAR",
    "AED",
)


def zones() -> list[tuple[str, str]]:
    """All time zones, as choices."""
    return [(name, name.replace("_", " ")) for name in sorted(available_timezones())]


def currencies(now: str = "") -> list[tuple[str, str]]:
    """The currencies offered; the one in use stays in the list."""
    return [(code, code) for code in sorted({*CURRENCIES, *([now] if now else [])})]


class SettingsForm(DeedForm):
    """What a tenant decides about itself, changed on its behalf."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120, widget=UnfoldAdminTextInputWidget)
    locale = forms.ChoiceField(label=gettext_lazy("Language"), widget=UnfoldAdminSelectWidget)
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), widget=UnfoldAdminSelect2Widget)
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, row: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        offer(self, "locale", settings.LANGUAGES)
        offer(self, "time_zone", zones())
        offer(self, "currency", currencies(row.currency))
        self.initial = {name: getattr(row, name) for name in self.fields}


class ChangeSettings(Deed):
    """Name, language, zone and currency."""

    name = "settings"
    label = gettext_lazy("Edit")
    icon = "edit"
    form_class = SettingsForm

    def offered(self, row: Tenant) -> bool:
        """While it exists for somebody."""
        return row.state in STANDING

    def question(self, row: Tenant) -> Any:
        return _("Edit %(name)s") % {"name": row.name}

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Save what differs."""
        branding.change_settings(tenant_id=row.pk, changes=form.cleaned_data, by=by)
        return Outcome(_("The settings of %(name)s are saved.") % {"name": form.cleaned_data["name"]})


class PlanForm(DeedForm):
    """Which plan."""

    plan = forms.ChoiceField(label=gettext_lazy("Plan"), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, row: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        offer(self, "plan", [(plan.code, plan.name) for plan in Plan.objects.all()])
        self.initial = {"plan": row.plan_id}


class ChangePlan(Deed):
    """Other limits."""

    name = "plan"
    label = gettext_lazy("Change plan")
    icon = "sell"
    form_class = PlanForm

    def offered(self, row: Tenant) -> bool:
        """While it exists for somebody."""
        return row.state in STANDING

    def question(self, row: Tenant) -> Any:
        return _("Change the plan of %(name)s") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (
            _("The limits of the new plan hold from the next request on. Nothing that exists is removed."),
        )

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Put the tenant on the plan."""
        plans.assign_plan(tenant_id=row.pk, code=form.cleaned_data["plan"], by=by)
        return Outcome(_("%(name)s has another plan now.") % {"name": row.name})


class HostForm(DeedForm):
    """A new address."""

    domain = forms.CharField(
        label=gettext_lazy("Domain"),
        max_length=253,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "crm.example.com", "autocapitalize": "none"}),
    )
    primary = forms.BooleanField(
        label=gettext_lazy("Use it in links and mails"), required=False, widget=UnfoldBooleanSwitchWidget
    )


class AddHost(Deed):
    """Serve the tenant at one more address."""

    name = "add-host"
    label = gettext_lazy("Add host")
    icon = "add_link"
    form_class = HostForm

    def offered(self, row: Tenant) -> bool:
        """While it exists for somebody."""
        return row.state in STANDING

    def question(self, row: Tenant) -> Any:
        return _("Add a host to %(name)s") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (_("The tenant is served at this address at once. Its DNS record must lead here."),)

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Add it."""
        values = form.cleaned_data
        host = hosts.add_host(tenant_id=row.pk, domain=values["domain"], primary=values["primary"], by=by)
        return Outcome(_("%(name)s is served at %(host)s now.") % {"name": row.name, "host": host.domain})


class Export(Deed):
    """Write the tenant's archive."""

    name = "export"
    label = gettext_lazy("Export")
    icon = "download"

    def offered(self, row: Tenant) -> bool:
        """Where there is a schema to export."""
        return row.state in STANDING

    def question(self, row: Tenant) -> Any:
        return _("Export %(name)s?") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (
            _("A job writes all tables, files and the ledger of the tenant into one signed archive."),
            _(
                "The archive holds the tenant's records. Every download is written into the tenant's own ledger."
            ),
        )

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Queue the job."""
        title = f"Export {row.name}"
        job = queue.enqueue(
            "tenants.export", tenant=None, args={"tenant_id": str(row.pk)}, title=title, by=by
        )
        return Outcome(_("%(name)s is being exported.") % {"name": row.name}, job_url(job))


class MakeHostPrimary(Deed):
    """Use this address in links."""

    name = "primary"
    label = gettext_lazy("Make primary")
    icon = "star"

    def offered(self, row: Any) -> bool:
        """Not where it is already."""
        return not row.is_primary

    def question(self, row: Any) -> Any:
        return _("Make %(host)s the primary host of %(name)s?") % {
            "host": row.domain,
            "name": row.tenant.name,
        }

    def consequences(self, row: Any) -> Sequence[Any]:
        return (
            _("Links in mails and on pages use this address from now on. The other addresses keep working."),
        )

    def perform(self, *, row: Any, form: DeedForm, by: Actor) -> Outcome:
        """Make it so."""
        hosts.make_primary(host_id=row.pk, by=by)
        return Outcome(_("%(host)s is the primary host now.") % {"host": row.domain})


class RemoveHost(Deed):
    """Stop serving an address."""

    name = "remove"
    label = gettext_lazy("Remove")
    icon = "link_off"
    danger = True

    def refusal(self, row: Any) -> Any:
        """The address in use for links must be replaced first."""
        return _("This is the primary host. Make another one primary first.") if row.is_primary else ""

    def question(self, row: Any) -> Any:
        return _("Remove %(host)s from %(name)s?") % {"host": row.domain, "name": row.tenant.name}

    def consequences(self, row: Any) -> Sequence[Any]:
        return (
            _("Nobody reaches the tenant at this address any more; it is answered 404."),
            _("Sessions opened at this address are worth nothing elsewhere."),
        )

    def perform(self, *, row: Any, form: DeedForm, by: Actor) -> Outcome:
        """Remove it."""
        domain = row.domain
        hosts.remove_host(host_id=row.pk, by=by)
        return Outcome(
            _("%(host)s is removed.") % {"host": domain}, reverse("console:tenants_host_changelist")
        )
