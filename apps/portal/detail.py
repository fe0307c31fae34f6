"""The parts of a record's page: titled sections of fields, and the lists of records that point to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils.safestring import SafeString

from apps.core.actor import Actor
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.permissions.access import Access, access_for
from apps.portal import records, show
from apps.portal.listing import address as addresses
from apps.portal.listing import page as listing
from apps.portal.listing.filters import Condition
from apps.portal.navigation import icon_of

SHOWN, MOST_COLUMNS = 5, 5
WIDE_CELLS = frozenset(
    {"longtext", "json", "markdown", "html", "code", "composite", "repeater", "record", "signature"}
)


@dataclass(frozen=True)
class Value:
    """One field with its words and its value as HTML."""

    label: str
    html: SafeString
    wide: bool
    help: str


@dataclass(frozen=True)
class Section:
    """A titled part of the record; the first has no title when the definition groups nothing."""

    label: str
    values: list[Value]


@dataclass(frozen=True)
class Related:
    """Records of another object that point to this one."""

    label: str
    icon: str
    columns: list[listing.Column]
    rows: list[listing.Row]
    more_href: str
    new_href: str
    total: str


def sections(
    definition: ObjectDef, record: Mapping[str, Any], access: Access, names: show.Names
) -> list[Section]:
    """Return the readable fields by their groups."""
    readable, locale, made = access.readable(definition), show.locale(), []
    for group, fields in definition.sections():
        values = [
            Value(
                show.label(definition, f.name),
                show.cell(record.get(f.name), f, definition, names),
                kind_of(f).cell in WIDE_CELLS,
                definition.field_description(f.name, locale),
            )
            for f in fields
            if f.name in readable
        ]
        if values:
            made.append(Section(definition.group_label(group.key, locale) if group.key else "", values))
    return made


def related_lists(definition: ObjectDef, record_id: UUID, *, by: Actor) -> list[Related]:
    """Return the lists of records that refer to this one, the newest first, of objects the reader may read."""
    access, made = access_for(by), []
    for other, field in catalog().referrers(definition.name):
        if not access.can("read", other) or field.name not in access.readable(other):
            continue
        condition = Condition("0", field.name, "includes" if field.multiple else "is", str(record_id))
        columns = tuple(
            name
            for name in other.default_view.columns
            if name in access.readable(other) and name != field.name
        )[:MOST_COLUMNS]
        columns = columns or tuple(addresses.choices(other, access.readable(other))[:1])
        address = addresses.ListAddress(columns, (("updated_at", True),), (condition,), size=SHOWN)
        found = listing.fetch(address, other, by=by)
        names = records.names_for(other, found.rows, columns, by=by)
        path = reverse("portal:list", args=[other.name])
        new = reverse("portal:record-new", args=[other.name]) if access.can("create", other) else ""
        made.append(
            Related(
                label=other.label_for(show.locale(), plural=True),
                icon=icon_of(other),
                columns=listing.columns(address, other, access.clear(other)),
                rows=listing.rows(found.rows, address, other, names),
                more_href=path + "?" + urlencode({"f": condition.encoded()}),
                new_href=f"{new}?{urlencode({field.name: str(record_id)})}" if new else "",
                total=show.number(found.total) + ("+" if found.capped else "")
                if found.total is not None
                else "",
            )
        )
    return made
