"""The history of one record: who changed what from which value to which, as far as the reader may know."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audit import queries as ledger
from apps.audit.types import FieldChange, LedgerEntry
from apps.core.actor import Actor
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.records.versions import Version
from apps.permissions.access import Access
from apps.portal import records, sentences, show
from apps.portal.cells import BRIEF

UNTOLD = frozenset({"id", "version", "updated_at", "updated_by", "created_at", "created_by", "deleted_at"})
LONG = 120


@dataclass(frozen=True)
class Change:
    """One field with its value before and after, as HTML."""

    label: str
    before: SafeString
    after: SafeString
    erased: bool = False


@dataclass(frozen=True)
class Event:
    """One entry of the timeline."""

    sentence: sentences.Sentence
    changes: list[Change] = field(default_factory=list)


def of(definition: ObjectDef, record_id: str, access: Access, *, by: Actor, limit: int = 30) -> list[Event]:
    """Return the newest events of a record; fields that the reader may not read are left out."""
    entries = ledger.history(f"{definition.name}:{record_id}", limit=limit)
    readable = access.clear(definition) - UNTOLD
    told = {entry.id: [c for c in entry.changes if c.field in readable] for entry in entries}
    names = names_of(definition, (change for changes in told.values() for change in changes), by=by)
    return [
        Event(
            sentences.entry(entry, catalog()),
            [] if _is_new(entry) else changes_of(told[entry.id], definition, names),
        )
        for entry in entries
    ]


def names_of(definition: ObjectDef, changes: Iterable[FieldChange], *, by: Actor) -> show.Names:
    """Return the words behind the ids among the values of these changes."""
    sides = [
        {change.field: value}
        for change in changes
        for value in (change.before, change.after)
        if isinstance(value, str | list)
        and change.field in definition.all_fields
        and kind_of(definition.all_fields[change.field]).cell in records.LINKS
    ]
    return records.names_for(definition, sides, {name for item in sides for name in item}, by=by)


def changes_of(changes: Iterable[FieldChange], definition: ObjectDef, names: show.Names) -> list[Change]:
    """Return changes as the page shows them; a field that the object no longer has is left out."""
    return [
        Change(
            show.label(definition, change.field),
            side(change.before, change.field, definition, names),
            side(change.after, change.field, definition, names),
            change.erased,
        )
        for change in changes
        if change.field in definition.all_fields
        and change.field not in UNTOLD
        and (change.erased or change.before != change.after)
    ]


def sentence_of(version: Version) -> tuple[str, str]:
    """Return the icon and the verb of a version."""
    icon, word = sentences.VERBS.get(version.action.rpartition(".")[2], ("activity", version.action))
    return icon, str(word)


def side(value: Any, name: str, definition: ObjectDef, names: show.Names) -> SafeString:
    """Return one value of the ledger as HTML, cut when it is long."""
    found = definition.all_fields[name]
    if isinstance(value, str) and len(value) > LONG and kind_of(found).cell not in BRIEF:
        return format_html("{}…", value[:LONG])
    try:
        return show.brief(value, found, definition, names)
    except (ValueError, TypeError, ArithmeticError, AttributeError):  # the field had another type then
        return format_html("{}", value)


def _is_new(entry: LedgerEntry) -> bool:
    """Say whether the entry made the record: then every value is new, and the page shows them anyway."""
    return entry.before is None or entry.after is None
