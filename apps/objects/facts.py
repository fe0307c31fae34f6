"""The events that definitions and records write."""

from apps.events.registry import EventType, register

NAME = {"type": "string"}
RECORD_VERBS = {
    "created": "A record was made.",
    "updated": "Fields of a record changed.",
    "deleted": "A record was put into the bin.",
    "restored": "A record was taken out of the bin.",
    "purged": "A record was removed for good.",
}
RECORD = {
    "type": "object",
    "properties": {
        "object": NAME,
        "id": NAME,
        "version": {"type": ["integer", "null"]},
        "changed": {"type": "array", "items": NAME},
    },
    "required": ["object", "id", "changed"],
    "additionalProperties": False,
}


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


def declare_record_events() -> None:
    """Register `<object>.created` and its kin for every object."""
    register(*[EventType(f"*.{verb}", summary, RECORD) for verb, summary in RECORD_VERBS.items()])
