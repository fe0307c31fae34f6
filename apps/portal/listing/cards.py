"""A record as a card: its title, what stands below it, the people it belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.records import judging
from apps.permissions.access import Access
from apps.portal import records, show
from apps.portal.listing.address import ListAddress
from apps.portal.marks import avatar

MOST_LINES = 6
LONG = frozenset({"longtext", "json", "badges"})


@dataclass(frozen=True)
class Line:
    """One value of a card."""

    label: str
    html: SafeString
    kind: str


@dataclass(frozen=True)
class Card:
    """One record; `movable` when the reader may change the field that places it."""

    id: str
    title: str
    href: str
    version: int
    mark: SafeString
    movable: bool
    tone: str = ""
    lines: list[Line] = field(default_factory=list)
    people: list[Line] = field(default_factory=list)


def wanted(address: ListAddress, definition: ObjectDef, access: Access) -> list[str]:
    """Return the fields that a card needs: what it shows, what places it, and what the right to move it looks at."""
    needs = [
        "id",
        "version",
        definition.name_field,
        address.by,
        definition.owner_field or "",
        *address.columns,
    ]
    readable = access.readable(definition)
    return [name for name in dict.fromkeys(needs) if name and name in readable]


def make(
    record: Mapping[str, Any],
    address: ListAddress,
    definition: ObjectDef,
    names: show.Names,
    *,
    movable: bool = False,
) -> Card:
    """Return the card of one record; values that are empty leave no line."""
    title = records.title_of(definition, record) or _("Untitled")
    lines: list[Line] = []
    people: list[Line] = []
    for name in address.columns:
        if name in (definition.name_field, address.by) or record.get(name) in (None, "", []):
            continue
        found = definition.all_fields[name]
        kind = kind_of(found).cell
        if kind in LONG:
            continue
        line = Line(show.label(definition, name), _html(record[name], name, definition, names), kind)
        (people if kind == "user" else lines).append(line)
    return Card(
        id=str(record["id"]),
        title=title,
        href=reverse("portal:record", args=[definition.name, record["id"]]),
        version=int(record.get("version") or 0),
        mark=avatar(title),
        movable=movable,
        tone=tone_of(record, address, definition),
        lines=lines[:MOST_LINES],
        people=people[:2],
    )


def _html(value: Any, name: str, definition: ObjectDef, names: show.Names) -> SafeString:
    """Return a value as HTML; a person is their mark alone, whose name is read out and shown on hovering."""
    found = definition.all_fields[name]
    if kind_of(found).cell != "user":
        return show.cell(value, found, definition, names)
    return show.mark_of(names.members.get(str(value)) or _("former member"), show.label(definition, name))


def may_move(name: str, definition: ObjectDef, access: Access) -> bool:
    """Say whether the reader may put records elsewhere at all: the right to edit, and a field that may be written."""
    found = definition.all_fields.get(name)
    if found is None or found.readonly or name not in access.editable(definition):
        return False
    if name == "owner_id" and not access.can("transfer", definition):
        return False
    return bool(access.can("edit", definition))


def tone_of(record: Mapping[str, Any], address: ListAddress, definition: ObjectDef) -> str:
    """Return the colour of the first option the card shows, for the calendar's strips."""
    for name in address.columns:
        found = definition.all_fields[name]
        color = next((o.color for o in found.options if o.value == record.get(name)), None)
        if color:
            return show.tone(color)
    return ""


def many(
    rows: Sequence[Mapping[str, Any]], address: ListAddress, definition: ObjectDef, access: Access, *, by: Any
) -> list[Card]:
    """Return the cards of records; their references are looked up together."""
    names = records.names_for(definition, rows, address.columns, by=by)
    movable: set[UUID] = set()
    if may_move(address.by, definition, access):
        movable = judging.reached(definition.name, [row["id"] for row in rows], "edit", by=by)
    return [make(row, address, definition, names, movable=UUID(row["id"]) in movable) for row in rows]
