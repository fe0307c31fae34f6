"""What apps above register: the types of events that may be written, and who handles them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.core.registry import Registry
from apps.events.schema import Schema
from apps.events.types import Event


@dataclass(frozen=True)
class EventType:
    """A kind of fact. `name` is `noun.verbed`, or `*.verbed` for every noun that has no type of its own.

    `schema` is a JSON Schema (2020-12) of `data`; `version` grows when it changes.
    """

    name: str
    summary: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})
    version: int = 1
    checks: Schema = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "checks", Schema(self.schema))

    @property
    def uri(self) -> str:
        """The name of the schema's version, as envelopes carry it."""
        return f"urn:aibos:event:{self.name}:{self.version}"


@dataclass(frozen=True)
class Subscriber:
    """A handler of events; `types` as in `EventType.name`, `*` takes all.

    `handle(event)` runs in the event's scope, in the transaction that marks the event as handled; it must be
    short (long work is enqueued) and may be tried again as long as it raises. `when(event)`, asked in the same
    scope, spares an event that concerns nobody the row that says it was handled.
    """

    name: str
    types: tuple[str, ...]
    handle: Callable[[Event], None]
    when: Callable[[Event], bool] = lambda _event: True

    def wants(self, event_type: str) -> bool:
        """Return whether this subscriber handles that type."""
        return bool({event_type, "*", family(event_type)} & set(self.types))


@dataclass(frozen=True)
class TypeSource:
    """Where types come from that are not the same for every tenant; `find` is asked in the scope that emits."""

    find: Callable[[str], EventType | None]


sources: Registry[TypeSource] = Registry("sources of event types", TypeSource)
event_types: Registry[EventType] = Registry("event types", EventType)
subscribers: Registry[Subscriber] = Registry("subscribers", Subscriber)


def register(*types: EventType) -> None:
    """Register event types; called in `ready()` of the app whose facts they are."""
    for item in types:
        event_types.register(item.name, item)


def subscribe(
    name: str, *types: str, when: Callable[[Event], bool] = lambda _event: True
) -> Callable[[Callable[[Event], None]], Callable[[Event], None]]:
    """Register the decorated function as the handler `name` of these types."""

    def add(handle: Callable[[Event], None]) -> Callable[[Event], None]:
        subscribers.register(name, Subscriber(name, types, handle, when))
        return handle

    return add


def family(event_type: str) -> str:
    """Return `*.verbed` for `noun.verbed`."""
    return "*." + event_type.rpartition(".")[2]


def type_of(event_type: str) -> EventType:
    """Return the registered type that governs `event_type`; raise LookupError when there is none."""
    found = event_types.get(event_type) or event_types.get(family(event_type))
    for _, source in sources.items() if found is None else ():
        found = found or source.find(event_type)
    if found is None:
        msg = f"No event type is registered for {event_type!r}."
        raise LookupError(msg)
    return found
