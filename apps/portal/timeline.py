"""The history of one record: who changed what from which value to which, as far as the reader may know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audit import queries as ledger
from apps.audit.types import LedgerEntry
from apps.core.actor import Actor
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.permissions.access import Access
from apps.portal import records, sentences, show

UNTOLD = frozenset({"id", "version", "updated_at", "updated_by", "created_at", "created_by", "deleted_at"})
LONG = 120


@dataclass(frozen=True)
class Change:
    """One field with its value before and after, as HTML."""

    label: str
    before: SafeString
    after: SafeString


@dataclass(frozen=True)
class Event:
    """One entry of the timeline."""

    sentence: sentences.Sentence
    changes: list[Change] = field(default_factory=list)


def of(definition: ObjectDef, record_id: str, access: Access, *, by: Actor, limit: int = 30) -> list[Event]:
    """Return the newest events of a record; fields that the reader may not read are left out."""
    entries = ledger.history(f"{definition.name}:{record_id}", limit=limit)
    readable = access.readable(definition) - UNTOLD
    sides = [side for entry in entries for side in (entry.before or {}, entry.after or {})]
    names = records.names_for(definition, [_usable(side, definition) for side in sides], readable, by=by)
    return [
        Event(sentences.entry(entry, catalog()), _changes(entry, definition, readable, names))
        for entry in entries
    ]


def _usable(side: Mapping[str, Any], definition: ObjectDef) -> dict[str, Any]:
    """Return the ids of one side that can be looked up."""
    return {
        name: value
        for name, value in side.items()
        if name in definition.all_fields
        and isinstance(value, str)
        and kind_of(definition.all_fields[name]).cell in ("lookup", "user")
    }


def _changes(
    entry: LedgerEntry, definition: ObjectDef, readable: frozenset[str], names: show.Names
) -> list[Change]:
    if entry.before is None or entry.after is None:
        return []
    return [
        Change(
            show.label(definition, change.field),
            _side(change.before, change.field, definition, names),
            _side(change.after, change.field, definition, names),
        )
        for change in entry.changes
        if change.field in readable and change.before != change.after
    ]


def _side(value: Any, name: str, definition: ObjectDef, names: show.Names) -> SafeString:
    found = definition.all_fields[name]
    if isinstance(value, str) and len(value) > LONG:
        return format_html("{}…", value[:LONG])
    if kind_of(found).cell == "json" and value is not None:
        return format_html("<code>{}</code>", show.plain(value, found, definition, names)[:LONG])
    return show.cell(value, found, definition, names)
