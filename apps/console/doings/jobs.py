"""Deeds on jobs."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.console.deeds import Deed, DeedForm, Outcome
from apps.core.actor import Actor
from apps.events.jobs import work
from apps.events.jobs.states import JobState, may_follow
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

    def consequences(self, row: Job) -> Sequence[Any]:
        return (_("It is queued with the same input and all its attempts."),)

    def perform(self, *, row: Job, form: DeedForm, by: Actor) -> Outcome:
        """Queue it."""
        work.retry(row.pk, by=by)
        return Outcome(_("“%(title)s” is queued again.") % {"title": row.title})
