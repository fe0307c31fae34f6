"""The tables of facts and of work: all shared, each file one subject."""

from apps.events.minutes import Minute
from apps.events.models.facts import InboxEvent, OutboxEvent
from apps.events.models.health import Alert, CheckMinute, CheckState, Process
from apps.events.models.job import Job

__all__ = [
    "Alert",
    "CheckMinute",
    "CheckState",
    "InboxEvent",
    "Job",
    "Minute",
    "OutboxEvent",
    "Process",
]
