"""Deeds on schedules: pause, resume, run now, change, remove."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.console.deeds import Deed, DeedForm, Outcome
from apps.console.doings.jobs import JsonField
from apps.console.privacy import args_are_open
from apps.core.actor import Actor
from apps.events.models import Missed, Overlap, Schedule, ScheduleKind, ScheduleState
from apps.events.schedules import services
from apps.events.schedules.timing import Timing


class TimingForm(DeedForm):
    """When a schedule is due, with what, and what happens when that cannot be."""

    title = forms.CharField(
        label=gettext_lazy("Title"), max_length=services.LONGEST_TITLE, widget=UnfoldAdminTextInputWidget
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("When"), choices=ScheduleKind.choices, widget=UnfoldAdminSelectWidget
    )
    cron = forms.CharField(
        label=gettext_lazy("Calendar rule"),
        required=False,
        help_text=gettext_lazy(
            "By the calendar: minute, hour, day, month, weekday. “0 7 * * MON-FRI” is 7:00 on working days."
        ),
        widget=UnfoldAdminTextInputWidget(attrs={"dir": "ltr", "spellcheck": "false"}),
    )
    every = forms.IntegerField(
        label=gettext_lazy("Seconds"),
        required=False,
        help_text=gettext_lazy("Every so often: the seconds between two moments."),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    at = forms.DateTimeField(
        label=gettext_lazy("Moment"),
        required=False,
        help_text=gettext_lazy("Once: the moment, in UTC. Every so often: the first one; empty is now."),
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2030-01-31 08:00"}),
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        initial="UTC",
        help_text=gettext_lazy("The calendar of which place; for example Europe/Berlin."),
        widget=UnfoldAdminTextInputWidget(attrs={"dir": "ltr"}),
    )
    missed = forms.ChoiceField(
        label=gettext_lazy("Missed moments"),
        choices=Missed.choices,
        initial=Missed.ONCE,
        widget=UnfoldAdminSelectWidget,
    )
    overlap = forms.ChoiceField(
        label=gettext_lazy("When the job before has not ended"),
        choices=Overlap.choices,
        initial=Overlap.SKIP,
        widget=UnfoldAdminSelectWidget,
    )
    priority = forms.IntegerField(
        label=gettext_lazy("Priority"),
        initial=0,
        help_text=gettext_lazy("Among the jobs of the same tenant, the highest goes first."),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    args = JsonField(
        label=gettext_lazy("Arguments"),
        required=False,
        rows=5,
        help_text=gettext_lazy("What the task gets each time, by name and as JSON; empty for nothing."),
    )
    wide = ("args",)

    def __init__(self, *args: Any, row: Schedule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        if row is None:
            return
        names = ("title", "kind", "cron", "every", "at", "time_zone", "missed", "overlap", "priority")
        self.initial = {name: getattr(row, name) for name in names}
        if args_are_open(row.task, row.tenant_id):
            self.initial["args"] = json.dumps(row.args, ensure_ascii=False, indent=2)
        else:
            del self.fields["args"]

    def timing(self) -> Timing:
        """Return the moments that were chosen; what belongs to another kind is left out."""
        values = self.cleaned_data
        kind = values["kind"]
        return Timing(
            kind=kind,
            cron=values["cron"].strip() if kind == ScheduleKind.CRON else "",
            every=values["every"] if kind == ScheduleKind.INTERVAL else None,
            at=None if kind == ScheduleKind.CRON else values["at"],
            time_zone=values["time_zone"].strip(),
        )

    def rest(self) -> dict[str, Any]:
        """Return what is not about time."""
        names = ("title", "missed", "overlap", "priority", "args")
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}


class ScheduleDeed(Deed):
    """A verb whose question names the schedule."""

    asks: Any = ""

    def question(self, row: Schedule) -> Any:
        return self.asks % {"title": row.title}


class PauseSchedule(ScheduleDeed):
    """Ask for nothing for a while."""

    name = "pause"
    label = gettext_lazy("Pause")
    icon = "pause"
    asks = gettext_lazy("Pause “%(title)s”?")

    def offered(self, row: Schedule) -> bool:
        """While it is active."""
        return row.state == ScheduleState.ACTIVE

    def consequences(self, row: Schedule) -> Sequence[Any]:
        return (
            _("No further job is made until it is resumed. A job that runs goes on."),
            _("The moments of the pause are left out."),
        )

    def perform(self, *, row: Schedule, form: DeedForm, by: Actor) -> Outcome:
        """Pause it."""
        services.pause(row.pk, by=by)
        return Outcome(_("“%(title)s” is paused.") % {"title": row.title})


class ResumeSchedule(ScheduleDeed):
    """Go on."""

    name = "resume"
    label = gettext_lazy("Resume")
    icon = "play_arrow"
    primary = True
    asks = gettext_lazy("Resume “%(title)s”?")

    def offered(self, row: Schedule) -> bool:
        """While it is paused."""
        return row.state == ScheduleState.PAUSED

    def consequences(self, row: Schedule) -> Sequence[Any]:
        return (_("It goes on with the next moment from now."),)

    def perform(self, *, row: Schedule, form: DeedForm, by: Actor) -> Outcome:
        """Resume it."""
        services.resume(row.pk, by=by)
        return Outcome(_("“%(title)s” goes on.") % {"title": row.title})


class RunSchedule(ScheduleDeed):
    """Make a job now."""

    name = "run"
    label = gettext_lazy("Run now")
    icon = "bolt"
    asks = gettext_lazy("Run “%(title)s” now?")

    def consequences(self, row: Schedule) -> Sequence[Any]:
        return (_("One job is made now, beside the planned ones."),)

    def perform(self, *, row: Schedule, form: DeedForm, by: Actor) -> Outcome:
        """Make the job."""
        job = services.run_now(row.pk, by=by)
        return Outcome(
            _("“%(title)s” is queued.") % {"title": row.title},
            reverse("console:events_job_change", args=[job]),
        )


class ChangeSchedule(ScheduleDeed):
    """Other moments or arguments."""

    name = "edit"
    label = gettext_lazy("Edit")
    icon = "edit"
    form_class = TimingForm
    asks = gettext_lazy("Edit “%(title)s”")

    def offered(self, row: Schedule) -> bool:
        """Unless the product keeps it."""
        return row.key is None

    def consequences(self, row: Schedule) -> Sequence[Any]:
        return (_("Its jobs run in your name from now on."),)

    def perform(self, *, row: Schedule, form: Any, by: Actor) -> Outcome:
        """Save it."""
        services.change(row.pk, by=by, timing=form.timing(), **form.rest())
        return Outcome(_("“%(title)s” is saved.") % {"title": form.cleaned_data["title"]})


class RemoveSchedule(ScheduleDeed):
    """Delete a schedule."""

    name = "remove"
    label = gettext_lazy("Remove")
    icon = "delete"
    danger = True
    asks = gettext_lazy("Remove “%(title)s”?")

    def offered(self, row: Schedule) -> bool:
        """Unless the product keeps it."""
        return row.key is None

    def consequences(self, row: Schedule) -> Sequence[Any]:
        return (_("No further job is made. The jobs it has made stay."),)

    def perform(self, *, row: Schedule, form: DeedForm, by: Actor) -> Outcome:
        """Delete it."""
        services.remove(row.pk, by=by)
        return Outcome(
            _("“%(title)s” is removed.") % {"title": row.title}, reverse("console:events_schedule_changelist")
        )
