"""The events that definitions write."""

from apps.events.registry import EventType, register

NAME = {"type": "string"}


def declare_events() -> None:
    """Register the event types of definitions."""
    register(
        EventType(
            "object.published",
            "An object's definition came into force.",
            {
                "type": "object",
                "required": ["name", "version"],
                "properties": {"name": NAME, "version": {"type": "integer"}, "module": NAME},
            },
        ),
        EventType(
            "object.dropped",
            "An object and its records are gone.",
            {"type": "object", "required": ["name"], "properties": {"name": NAME}},
        ),
    )
