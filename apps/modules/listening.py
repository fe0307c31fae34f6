"""What installed modules declared about events, at work: their types are enforced, their hooks answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from apps.core.actor import Actor
from apps.core.clock import Clocked
from apps.core.errors import NotFound, PermissionDenied
from apps.core.scope import current_scope
from apps.events import outbox
from apps.events.hooks import NORMAL, Hook
from apps.events.registry import EventType
from apps.events.types import Event
from apps.modules.models import Installation
from apps.objects import query
from apps.objects.definitions import prefix_of
from apps.objects.records import change

AS_THEMSELVES = ("system", "operator")


@dataclass(frozen=True)
class Declared:
    """What the modules of one tenant declared."""

    types: Mapping[str, EventType]
    hooks: tuple[Hook, ...]


def find_type(event_type: str) -> EventType | None:
    """Return the type that a module of the tenant in force declared, or None."""
    scope = current_scope()
    return declared.get(scope=scope).types.get(event_type) if scope.tenant else None


def tenants_hooks() -> Iterable[Hook]:
    """Return the hooks of the current tenant's modules."""
    return declared.get().hooks


def declared_types(row: Installation) -> dict[str, EventType]:
    """Return an installation's event types by their whole names."""
    prefix = prefix_of(row.module)[:-1]
    made = [
        EventType(f"{prefix}.{item['name']}", item["summary"], item.get("schema", {}), item.get("version", 1))
        for item in row.manifest.get("events", ())
    ]
    return {item.name: item for item in made}


def hooks(row: Installation) -> list[Hook]:
    """Return an installation's hooks."""
    return [
        Hook(
            name=f"{row.module}.{item['name']}",
            on=item["on"],
            run=partial(_answer, row.module, item),
            priority=item.get("priority", NORMAL),
            once=item.get("once", False),
            when=_condition(row.module, item.get("when") or {}),
        )
        for item in row.manifest.get("hooks", ())
    ]


def _load() -> Declared:
    rows = list(Installation.objects.all())
    types = {name: item for row in rows for name, item in declared_types(row).items()}
    return Declared(types, tuple(hook for row in rows for hook in hooks(row)))


declared: Clocked[Declared] = Clocked(_load)


def actor_of(row: Installation) -> Actor:
    """Return who a module's hooks act as: itself, with the rights of whoever installed or upgraded it last."""
    if not row.installer:
        raise PermissionDenied(
            f"Nobody is known to have installed {row.name}.", cure="Upgrade or reinstall it."
        )
    who = Actor.from_dict(row.installer)
    kind = who.kind if who.kind in AS_THEMSELVES else "module"
    return replace(who, kind=kind, id=f"module:{row.module}", label=row.name, via=None)


def concerned(when: Mapping[str, Any], event: Event, by: Actor) -> bool:
    """Return whether an event meets a hook's conditions; values are those of the record now."""
    fields = set(when.get("changed", ()))
    if fields and not fields & set(event.data.get("changed", ())):
        return False
    wanted = when.get("is") or {}
    record = _record(event)
    if not wanted or record is None:
        return not wanted
    try:
        found = query.get(*record, by=by, select_fields=list(wanted)).record()
    except NotFound:
        return False
    return all(found.get(name) == value for name, value in wanted.items())


def do(deed: Mapping[str, Any], event: Event, by: Actor) -> None:
    """Carry out one deed about the event's subject."""
    if "emit" in deed:
        outbox.emit(deed["emit"], subject=event.subject, data=deed.get("data", {}), by=by)
        return
    record = _record(event)
    if record is None:
        msg = f"{event.type} is about no record; there is nothing to set."
        raise LookupError(msg)
    change.update(*record, deed["set"], by=by)


def _condition(module: str, when: Mapping[str, Any]) -> Callable[[Event], bool]:
    def holds(event: Event) -> bool:
        return not when or concerned(when, event, actor_of(Installation.objects.get(module=module)))

    return holds


def _answer(module: str, item: Mapping[str, Any], event: Event) -> None:
    by = actor_of(Installation.objects.get(module=module))
    for deed in item["do"]:
        do(deed, event, by)


def _record(event: Event) -> tuple[str, UUID] | None:
    name, _, raw = (event.subject or "").partition(":")
    try:
        return name, UUID(raw)
    except ValueError:
        return None
