"""A package of one tenant alone: a compiled artifact that an operator installs for it."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminFileFieldWidget

from apps.console.deeds import DeedForm, Outcome
from apps.console.doings.modules import OnModules
from apps.console.doings.tenant_moves import job_url
from apps.core.actor import Actor
from apps.core.scope import tenant_scope
from apps.modules import artifact, install, jobs, packages
from apps.modules.artifact.stack import SIZE_LIMIT
from apps.objects.parse import DefinitionErrors
from apps.tenants.models import Tenant

MOST_FAULTS = 20


class PackageForm(DeedForm):
    """The artifact's file; everything that is wrong with it is said beside the field."""

    file = forms.FileField(
        label=gettext_lazy("Compiled artifact"),
        help_text=gettext_lazy("The file objectstack.json that `os build` writes."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".json,application/json"}),
    )

    def clean_file(self) -> Any:
        """Read and judge the file."""
        file = self.cleaned_data["file"]
        if file.size > SIZE_LIMIT:
            raise forms.ValidationError(_("The file is larger than %(n)s kB.") % {"n": SIZE_LIMIT // 1024})
        try:
            self.source = artifact.read_artifact(file.read(), file.name)
        except DefinitionErrors as refused:
            raise forms.ValidationError([str(error) for error in refused.errors[:MOST_FAULTS]]) from refused
        return file


class BringPackage(OnModules):
    """Install an artifact, or bring the installed package to its version."""

    name = "package"
    label = gettext_lazy("Install package")
    icon = "deployed_code_update"
    form_class = PackageForm

    def question(self, row: Tenant) -> Any:
        return _("Install a package in %(name)s") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (
            _("The package is for this tenant alone; the catalogue of modules does not change."),
            _("A job makes its tables in the schema %(schema)s.") % {"schema": row.schema_name},
            _("What of it cannot run here is listed on the tenant's page afterwards."),
            _("JavaScript in it is never run."),
        )

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Keep the package and queue its installation in the tenant's scope."""
        assert isinstance(form, PackageForm)
        with tenant_scope(row.ref):
            kept = packages.keep(source=form.source, by=by)
            here = {each.module for each in install.installed()}
            enqueue = jobs.enqueue_upgrade if kept.code in here else jobs.enqueue_install
            job = enqueue(kept.code, by=by, version=kept.version)
        return Outcome(_("The package is being installed in %(name)s.") % {"name": row.name}, job_url(job))
