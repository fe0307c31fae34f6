"""States and their colours."""

from typing import Any

from django.utils.html import format_html

from apps.console.panels import Badge, Tone
from apps.events.jobs.states import JobState
from apps.tenants.models import Tenant
from apps.tenants.states import State

TENANT_TONES: dict[str, Tone] = {
    State.ACTIVE: "success",
    State.PROVISIONING: "info",
    State.FAILED: "danger",
    State.SUSPENDED: "warning",
    State.ARCHIVED: "neutral",
    State.DELETED: "danger",
}
JOB_TONES: dict[str, Tone] = {
    JobState.DONE: "success",
    JobState.FAILED: "danger",
    JobState.CANCELLED: "neutral",
    JobState.RUNNING: "info",
    JobState.QUEUED: "warning",
    JobState.QUARANTINED: "warning",
    JobState.DISCARDED: "neutral",
}


def tenant_badge(tenant: Tenant) -> Badge:
    """A tenant's state."""
    return Badge(State(tenant.state).label, TENANT_TONES[tenant.state])


def job_badge(state: str) -> Badge:
    """A job's state."""
    return Badge(JobState(state).label, JOB_TONES[state])


def in_list(badge: Badge) -> Any:
    """The badge as markup, for a list of the theme."""
    return format_html('<span class="c-badge c-{}">{}</span>', badge.tone, badge.text)
