"""What the list's template shows of the records, by layout: a table, a board, a calendar, a gallery."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from apps.core.actor import Actor
from apps.objects.definitions import ObjectDef
from apps.permissions.access import Access
from apps.portal import records, show
from apps.portal.listing import board, calendar, cards, layouts
from apps.portal.listing import page as listing
from apps.portal.listing.address import ListAddress


def arrange(address: ListAddress, definition: ObjectDef, access: Access, *, by: Actor) -> dict[str, Any]:
    """Return the part of the template's context that shows the records."""
    return ARRANGEMENTS[address.layout](address, definition, access, by)


def _table(address: ListAddress, definition: ObjectDef, access: Access, by: Actor) -> dict[str, Any]:
    found = listing.fetch(address, definition, by=by)
    names = records.names_for(definition, found.rows, address.columns, by=by)
    return _paged(address, found) | {
        "columns": listing.columns(address, definition, access.clear(definition)),
        "rows": listing.rows(found.rows, address, definition, names),
    }


def _gallery(address: ListAddress, definition: ObjectDef, access: Access, by: Actor) -> dict[str, Any]:
    body = listing.ast(address, definition)
    body |= {"limit": address.size, "count": "capped", "after": address.cursor}
    body["fields"] = cards.wanted(address, definition, access)
    found = records.find(definition, body, by=by)
    made = cards.many(found.rows, address, definition, access, by=by)
    return _paged(address, found) | {"cards": made, "rows": made}


def _paged(address: ListAddress, found: records.Found) -> dict[str, Any]:
    return {
        "about": listing.about(found.total, found.capped),
        "next_href": address.next_query(found.next_cursor) if found.next_cursor else "",
        "previous_href": address.previous_query(),
    }


def _board(address: ListAddress, definition: ObjectDef, access: Access, by: Actor) -> dict[str, Any]:
    lanes = board.Board(address, definition, access, by).lanes()
    total = sum(lane.total for lane in lanes)
    return {
        "lanes": lanes,
        "rows": lanes if total else [],
        "about": listing.about(total, capped=False),
        "may_place": address.by in access.editable(definition) and bool(access.can("edit", definition)),
    }


def _calendar(address: ListAddress, definition: ObjectDef, access: Access, by: Actor) -> dict[str, Any]:
    month = calendar.month(address, definition, access, by=by)
    return {
        "month": month,
        "rows": month.weeks,
        "about": listing.about(month.count, capped=month.full),
        "may_place": address.by in access.editable(definition) and bool(access.can("edit", definition)),
    }


ARRANGEMENTS: Mapping[str, Callable[[ListAddress, ObjectDef, Access, Actor], dict[str, Any]]] = {
    "table": _table,
    "board": _board,
    "calendar": _calendar,
    "gallery": _gallery,
}


def layout_choices(
    address: ListAddress, definition: ObjectDef, clear: frozenset[str]
) -> list[layouts.Choice]:
    """Return the switch between the layouts that the object offers."""
    made = []
    for name in layouts.offered(definition, clear):
        _name, by = layouts.chosen(name, address.by, definition, clear)
        href = replace(address, layout=name, by=by).query()
        made.append(
            layouts.Choice(name, str(layouts.LABELS[name]), layouts.ICONS[name], href, name == address.layout)
        )
    return made


def arranged_by(address: ListAddress, definition: ObjectDef, clear: frozenset[str]) -> list[dict[str, Any]]:
    """Return the fields that the board's lanes or the calendar's days may come from; none where there is no choice."""
    found = layouts.fields(address.layout, definition, clear)
    return [
        {"name": f.name, "label": show.label(definition, f.name), "selected": f.name == address.by}
        for f in found
    ]
