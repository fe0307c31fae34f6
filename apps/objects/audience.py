"""Who may know of events about records: whoever may read the record now, and only which readable fields changed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.sql import SQL, Identifier

from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.scope import current_tenant
from apps.events.audience import ANY, Audience, audiences, with_data
from apps.events.registry import family
from apps.events.types import Event
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.masters import masters
from apps.permissions import rules
from apps.permissions.access import Access, access_for
from apps.permissions.audience import Holders
from apps.permissions.known import NAME, Objects, known
from apps.permissions.predicates import to_sql

PLAIN = frozenset({"object", "id", "version", "changed"})
# Deleted records too: who could read one may learn that it is gone.
VISIBLE = SQL("SELECT id FROM {table} r WHERE id = ANY(%s) AND {rule}")


class Readers(Audience):
    """Shows events about records to those who may read them.

    Of the facts that the record services write, the names of fields that the reader may not read are cut out; a
    change of nothing else is not shown. Whatever else an event carries is for those who may read the ledger too.
    """

    def seen(self, events: Sequence[Event], *, by: Actor) -> list[Event | None]:
        """Return each event as the reader may see it."""
        access = access_for(by)
        subjects = [subject_of(event) for event in events]
        visible = visible_records({found for found in subjects if found is not None}, access)
        return [
            _cut(event, subject[0], access) if subject is not None and subject in visible else None
            for event, subject in zip(events, subjects, strict=True)
        ]


def _cut(event: Event, name: str, access: Access) -> Event | None:
    if not event.data.keys() <= PLAIN:
        return event if access.has_system("view_audit") else None
    named = event.data.get("changed")
    if not named:
        return event
    readable = access.readable(catalog().object(name))
    changed = [field for field in named if field in readable]
    if not changed and family(event.type) == "*.updated":
        return None
    return with_data(event, {**event.data, "changed": changed})


def subject_of(event: Event) -> tuple[str, UUID] | None:
    """Return the object and the id of the record that an event is about; None when it is about something else."""
    name, _, raw = (event.subject or "").partition(":")
    try:
        return (name, UUID(raw)) if catalog().find(name) is not None else None
    except ValueError:
        return None


def visible_records(wanted: set[tuple[str, UUID]], access: Access) -> set[tuple[str, UUID]]:
    """Return those of the records, deleted ones included, that the reader may read; one query an object."""
    by_object: dict[str, list[UUID]] = {}
    for name, record_id in wanted:
        by_object.setdefault(name, []).append(record_id)
    found = set()
    for name, ids in by_object.items():
        obj = catalog().object(name)
        if access.can("read", obj):
            found |= {(name, record_id) for record_id in _visible(obj, ids, access)}
    return found


def _visible(obj: ObjectDef, ids: list[UUID], access: Access) -> list[UUID]:
    rule = access.predicate("read", obj)
    if isinstance(rule, rules.Always):
        return ids
    params: list[Any] = []
    schema = current_tenant().schema
    text = to_sql(rule, "r", params, schema=schema, masters=masters(catalog(), access))
    table = Identifier(schema, obj.table)
    with fast.cursor() as cursor:
        rows = cursor.execute(VISIBLE.format(table=table, rule=text), [ids, *access.bind(params)]).fetchall()
    return [row[0] for row in rows]


class Defined(Objects):
    """Shows the permission compiler the catalogue."""

    def find(self, name: str) -> ObjectDef | None:
        """Return an object by name, or None."""
        return catalog().find(name)

    def every(self) -> Sequence[ObjectDef]:
        """Return all objects, by name."""
        return sorted(catalog(), key=lambda found: found.name)


def declare_audiences() -> None:
    """Register the objects, and who may know of events of definitions, and of all that have no audience of their own."""
    known.register(NAME, Defined())
    managers = Holders("manage_metadata")
    for name in ("object.published", "object.dropped"):
        audiences.register(name, managers)
    audiences.register(ANY, Readers())
