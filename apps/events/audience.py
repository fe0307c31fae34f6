"""Who may know of which events: what leaves the house (streams, webhooks) is cut here to what a reader may see.

The apps above register an `Audience` for the types they know. A type without one is nobody's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from apps.core.actor import Actor
from apps.core.registry import Registry
from apps.events.registry import family
from apps.events.types import Event

ANY = "*"
UNTOLD = ("causationid",)  # may name an event that the reader must not know of


class Audience:
    """Judges events of some types for one reader, in the tenant's scope."""

    def seen(self, events: Sequence[Event], *, by: Actor) -> list[Event | None]:
        """Return, for each event in its order, what the reader may see of it, or None."""
        raise NotImplementedError


audiences: Registry[Audience] = Registry("audiences", Audience)


def audience_of(event_type: str) -> Audience | None:
    """Return the audience of a type: its own, its family's (`*.verbed`), else that of all the others."""
    return audiences.get(event_type) or audiences.get(family(event_type)) or audiences.get(ANY)


def seen_by(events: Sequence[Event], *, by: Actor) -> list[Event]:
    """Return those of the events that the actor may know of, each cut to what it may see, in their order.

    Runs in the tenant's scope and judges by the rights and records as they are now.
    """
    kept: list[Event | None] = [None] * len(events)
    groups: dict[int, tuple[Audience, list[int]]] = {}
    for index, event in enumerate(events):
        if (audience := audience_of(event.type)) is not None:
            groups.setdefault(id(audience), (audience, []))[1].append(index)
    for audience, indexes in groups.values():
        judged = audience.seen([events[index] for index in indexes], by=by)
        for index, found in zip(indexes, judged, strict=True):
            kept[index] = found
    return [_untold(event) for event in kept if event is not None]


def with_data(event: Event, data: Mapping[str, Any]) -> Event:
    """Return the event with other data."""
    return replace(event, data=data, envelope={**event.envelope, "data": dict(data)})


def _untold(event: Event) -> Event:
    envelope = {key: value for key, value in event.envelope.items() if key not in UNTOLD}
    return replace(event, envelope=envelope)
