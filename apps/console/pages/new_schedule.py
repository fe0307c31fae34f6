"""The form that makes a schedule."""

from typing import Any
from uuid import UUID

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminSelectWidget

from apps.console.deeds import Outcome, offer
from apps.console.doings.schedules import TimingForm
from apps.console.operator import actor_of, sees_everything, tenants_of
from apps.console.pages.form_page import FormPage
from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid
from apps.events.schedules import services
from apps.tenants.states import State


class NewScheduleForm(TimingForm):
    """The same with a place and a task, which never change."""

    tenant = forms.ChoiceField(label=gettext_lazy("Tenant"), required=False, widget=UnfoldAdminSelect2Widget)
    task = forms.ChoiceField(label=gettext_lazy("Task"), widget=UnfoldAdminSelectWidget)
    field_order = ("tenant", "task", "title")


class NewSchedule(FormPage):
    """Makes a schedule for a tenant or, by a superuser, for the platform."""

    title = gettext_lazy("New schedule")
    form_class = NewScheduleForm
    button = gettext_lazy("Save schedule")
    back = "console:events_schedule_changelist"

    def trail(self) -> list[tuple[Any, str]]:
        return [(_("schedules"), reverse("console:events_schedule_changelist"))]

    def make(self, *args: Any) -> forms.Form:
        """The form with the operator's tenants and the tasks that fit somewhere."""
        form = super().make(*args)
        tenants = [(str(row.pk), row.name) for row in tenants_of(self.request).filter(state=State.ACTIVE)]
        everything = sees_everything(self.request)
        offer(form, "tenant", [*([("", _("Platform"))] if everything else []), *tenants])
        by = actor_of(self.request)
        places = [None, UUID(int=0)] if everything else [UUID(int=0)]
        tasks = sorted({name for place in places for name in services.schedulable(by, place)})
        offer(form, "task", [(name, name) for name in tasks])
        return form

    def perform(self, *, form: Any, by: Actor) -> Outcome:
        """Save it."""
        chosen = form.cleaned_data["tenant"]
        if not chosen and not sees_everything(self.request):
            text = _("Choose a tenant.")
            raise Invalid(text, [FieldError("tenant", "required", text)])
        made = services.create(
            task=form.cleaned_data["task"],
            timing=form.timing(),
            by=by,
            tenant=UUID(chosen) if chosen else None,
            **form.rest(),
        )
        return Outcome(
            _("“%(title)s” is saved.") % {"title": made.title},
            reverse("console:events_schedule_change", args=[made.pk]),
        )
