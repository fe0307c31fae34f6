"""The tables of facts and of work: all shared, each file one subject."""

from apps.events.minutes import Minute
from apps.events.models.facts import HookState, InboxEvent, OutboxEvent, Position
from apps.events.models.health import Alert, CheckMinute, CheckState, Process
from apps.events.models.job import Job
from apps.events.models.schedule import Missed, Overlap, Schedule, ScheduleKind, ScheduleState
from apps.events.models.webhooks import (
    DeliveryState,
    DisabledFor,
    EndpointState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookReceipt,
    WebhookSecret,
    WebhookSource,
)

__all__ = [
    "Alert",
    "CheckMinute",
    "CheckState",
    "DeliveryState",
    "DisabledFor",
    "EndpointState",
    "HookState",
    "InboxEvent",
    "Job",
    "Minute",
    "Missed",
    "OutboxEvent",
    "Overlap",
    "Position",
    "Process",
    "Schedule",
    "ScheduleKind",
    "ScheduleState",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookReceipt",
    "WebhookSecret",
    "WebhookSource",
]
