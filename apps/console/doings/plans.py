"""Plans: quotas as a form."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.console.deeds import Deed, DeedForm, Outcome
from apps.core.actor import Actor
from apps.tenants import plans
from apps.tenants.models import Plan, Tenant
from apps.tenants.quotas import KINDS

QUOTA_LABELS = {key: kind.label for key, kind in KINDS.items()}


class QuotaForm(DeedForm):
    """A plan's name and limits; an empty limit is none."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, widget=UnfoldAdminTextInputWidget)
    is_default = forms.BooleanField(
        label=gettext_lazy("New tenants get this plan"), required=False, widget=UnfoldBooleanSwitchWidget
    )

    def __init__(self, *args: Any, row: Plan | None = None, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        for key in plans.QUOTAS:
            self.fields[key] = forms.IntegerField(
                label=QUOTA_LABELS[key],
                required=False,
                min_value=0,
                max_value=plans.LARGEST,
                help_text=_("Leave it empty for no limit."),
                widget=UnfoldAdminIntegerFieldWidget,
            )
        if row is not None:
            self.initial = {"name": row.name, "is_default": row.is_default, **row.quotas}

    def save(self, *, code: str, by: Actor) -> Plan:
        """Call the service."""
        values = self.cleaned_data
        quotas = {key: values[key] for key in plans.QUOTAS}
        return plans.save_plan(
            code=code, name=values["name"], quotas=quotas, is_default=values["is_default"], by=by
        )


class NewPlanForm(QuotaForm):
    """The same with a code."""

    code = forms.SlugField(
        label=gettext_lazy("Code"),
        max_length=40,
        help_text=gettext_lazy("Small letters, digits and hyphens. It never changes."),
        widget=UnfoldAdminTextInputWidget,
    )
    field_order = ("code", "name")

    def clean_code(self) -> str:
        """Refuse a code that is taken: this form makes plans, it does not change them."""
        code = self.cleaned_data["code"].lower()
        if Plan.objects.filter(pk=code).exists():
            raise forms.ValidationError(_("There is a plan with this code."))
        return code


class EditPlan(Deed):
    """Other limits for everybody on the plan."""

    name = "edit"
    label = gettext_lazy("Edit")
    icon = "edit"
    primary = True
    superuser_only = True
    form_class = QuotaForm

    def question(self, row: Plan) -> Any:
        return _("Edit the plan %(name)s") % {"name": row.name}

    def consequences(self, row: Plan) -> Sequence[Any]:
        count = Tenant.objects.filter(plan=row).count()
        text = ngettext(
            "The limits change for %(n)s tenant at once.",
            "The limits change for %(n)s tenants at once.",
            count,
        )
        return (text % {"n": count},)

    def perform(self, *, row: Plan, form: Any, by: Actor) -> Outcome:
        """Save it."""
        form.save(code=row.code, by=by)
        return Outcome(_("The plan is saved."))


class RemovePlan(Deed):
    """Take a plan out of the list."""

    name = "remove"
    label = gettext_lazy("Remove")
    icon = "delete"
    danger = True
    superuser_only = True

    def refusal(self, row: Plan) -> Any:
        """A plan in use stays."""
        if row.is_default:
            return _("New tenants get this plan. Make another one the default first.")
        count = Tenant.objects.filter(plan=row).count()
        text = ngettext("%(n)s tenant is on this plan.", "%(n)s tenants are on this plan.", count) % {
            "n": count
        }
        return text if count else ""

    def question(self, row: Plan) -> Any:
        return _("Remove the plan %(name)s?") % {"name": row.name}

    def consequences(self, row: Plan) -> Sequence[Any]:
        return (_("No tenant is on it. It cannot be chosen any more."),)

    def perform(self, *, row: Plan, form: DeedForm, by: Actor) -> Outcome:
        """Remove it."""
        plans.remove_plan(code=row.code, by=by)
        return Outcome(_("The plan is removed."), reverse("console:tenants_plan_changelist"))
