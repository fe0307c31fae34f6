"""Deeds of privacy: erasing a person everywhere, legal holds, and how long a tenant's ledger keeps its entries."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.audit.privacy import holds, retention
from apps.console.deeds import Deed, DeedForm, Outcome, TypedNameForm, offer
from apps.console.doings.people import OnPeople
from apps.console.doings.tenant_changes import STANDING
from apps.core.actor import Actor
from apps.core.scope import tenant_scope
from apps.identity.models import Membership, User
from apps.identity.services import erasure
from apps.objects import privacy
from apps.tenants.models import Tenant

KEEP = (
    ("", gettext_lazy("For ever")),
    ("90", gettext_lazy("90 days")),
    ("365", gettext_lazy("One year")),
    ("1095", gettext_lazy("Three years")),
    ("2190", gettext_lazy("Six years")),
    ("3650", gettext_lazy("Ten years")),
)


def _why(help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=help_text,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class EraseForm(TypedNameForm):
    """The name and the reason."""

    reason = _why(gettext_lazy("Kept in every ledger. Do not write the name here."))


class ErasePerson(OnPeople):
    """Empty an account for good and destroy the person's keys in all ledgers."""

    name = "erase"
    label = gettext_lazy("Erase for good")
    icon = "person_cancel"
    danger = True
    form_class = EraseForm

    def offered(self, row: User) -> bool:
        """Not for operators, nor for who was erased."""
        return not row.is_staff and not row.email.endswith("@invalid")

    def question(self, row: User) -> Any:
        return _("Erase %(name)s for good?") % {"name": row.get_full_name()}

    def consequences(self, row: User) -> Sequence[Any]:
        count = Membership.objects.filter(user=row).count()
        left = ngettext("The person leaves %(n)s tenant.", "The person leaves %(n)s tenants.", count)
        return (
            left % {"n": count},
            _("Name and address are emptied; sessions, API keys and invitations are removed."),
            _("In every ledger the person can be named no more. The chains still hold."),
            _("This cannot be undone, not by us either."),
        )

    def perform(self, *, row: User, form: DeedForm, by: Actor) -> Outcome:
        """Erase."""
        erasure.erase_person(user_id=row.pk, by=by, reason=form.cleaned_data["reason"])
        return Outcome(_("The person is erased."))


class HoldForm(DeedForm):
    """What is held, and why."""

    subject = forms.CharField(
        label=gettext_lazy("What is held"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("As the ledger names it: user:… or crm_contact:…. Empty: everything."),
        widget=UnfoldAdminTextInputWidget,
    )
    reason = _why(gettext_lazy("Kept in the tenant's ledger."))


class OnLedger(Deed):
    """Deeds on the ledger of a tenant that has one."""

    def offered(self, row: Tenant) -> bool:
        """While the tenant has a schema of its own."""
        return row.state in STANDING


class PlaceHold(OnLedger):
    """Place a legal hold."""

    name = "hold"
    label = gettext_lazy("Place legal hold")
    icon = "gavel"
    form_class = HoldForm

    def question(self, row: Tenant) -> Any:
        return _("Place a legal hold in %(tenant)s?") % {"tenant": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (
            _("Nothing it protects is erased, by nobody, until the hold is released."),
            _("No entry of the tenant's ledger is removed, and a deleted tenant stays until then."),
        )

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Place it."""
        with tenant_scope(row.ref):
            privacy.place_hold(
                subject=form.cleaned_data["subject"], reason=form.cleaned_data["reason"], by=by
            )
        return Outcome(_("The hold stands."))


class ReleaseForm(DeedForm):
    """Which hold, and why it may go."""

    hold = forms.ChoiceField(label=gettext_lazy("Hold"), widget=UnfoldAdminSelectWidget)
    reason = _why(gettext_lazy("Kept in the tenant's ledger."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with tenant_scope(self.row.ref):
            standing = holds.standing()
        offer(
            self,
            "hold",
            [(str(item.pk), f"{item.subject or _('Everything')}: {item.reason}") for item in standing],
        )


class ReleaseHold(OnLedger):
    """Release a legal hold."""

    name = "release"
    label = gettext_lazy("Release legal hold")
    icon = "lock_open"
    danger = True
    form_class = ReleaseForm

    def refusal(self, row: Tenant) -> Any:
        """When none stands."""
        with tenant_scope(row.ref):
            return "" if holds.standing() else _("No legal hold stands here.")

    def question(self, row: Tenant) -> Any:
        return _("Release a legal hold in %(tenant)s?") % {"tenant": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (_("What it protected may be erased again. The hold stays on record."),)

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Release it."""
        with tenant_scope(row.ref):
            privacy.release_hold(form.cleaned_data["hold"], reason=form.cleaned_data["reason"], by=by)
        return Outcome(_("The hold is released."))


class KeepForm(DeedForm):
    """How long."""

    days = forms.ChoiceField(
        label=gettext_lazy("Keep entries"), required=False, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with tenant_scope(self.row.ref):
            now = str(retention.policy().days or "")
        known = dict(KEEP)
        offer(self, "days", [*KEEP, *([(now, _("%(n)s days") % {"n": now})] if now not in known else [])])
        self.fields["days"].initial = now


class KeepEntries(OnLedger):
    """Say how long the tenant's ledger keeps its entries."""

    name = "keep"
    label = gettext_lazy("Ledger retention")
    icon = "history_toggle_off"
    form_class = KeepForm

    def question(self, row: Tenant) -> Any:
        return _("How long does the ledger of %(tenant)s keep its entries?") % {"tenant": row.name}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (
            _("Once a day the oldest entries are removed: a whole beginning that is signed and verified."),
            _("Their hashes stay, so the rest can still be proven."),
        )

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Change the policy."""
        days = form.cleaned_data["days"]
        with tenant_scope(row.ref):
            privacy.set_retention(int(days) if days else None, by=by)
        return Outcome(_("The ledger keeps its entries as long as you said."))
