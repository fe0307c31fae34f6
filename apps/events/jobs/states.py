"""The states of a job, and what may follow what."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    """Where a job stands."""

    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    QUARANTINED = "quarantined", _("Quarantined")
    DISCARDED = "discarded", _("Discarded")


MOVES: dict[JobState, frozenset[JobState]] = {
    # From waiting straight to failed: a dead letter that a stopped replay puts back.
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED}),
    JobState.FAILED: frozenset({JobState.QUEUED, JobState.QUARANTINED, JobState.DISCARDED}),
    JobState.QUARANTINED: frozenset({JobState.QUEUED, JobState.DISCARDED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.DONE: frozenset(),
    JobState.DISCARDED: frozenset(),
}
# Nothing more happens to these by itself.
ENDED = frozenset(
    {JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.QUARANTINED, JobState.DISCARDED}
)
DEAD = frozenset({JobState.FAILED, JobState.QUARANTINED})


def may_follow(now: str, then: str) -> bool:
    """Return whether a job in state `now` may go to `then`."""
    return JobState(then) in MOVES[JobState(now)]
