"""Moves in a tenant's life, as buttons."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.console.deeds import Deed, DeedForm, Outcome, ReasonForm, TypedNameForm
from apps.console.tenant_facts import last_seed, members_of
from apps.core.actor import Actor
from apps.tenants import lifecycle, provision
from apps.tenants.models import Tenant
from apps.tenants.states import MOVES, State


class Move(Deed):
    """A move of the table of states; offered only where the table has it."""

    to: ClassVar[State]

    def offered(self, row: Tenant) -> bool:
        """Whether the table of moves knows it from here."""
        return self.to in MOVES[row.state]

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Move the tenant."""
        lifecycle.move(tenant_id=row.pk, to=self.to, by=by, reason=form.cleaned_data.get("reason", ""))
        return Outcome(_("%(name)s is %(state)s now.") % {"name": row.name, "state": self.to.label})


class Suspend(Move):
    """Close the doors, keep the data."""

    name = "suspend"
    label = gettext_lazy("Suspend")
    icon = "pause_circle"
    danger = True
    to = State.SUSPENDED
    form_class = ReasonForm

    def question(self, row: Tenant) -> Any:
        return _("Suspend %(name)s?") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        count = members_of(row)
        return (
            ngettext(
                "%(n)s member is answered 403 with your reason, on every page and in the API.",
                "%(n)s members are answered 403 with your reason, on every page and in the API.",
                count,
            )
            % {"n": count},
            _("API keys and sessions stop working until you resume the tenant."),
            _("All data stay as they are."),
        )


class Resume(Move):
    """Open the doors again, from suspension or from the archive."""

    name = "resume"
    label = gettext_lazy("Resume")
    icon = "play_circle"
    primary = True
    to = State.ACTIVE

    def offered(self, row: Tenant) -> bool:
        """Provisioning ends by itself; this is for tenants that were closed."""
        return row.state in {State.SUSPENDED, State.ARCHIVED}

    def question(self, row: Tenant) -> Any:
        return _("Resume %(name)s?") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        count = members_of(row)
        text = ngettext(
            "%(n)s member can work again at once.", "%(n)s members can work again at once.", count
        )
        return (text % {"n": count}, _("API keys work again."))


class Archive(Move):
    """Close for good, keep the data."""

    name = "archive"
    label = gettext_lazy("Archive")
    icon = "archive"
    danger = True
    to = State.ARCHIVED
    form_class = ReasonForm

    def offered(self, row: Tenant) -> bool:
        """From use; coming back from deletion is called restoring."""
        return row.state in {State.ACTIVE, State.SUSPENDED}

    def question(self, row: Tenant) -> Any:
        return _("Archive %(name)s?") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (
            _("Pages and API answer 403. Nobody can work in the tenant."),
            _("All data stay. The tenant can be resumed, exported or deleted later."),
        )


class Restore(Move):
    """Take a deletion back during the grace period."""

    name = "restore"
    label = gettext_lazy("Restore")
    icon = "restore_from_trash"
    primary = True
    to = State.ARCHIVED

    def offered(self, row: Tenant) -> bool:
        """Only a deletion can be taken back."""
        return row.state == State.DELETED

    def question(self, row: Tenant) -> Any:
        return _("Restore %(name)s?") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (_("The deletion is taken back. The tenant is archived then; resume it to open its doors."),)


class TypedNameWithReason(TypedNameForm, ReasonForm):
    """Why, and the name."""

    field_order = ("reason", "typed")


class Delete(Move):
    """Start the grace period."""

    name = "delete"
    label = gettext_lazy("Delete")
    icon = "delete_forever"
    danger = True
    to = State.DELETED
    form_class = TypedNameWithReason

    def question(self, row: Tenant) -> Any:
        return _("Delete %(name)s?") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        count = members_of(row)
        members = ngettext("%(n)s membership goes with it.", "%(n)s memberships go with it.", count) % {
            "n": count
        }
        return (
            _("In %(n)s days the schema %(schema)s with all records, files and hosts is removed for good.")
            % {"n": settings.TENANT_GRACE_DAYS, "schema": row.schema_name},
            members,
            _("Until then the tenant can be restored. Export it first if somebody may need the data."),
            _("The platform's ledger keeps the entries about it."),
        )


class Retry(Deed):
    """Open a tenant whose provisioning failed."""

    name = "retry"
    label = gettext_lazy("Try again")
    icon = "replay"
    primary = True

    def offered(self, row: Tenant) -> bool:
        """Only after a failure."""
        return row.state == State.FAILED

    def question(self, row: Tenant) -> Any:
        return _("Open %(name)s again?") % {"name": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (_("The failed attempt left nothing behind. A new job builds the tenant from the start."),)

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Queue the same order again."""
        job = provision.start(tenant=row, seed=last_seed(row), by=by)
        return Outcome(_("%(name)s is being opened.") % {"name": row.name}, job_url(job))


def job_url(job: object) -> str:
    """The page of a job."""
    return reverse("console:events_job_change", args=[job])
