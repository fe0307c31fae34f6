"""Everything the list's template shows, put together from one address and one query."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.actor import Actor
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.portal import records, show
from apps.portal.listing import filters
from apps.portal.listing.address import ListAddress, choices
from apps.portal.listing.builder import Chip, ChipPart, chip_value
from apps.portal.listing.filters import Condition
from apps.portal.listing.operators import OPERATORS

COUNT_CAP = 10_000


@dataclass(frozen=True)
class Column:
    """A heading: its words, how it sorts now, and where sorting leads (empty when it cannot)."""

    name: str
    label: str
    numeric: bool
    direction: str
    href: str


@dataclass(frozen=True)
class Cell:
    """One value as HTML."""

    label: str
    html: SafeString
    numeric: bool
    is_title: bool


@dataclass(frozen=True)
class Row:
    """One record of the list."""

    id: str
    title: str
    href: str
    cells: list[Cell]


def ast(address: ListAddress, definition: ObjectDef, *, deleted: bool = False) -> dict[str, Any]:
    """Return the query of a list in the protocol's form, without its page."""
    body: dict[str, Any] = {
        "fields": list(dict.fromkeys(["id", definition.name_field, *address.columns])),
        "orderBy": [{"field": name, "order": "desc" if down else "asc"} for name, down in address.sort],
    }
    where = filters.where(address.conditions)
    if where:
        body["where"] = where
    if address.search:
        body["search"] = address.search
    if deleted:
        body["deleted"] = True
    return body


def fetch(address: ListAddress, definition: ObjectDef, *, by: Actor, deleted: bool = False) -> records.Found:
    """Return one page of the list with a count that stops at `COUNT_CAP`."""
    page = {"limit": address.size, "count": "capped", "after": address.cursor}
    return records.find(definition, ast(address, definition, deleted=deleted) | page, by=by)


def columns(address: ListAddress, definition: ObjectDef, clear: frozenset[str]) -> list[Column]:
    """Return the headings; only fields in `clear`, whose values the reader may know, sort."""
    order = dict(address.sort[:1])
    found = []
    for name in address.columns:
        field, kind = definition.all_fields[name], kind_of(definition.all_fields[name])
        direction = ("descending" if order[name] else "ascending") if name in order else ""
        down = not order[name] if name in order else kind.cell in ("datetime", "date")
        href = (
            address.query(sort=((name, down),)) if name in clear and field.sortable and kind.sortable else ""
        )
        label = show.label(definition, name)
        found.append(Column(name, label, kind.cell in show.NUMERIC_CELLS, direction, href))
    return found


def rows(
    found: Sequence[Mapping[str, Any]], address: ListAddress, definition: ObjectDef, names: show.Names
) -> list[Row]:
    """Return the records as the table shows them; the title leads to the record, or the first column does."""
    titled = definition.name_field if definition.name_field in address.columns else address.columns[0]
    labels = {name: show.label(definition, name) for name in address.columns}
    made = []
    for record in found:
        title = str(record.get(definition.name_field) or _("Untitled"))
        cells = [
            _cell(record, name, labels[name], name == titled, definition, names) for name in address.columns
        ]
        href = reverse("portal:record", args=[definition.name, record["id"]])
        made.append(Row(str(record["id"]), title, href, cells))
    return made


def _cell(
    record: Mapping[str, Any], name: str, label: str, is_title: bool, definition: ObjectDef, names: show.Names
) -> Cell:
    field = definition.all_fields[name]
    cell = kind_of(field).cell
    if is_title:
        title = show.plain(record.get(name), field, definition, names) or _("Untitled")
        html = format_html("<bdi>{}</bdi>", title)
    else:
        html = show.brief(record.get(name), field, definition, names)
    return Cell(label, html, cell in show.NUMERIC_CELLS, is_title)


def chips(
    conditions: Sequence[Condition],
    without: Callable[[tuple[Condition, ...]], str],
    definition: ObjectDef,
    names: show.Names,
) -> list[Chip]:
    """Return the filters in words; `without` is the address that is left when some conditions go.

    A group within the filter is one chip.
    """
    root = filters.outermost(conditions)
    words = {"all": "", "any": _("or"), "none": _("nor")}
    made: list[Chip] = []
    for item in root.items:
        inside = [item] if isinstance(item, Condition) else list(_flat(item))
        left = tuple(c for c in conditions if not any(c is gone for gone in inside))
        joined = "all" if isinstance(item, Condition) else item.mode
        parts = tuple(_part(c, definition, names, joined if n else "") for n, c in enumerate(inside))
        negated = joined == "none" or (root.mode == "none" and not made)
        made.append(Chip(parts, without(left), words[root.mode] if made else "", negated))
    return made


def _flat(group: filters.Group) -> Iterator[Condition]:
    for item in group.items:
        if isinstance(item, Condition):
            yield item
        else:
            yield from _flat(item)


def _part(condition: Condition, definition: ObjectDef, names: show.Names, joined: str) -> ChipPart:
    field = definition.all_fields[condition.field]
    return ChipPart(
        field=show.label(definition, condition.field),
        operator=OPERATORS[condition.operator].label,
        value=chip_value(field, definition, condition, names),
        word={"all": _("and"), "any": _("or"), "none": _("nor")}.get(joined, ""),
    )


def column_choices(
    address: ListAddress, definition: ObjectDef, readable: frozenset[str]
) -> list[dict[str, Any]]:
    """Return the fields of the column chooser: those shown in their order, then the others."""
    rest = [name for name in choices(definition, readable) if name not in address.columns]
    return [
        {"name": name, "label": show.label(definition, name), "shown": name in address.columns}
        for name in (*address.columns, *rest)
    ]


def about(total: int | None, capped: bool) -> str:
    """Return how many records the list has, in words."""
    if total is None:
        return ""
    if capped:
        return _("more than %(count)s records") % {"count": show.number(COUNT_CAP)}
    return ngettext("%(count)s record", "%(count)s records", total) % {"count": show.number(total)}


def with_condition(address: ListAddress, name: str, operator: str, value: str) -> ListAddress:
    """Return the list narrowed by one more condition, which holds whatever else the filter says."""
    return replace(address, conditions=filters.narrowed(address.conditions, name, operator, value))
