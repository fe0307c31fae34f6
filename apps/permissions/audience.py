"""Audiences of events that are a matter of one system permission."""

from collections.abc import Sequence

from apps.core.actor import Actor
from apps.events.audience import Audience
from apps.events.types import Event
from apps.permissions.access import access_for


class Holders(Audience):
    """Shows events to whoever holds a system permission."""

    def __init__(self, permission: str) -> None:
        self._permission = permission

    def seen(self, events: Sequence[Event], *, by: Actor) -> list[Event | None]:
        """Return all of them, or nothing of any."""
        holds = access_for(by).has_system(self._permission)
        return [event if holds else None for event in events]
