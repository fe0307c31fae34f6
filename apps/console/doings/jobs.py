"""Deeds on jobs and on dead letters."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.console.deeds import Deed, DeedForm, Outcome
from apps.console.privacy import args_are_open
from apps.core import queue
from apps.core.actor import Actor
from apps.events.jobs import arguments, letters, replay, work
from apps.events.jobs.states import DEAD, JobState, may_follow
from apps.events.models import Job


class CancelJob(Deed):
    """Stop a job."""

    name = "cancel"
    label = gettext_lazy("Cancel")
    icon = "cancel"
    danger = True

    def offered(self, row: Job) -> bool:
        """While it waits or runs and nobody has asked yet."""
        return row.state in {JobState.QUEUED, JobState.RUNNING} and not row.cancel_requested

    def question(self, row: Job) -> Any:
        return _("Cancel “%(title)s”?") % {"title": row.title}

    def consequences(self, row: Job) -> Sequence[Any]:
        if row.state == JobState.QUEUED:
            return (_("It has not started. It will not run."),)
        return (
            _("It stops at its next safe point; what it has not committed is rolled back."),
            _("It can be queued again later."),
        )

    def perform(self, *, row: Job, form: DeedForm, by: Actor) -> Outcome:
        """Ask it to stop."""
        work.cancel(row.pk, by=by)
        return Outcome(_("“%(title)s” is asked to stop.") % {"title": row.title})


class RetryJob(Deed):
    """Queue a job again."""

    name = "retry"
    label = gettext_lazy("Try again")
    icon = "replay"
    primary = True

    # Opening a tenant starts over on the tenant's own page, which puts its state back first.
    ELSEWHERE = frozenset({"tenants.provision"})

    def offered(self, row: Job) -> bool:
        """After a failure or a cancellation."""
        return (
            row.name not in self.ELSEWHERE
            and may_follow(row.state, JobState.QUEUED)
            and row.state != JobState.RUNNING
        )

    def question(self, row: Job) -> Any:
        return _("Run “%(title)s” again?") % {"title": row.title}

    def refusal(self, row: Job) -> Any:
        """Its task may not take the arguments any more."""
        wrong = arguments.faults(row.name, row.args, row.args_version)
        return _("%(task)s does not take its arguments (any more).") % {"task": row.name} if wrong else ""

    def consequences(self, row: Job) -> Sequence[Any]:
        return (_("It is queued with the same input and all its attempts."),)

    def perform(self, *, row: Job, form: DeedForm, by: Actor) -> Outcome:
        """Queue it."""
        work.retry(row.pk, by=by)
        return Outcome(_("“%(title)s” is queued again.") % {"title": row.title})


class JsonField(forms.CharField):
    """Arguments as JSON: an object, shown with one name a line."""

    def __init__(self, rows: int = 12, **more: Any) -> None:
        attributes = {"rows": rows, "spellcheck": "false", "dir": "ltr", "class": "font-mono"}
        super().__init__(widget=UnfoldAdminTextareaWidget(attrs=attributes), **more)

    def to_python(self, value: Any) -> Any:
        """Return the object; refuse what is none."""
        text = super().to_python(value)
        try:
            found = json.loads(text or "{}")
        except (json.JSONDecodeError, RecursionError) as error:
            raise forms.ValidationError(_("This is not JSON: %(error)s") % {"error": error}) from error
        if not isinstance(found, dict):
            raise forms.ValidationError(_("Write the arguments by name, in braces."))
        return found


class ArgumentsForm(DeedForm):
    """The arguments of a job."""

    args = JsonField(label=gettext_lazy("Arguments"))

    def __init__(self, *args: Any, row: Job | None = None, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        task = queue.tasks.get(row.name) if row is not None else None
        if row is None or task is None:
            return
        today = arguments.current(task, row.args, row.args_version)
        self.initial = {"args": json.dumps(today, ensure_ascii=False, indent=2)}
        names = ", ".join(arguments.schema(task).get("properties", {}))
        self.fields["args"].help_text = _("%(task)s takes: %(names)s. The arguments of before are kept.") % {
            "task": row.name,
            "names": names or "–",
        }


class EditAndRetry(Deed):
    """Queue a dead letter with other arguments."""

    name = "edit"
    label = gettext_lazy("Edit and try again")
    icon = "edit_note"
    form_class = ArgumentsForm

    def offered(self, row: Job) -> bool:
        """For dead letters whose arguments are no tenant's secret."""
        return row.state in DEAD and args_are_open(row.name, row.tenant_id)

    def question(self, row: Job) -> Any:
        return _("Edit “%(title)s” and run it again?") % {"title": row.title}

    def consequences(self, row: Job) -> Sequence[Any]:
        who = row.actor.get("label", "")
        return (
            _("It runs with the new arguments, and with the rights of %(who)s as before.") % {"who": who},
        )

    def perform(self, *, row: Job, form: DeedForm, by: Actor) -> Outcome:
        """Check the arguments and queue it."""
        letters.edit_and_retry(row.pk, args=form.cleaned_data["args"], by=by)
        return Outcome(_("“%(title)s” is queued again with the new arguments.") % {"title": row.title})


class LetterReasonForm(DeedForm):
    """Asks why."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=letters.REASON_ROOM,
        help_text=gettext_lazy("Kept with the job and in the ledger."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class QuarantineJob(Deed):
    """Set a failed job aside."""

    name = "quarantine"
    label = gettext_lazy("Quarantine")
    icon = "shield_lock"
    form_class = LetterReasonForm

    def offered(self, row: Job) -> bool:
        """After a failure."""
        return row.state == JobState.FAILED

    def question(self, row: Job) -> Any:
        return _("Quarantine “%(title)s”?") % {"title": row.title}

    def consequences(self, row: Job) -> Sequence[Any]:
        return (_("Replays of many leave it out until somebody tries it again or gives it up."),)

    def perform(self, *, row: Job, form: DeedForm, by: Actor) -> Outcome:
        """Set it aside."""
        letters.quarantine(row.pk, by=by, reason=form.cleaned_data["reason"])
        return Outcome(_("“%(title)s” is in quarantine.") % {"title": row.title})


class DiscardJob(Deed):
    """Give a dead letter up."""

    name = "discard"
    label = gettext_lazy("Discard")
    icon = "delete_forever"
    danger = True
    form_class = LetterReasonForm

    def offered(self, row: Job) -> bool:
        """For dead letters."""
        return row.state in DEAD

    def question(self, row: Job) -> Any:
        return _("Give up “%(title)s”?") % {"title": row.title}

    def consequences(self, row: Job) -> Sequence[Any]:
        return (_("It will not be tried again. Its row is removed after 30 days; the ledger keeps this."),)

    def perform(self, *, row: Job, form: DeedForm, by: Actor) -> Outcome:
        """Give it up."""
        letters.discard(row.pk, by=by, reason=form.cleaned_data["reason"])
        return Outcome(_("“%(title)s” is given up.") % {"title": row.title})


class StopReplay(Deed):
    """Put back what a replay has queued."""

    name = "put-back"
    label = gettext_lazy("Stop the replay")
    icon = "undo"
    danger = True

    def offered(self, row: Job) -> bool:
        """For replays."""
        return row.name == replay.TASK

    def question(self, row: Job) -> Any:
        return _("Stop “%(title)s”?") % {"title": row.title}

    def consequences(self, row: Job) -> Sequence[Any]:
        return (_("Jobs that no worker has begun are dead letters again; the others go on."),)

    def perform(self, *, row: Job, form: DeedForm, by: Actor) -> Outcome:
        """Stop it and put the rest back."""
        if row.state in {JobState.QUEUED, JobState.RUNNING} and not row.cancel_requested:
            work.cancel(row.pk, by=by)
        number = replay.stop(row.pk, by=by)
        text = ngettext("%(n)s job is a dead letter again.", "%(n)s jobs are dead letters again.", number)
        return Outcome(text % {"n": number})
