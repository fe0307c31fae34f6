"""The form that imports an archive under a new name."""

from typing import Any

from django import forms
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextInputWidget

from apps.console.deeds import Outcome
from apps.console.pages.form_page import FormPage
from apps.core.actor import Actor
from apps.tenants import importing
from apps.tenants.models import SLUG


class ImportForm(forms.Form):
    """The archive, and what the tenant is called here."""

    wide = frozenset({"archive", "trusted"})

    archive = forms.FileField(label=gettext_lazy("Archive"), widget=UnfoldAdminFileFieldWidget)
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget(attrs={"data-slug-from": "id_slug"}),
    )
    slug = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=40,
        validators=[SLUG],
        help_text=gettext_lazy("Small letters, digits and hyphens. It never changes."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    host = forms.CharField(
        label=gettext_lazy("Host"), required=False, max_length=253, widget=UnfoldAdminTextInputWidget
    )
    trusted = forms.CharField(
        label=gettext_lazy("Fingerprint of the signing key"),
        required=False,
        max_length=128,
        help_text=gettext_lazy(
            "Empty: only archives written by this installation. The refusal of another names its key."
        ),
        widget=UnfoldAdminTextInputWidget(attrs={"spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["host"].help_text = _("Empty: address.%(domain)s") % {"domain": settings.TENANT_DOMAIN}


class ImportTenant(FormPage):
    """Keeps the upload and shows the job that imports it."""

    title = gettext_lazy("Import a tenant")
    lead = gettext_lazy(
        "The archive is checked before anything is read from it: its signature, every part, and the ledger. "
        "The tenant keeps its id, so it must not exist here any more."
    )
    superuser_only = True
    form_class = ImportForm
    button = gettext_lazy("Import")
    back = "console:tenants_tenant_changelist"

    def trail(self) -> list[tuple[Any, str]]:
        return [(_("tenants"), reverse("console:tenants_tenant_changelist"))]

    def perform(self, *, form: forms.Form, by: Actor) -> Outcome:
        """Queue it."""
        values = form.cleaned_data
        job = importing.start(
            upload=values["archive"].chunks(),
            slug=values["slug"],
            host=values["host"] or f"{values['slug']}.{settings.TENANT_DOMAIN}",
            name=values["name"],
            trusted=values["trusted"].strip(),
            by=by,
        )
        return Outcome(
            _("%(name)s is being imported.") % {"name": values["name"]},
            reverse("console:events_job_change", args=[job]),
        )
