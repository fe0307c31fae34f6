"""The form that makes a plan."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.console.deeds import Outcome
from apps.console.doings.plans import NewPlanForm
from apps.console.pages.form_page import FormPage
from apps.core.actor import Actor


class NewPlan(FormPage):
    """Writes a plan."""

    title = gettext_lazy("New plan")
    superuser_only = True
    form_class = NewPlanForm
    button = gettext_lazy("Save plan")
    back = "console:tenants_plan_changelist"

    def trail(self) -> list[tuple[Any, str]]:
        return [(_("plans"), reverse("console:tenants_plan_changelist"))]

    def perform(self, *, form: Any, by: Actor) -> Outcome:
        """Save it."""
        plan = form.save(code=form.cleaned_data["code"], by=by)
        return Outcome(
            _("The plan %(name)s is saved.") % {"name": plan.name},
            reverse("console:tenants_plan_change", args=[plan.pk]),
        )
