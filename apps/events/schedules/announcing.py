"""The task that a tenant's managers may put on a schedule: it says, as an event, that a moment has come.

Webhooks, hooks and streams take it from there: `schedule.due` each Monday at seven starts what listens to it.
"""

from collections.abc import Mapping
from typing import Any

from apps.core import queue
from apps.events import outbox
from apps.events.registry import EventType, register

TASK, EVENT = "events.announce", "schedule.due"
NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_.-]{0,63}$", "description": "What listeners know it by."}
VALUE = {"type": ["string", "integer", "boolean", "null"], "maxLength": 1000}
DATA = {
    "type": "object",
    "maxProperties": 50,
    "additionalProperties": VALUE,
    "description": "Values that go along: texts, whole numbers, yes or no.",
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {"name": NAME, "data": DATA},
}
register(
    EventType(
        EVENT,
        "A moment of a schedule has come; `due` is the moment it was planned for.",
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "due", "data"],
            "properties": {"name": NAME, "due": {"type": ["string", "null"]}, "data": DATA},
        },
    )
)


@queue.task(TASK, tenant="optional", schema=SCHEMA, schedulable=True)
def announce(job: queue.JobHandle, *, name: str, data: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Write the event; without a schedule, when somebody asked for it directly, it has no `due`."""
    due = job.due.isoformat() if job.due else None
    event = outbox.emit(
        EVENT, subject=f"schedule:{name}", data={"name": name, "due": due, "data": data or {}}, by=job.by
    )
    return {"event": str(event)}
