"""Hooks: what reacts to an event in a chosen order; one that fails is told of, and never breaks the chain.

    @hooks.on("crm.lead.created", priority=10)
    def greet(event): ...

Against a subscriber: hooks of one event run one after the other, the lower `priority` first, and a failure is not
tried again. The whole chain of an event is one subscriber, so that each hook runs once.
"""

import fnmatch
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import connections, transaction

from apps.core.db import loss
from apps.core.ids import uuid7
from apps.core.registry import Registry
from apps.events.registry import subscribe
from apps.events.types import Event

logger = logging.getLogger("aibos.events")

NORMAL = 100
DEEPEST = 8
FIRST_TIME = """
INSERT INTO public.events_hook AS known (id, tenant_id, hook, ran_at) VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (tenant_id, hook) DO UPDATE SET ran_at = excluded.ran_at WHERE known.ran_at IS NULL
"""
FAILED = """
INSERT INTO public.events_hook AS known (id, tenant_id, hook, failures, error, failed_at)
VALUES (%s, %s, %s, 1, %s, clock_timestamp())
ON CONFLICT (tenant_id, hook) DO UPDATE SET failures = known.failures + 1, error = excluded.error,
  failed_at = excluded.failed_at
"""


@dataclass(frozen=True)
class Hook:
    """A reaction to the types that `on` names (`*` stands for any characters).

    `once`: in each tenant it runs for the first event that it does not fail on, and never again.
    """

    name: str
    on: str
    run: Callable[[Event], None]
    priority: int = NORMAL
    once: bool = False
    when: Callable[[Event], bool] = lambda _event: True

    def wants(self, event: Event) -> bool:
        """Return whether the hook reacts to this event."""
        return fnmatch.fnmatchcase(event.type, self.on)


@dataclass(frozen=True)
class Source:
    """Where hooks come from that are not the same for every tenant; asked in the event's scope."""

    hooks: Callable[[], Iterable[Hook]]


own: Registry[Hook] = Registry("hooks", Hook)
sources: Registry[Source] = Registry("sources of hooks", Source)


def on(
    event_type: str, *, priority: int = NORMAL, once: bool = False, name: str = ""
) -> Callable[[Callable[[Event], None]], Callable[[Event], None]]:
    """Register the decorated function as a hook; its name is that of the function unless one is given."""

    def add(run: Callable[[Event], None]) -> Callable[[Event], None]:
        called = name or f"{run.__module__}.{run.__qualname__}"
        own.register(called, Hook(called, event_type, run, priority, once))
        return run

    return add


def chain(event: Event) -> list[Hook]:
    """Return the hooks of an event in their order; equals keep the order of their declaration."""
    found = [hook for _, hook in own.items() if hook.wants(event)]
    if event.tenant_id is not None:
        found += [hook for _, source in sources.items() for hook in source.hooks() if hook.wants(event)]
    return sorted(found, key=lambda hook: hook.priority)


@subscribe("hooks", "*", when=lambda event: bool(chain(event)))
def run(event: Event) -> None:
    """Run the chain of an event, each hook undone alone when it fails."""
    if event.depth >= DEEPEST:
        logger.error(
            "Hooks answer to hooks %s times over; %s of %s ends the chain.", DEEPEST, event.type, event.id
        )
        return
    for hook in chain(event):
        try:
            _one(hook, event)
        except Exception as error:
            if loss.is_lost(error):
                raise
            _count(hook, event, error)
            logger.exception(
                "The hook %s failed on %s (%s); the next one runs.", hook.name, event.id, event.type
            )


@transaction.atomic
def _one(hook: Hook, event: Event) -> None:
    if not hook.when(event):
        return
    if hook.once and not _first_time(hook, event):
        return
    hook.run(event)


def _first_time(hook: Hook, event: Event) -> bool:
    with connections["default"].cursor() as cursor:
        cursor.execute(FIRST_TIME, [uuid7(), event.tenant_id, hook.name])
        return bool(cursor.rowcount)


def _count(hook: Hook, event: Event, error: Exception) -> None:
    told = f"{type(error).__name__}: {error}"[:500].replace("\x00", "")
    with connections["default"].cursor() as cursor:
        cursor.execute(FAILED, [uuid7(), event.tenant_id, hook.name, told])
