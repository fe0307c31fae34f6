"""The form that opens a tenant; the job that builds it has a page of its own."""

from typing import Any

from django import forms
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.console.deeds import Outcome, offer
from apps.console.doings.tenant_changes import currencies, zones
from apps.console.pages.form_page import FormPage
from apps.core.actor import Actor
from apps.modules import catalogue
from apps.tenants import provision
from apps.tenants.models import SLUG, Plan


class NewTenantForm(forms.Form):
    """What a tenant is opened with."""

    wide = frozenset({"modules"})

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget(attrs={"data-slug-from": "id_slug", "autofocus": True}),
    )
    slug = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=40,
        validators=[SLUG],
        widget=UnfoldAdminTextInputWidget(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    owner_email = forms.EmailField(
        label=gettext_lazy("Email address of the owner"),
        help_text=gettext_lazy("Is invited as the first owner, by a link in a mail."),
        widget=UnfoldAdminEmailInputWidget,
    )
    plan = forms.ChoiceField(label=gettext_lazy("Plan"), widget=UnfoldAdminSelectWidget)
    locale = forms.ChoiceField(label=gettext_lazy("Language"), widget=UnfoldAdminSelectWidget)
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), widget=UnfoldAdminSelect2Widget)
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), widget=UnfoldAdminSelectWidget)
    host = forms.CharField(
        label=gettext_lazy("Host"),
        required=False,
        max_length=253,
        widget=UnfoldAdminTextInputWidget(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    modules = forms.MultipleChoiceField(
        label=gettext_lazy("Modules to install"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        modules = [(each.module.code, each.module.name) for each in catalogue.available()]
        offer(self, "modules", modules)
        if not modules:
            self.fields["modules"].help_text = _("The catalogue of modules is empty.")
        plans = list(Plan.objects.all())
        offer(self, "plan", [(plan.code, plan.name) for plan in plans])
        offer(self, "locale", settings.LANGUAGES)
        offer(self, "time_zone", zones())
        offer(self, "currency", currencies())
        self.fields["slug"].help_text = _("Small letters, digits and hyphens. It never changes.")
        self.fields["host"].help_text = _("Empty: address.%(domain)s") % {"domain": settings.TENANT_DOMAIN}
        default = next((plan.code for plan in plans if plan.is_default), None)
        self.initial = {
            "plan": default,
            "locale": settings.LANGUAGE_CODE,
            "time_zone": "UTC",
            "currency": "EUR",
        }


class NewTenant(FormPage):
    """Orders a tenant and shows the job that builds it."""

    title = gettext_lazy("New tenant")
    superuser_only = True
    form_class = NewTenantForm
    button = gettext_lazy("Open tenant")
    back = "console:tenants_tenant_changelist"

    def trail(self) -> list[tuple[Any, str]]:
        return [(_("tenants"), reverse("console:tenants_tenant_changelist"))]

    def perform(self, *, form: forms.Form, by: Actor) -> Outcome:
        """Write the order and queue its job, both or neither."""
        values = form.cleaned_data
        seed = {"owner_email": values["owner_email"], "modules": values["modules"]}
        wanted = provision.Order(
            slug=values["slug"],
            name=values["name"],
            locale=values["locale"],
            time_zone=values["time_zone"],
            currency=values["currency"],
            plan=values["plan"],
            host=values["host"] or None,
            seed=seed,
        )
        default_host = f"{values['slug']}.{settings.TENANT_DOMAIN}"
        tenant = provision.order(by=by, wanted=wanted, default_host=default_host)
        job = provision.start(tenant=tenant, seed=seed, by=by)
        return Outcome(
            _("%(name)s is being opened.") % {"name": tenant.name},
            reverse("console:events_job_change", args=[job]),
        )
