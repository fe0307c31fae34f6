"""Modules of one tenant: install, upgrade, remove; each a job in that tenant."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from apps.console.deeds import Deed, DeedForm, Outcome, offer
from apps.console.doings.tenant_moves import job_url
from apps.console.installed import installed_in
from apps.core.actor import Actor
from apps.core.scope import tenant_scope
from apps.modules import catalogue, jobs
from apps.tenants.models import Tenant
from apps.tenants.states import State


def uninstalled(tenant: Tenant) -> list[tuple[str, str]]:
    """Modules of the catalogue that the tenant lacks, as choices."""
    have = {row.module for row in installed_in(tenant)}
    found = [version for version in catalogue.available() if version.module.code not in have]
    return [(version.module.code, f"{version.module.name} {version.version}") for version in found]


def upgradable(tenant: Tenant) -> list[tuple[str, str]]:
    """Installed modules of which the catalogue has another newest version, as choices."""
    newest = {version.module.code: version for version in catalogue.available()}
    rows = [(row, newest[row.module]) for row in installed_in(tenant) if row.module in newest]
    return [
        (row.module, f"{row.name} {row.version} → {version.version}")
        for row, version in rows
        if row.checksum != version.checksum
    ]


class InstallForm(DeedForm):
    """Which module. Its example records are for members: an operator makes no records."""

    module = forms.ChoiceField(label=gettext_lazy("Module"), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "module", uninstalled(self.row))


class OnModules(Deed):
    """A module of an active tenant."""

    def offered(self, row: Tenant) -> bool:
        """While its doors are open."""
        return row.state == State.ACTIVE


class InstallModule(OnModules):
    """Make tables, permission sets and views of a module."""

    name = "install"
    label = gettext_lazy("Install module")
    icon = "extension"
    primary = True
    form_class = InstallForm

    def refusal(self, row: Tenant) -> Any:
        """Nothing left to install."""
        if uninstalled(row):
            return ""
        return _("Every module of the catalogue is installed here already, or the catalogue is empty.")

    def question(self, row: Tenant) -> Any:
        return _("Install a module in %(name)s") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (
            _("A job makes the module's tables in the schema %(schema)s.") % {"schema": row.schema_name},
            _("Nobody gets rights by it: the tenant's administrators assign the module's permission sets."),
        )

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Queue the installation in the tenant's scope."""
        with tenant_scope(row.ref):
            job = jobs.enqueue_install(form.cleaned_data["module"], by=by)
        return Outcome(_("The module is being installed in %(name)s.") % {"name": row.name}, job_url(job))


class UpgradeForm(DeedForm):
    """Which module."""

    module = forms.ChoiceField(label=gettext_lazy("Module"), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "module", upgradable(self.row))


class UpgradeModule(OnModules):
    """Bring a module to the newest version."""

    name = "upgrade"
    label = gettext_lazy("Upgrade module")
    icon = "upgrade"
    form_class = UpgradeForm

    def offered(self, row: Tenant) -> bool:
        """Where something newer is in the catalogue."""
        return super().offered(row) and bool(upgradable(row))

    def question(self, row: Tenant) -> Any:
        return _("Upgrade a module of %(name)s") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (_("A job changes the tables. A change that would lose data is refused."),)

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Queue the upgrade in the tenant's scope."""
        with tenant_scope(row.ref):
            job = jobs.enqueue_upgrade(form.cleaned_data["module"], by=by)
        return Outcome(_("The module is being upgraded in %(name)s.") % {"name": row.name}, job_url(job))


class UninstallForm(DeedForm):
    """Which module, and whether its records may go."""

    module = forms.ChoiceField(label=gettext_lazy("Module"), widget=UnfoldAdminSelectWidget)
    allow_data_loss = forms.BooleanField(
        label=gettext_lazy("Remove it even if it holds records"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "module", [(row.module, f"{row.name} {row.version}") for row in installed_in(self.row)])


class UninstallModule(OnModules):
    """Take a module and its tables away."""

    name = "uninstall"
    label = gettext_lazy("Remove module")
    icon = "extension_off"
    danger = True
    form_class = UninstallForm

    def offered(self, row: Tenant) -> bool:
        """Where one is installed."""
        return super().offered(row) and bool(installed_in(row))

    def question(self, row: Tenant) -> Any:
        return _("Remove a module from %(name)s") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (
            _(
                "The module's tables are dropped with all their records. This cannot be undone; export the tenant first."
            ),
            _("Without your leave below, the removal is refused while there are records."),
        )

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Queue the removal in the tenant's scope."""
        values = form.cleaned_data
        with tenant_scope(row.ref):
            job = jobs.enqueue_uninstall(values["module"], by=by, allow_data_loss=values["allow_data_loss"])
        return Outcome(_("The module is being removed from %(name)s.") % {"name": row.name}, job_url(job))
