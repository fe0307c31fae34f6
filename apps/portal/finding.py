"""The search page's matter: records of every object that hold the words, where the words stand, how many there are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.query.compiler import searchable
from apps.permissions.access import Access, access_for
from apps.portal import navigation, records, show
from apps.portal.marks import avatar

MOST_OBJECTS, FEW, MANY, COUNTED = 30, 5, 25, "capped"
AROUND = 60
DETAIL_CELLS = frozenset({"badge", "lookup", "currency", "date", "user", "number", "percent"})
MOST_DETAILS = 3


@dataclass(frozen=True)
class Hit:
    """One record: its title and the place of the words in it, both with the words marked."""

    href: str
    title: SafeString
    mark: SafeString
    places: list[tuple[str, SafeString]]
    details: list[tuple[str, SafeString]]


@dataclass(frozen=True)
class Among:
    """What one object has; `hits` are the first of `total`."""

    name: str
    label: str
    icon: str
    total: str
    href: str
    more: str
    hits: list[Hit]


def objects(by: Actor) -> list[ObjectDef]:
    """Return the objects that a search looks into."""
    access = access_for(by)
    return [d for d in catalog() if d.enable.searchable and access.can("read", d)][:MOST_OBJECTS]


def find(text: str, only: str, *, by: Actor) -> list[Among]:
    """Return what the words find, object by object; `only` names one whose records are wanted in number."""
    access, found = access_for(by), []
    for definition in objects(by):
        most = MANY if only == definition.name else (0 if only else FEW)
        among = _among(definition, access, text, most, by)
        if among is not None:
            found.append(among)
    return found


def _among(definition: ObjectDef, access: Access, text: str, most: int, by: Actor) -> Among | None:
    clear = access.clear(definition)
    looked = [name for name in searchable(definition) if name in clear]
    details = [
        name
        for name in (definition.highlight_fields or definition.default_view.columns)
        if name in access.readable(definition)
        and name not in looked
        and kind_of(definition.all_fields[name]).cell in DETAIL_CELLS
    ][:MOST_DETAILS]
    wanted = [n for n in ("id", definition.name_field, *looked, *details) if n in access.readable(definition)]
    body: dict[str, Any] = {"search": text, "limit": most, "count": COUNTED, "fields": wanted}
    body["orderBy"] = [{"field": "updated_at", "order": "desc"}]
    page = records.find(definition, body, by=by)
    if not page.total:
        return None
    names = records.names_for(definition, page.rows, details, by=by)
    query = urlencode({"q": text, "in": definition.name})
    return Among(
        name=definition.name,
        label=definition.label_for(show.locale(), plural=True),
        icon=navigation.icon_of(definition),
        total=show.number(page.total) + ("+" if page.capped else ""),
        href=f"{reverse('portal:search')}?{query}",
        more=reverse("portal:list", args=[definition.name]) + "?" + urlencode({"f": "", "q": text}),
        hits=[_hit(definition, row, looked, details, names, text) for row in page.rows],
    )


def _hit(
    definition: ObjectDef,
    row: Mapping[str, Any],
    looked: list[str],
    details: list[str],
    names: show.Names,
    text: str,
) -> Hit:
    title = records.title_of(definition, row) or _("Untitled")
    places = []
    for name in looked:
        value = row.get(name)
        if name == definition.name_field or not isinstance(value, str):
            continue
        if _pattern(text).search(value):
            places.append((show.label(definition, name), marked(_around(value, text), text)))
    return Hit(
        href=reverse("portal:record", args=[definition.name, row["id"]]),
        title=marked(title, text),
        mark=avatar(title),
        places=places[:2],
        details=[
            (
                show.label(definition, name),
                show.cell(row[name], definition.all_fields[name], definition, names),
            )
            for name in details
            if row.get(name) not in (None, "", [])
        ],
    )


def _pattern(text: str) -> re.Pattern[str]:
    words = sorted({word for word in text.split() if word}, key=len, reverse=True)
    return re.compile("|".join(re.escape(word) for word in words) or r"(?!)", re.IGNORECASE)


def _around(value: str, text: str) -> str:
    """Return the part of a long text around the first word."""
    found = _pattern(text).search(value)
    if found is None or len(value) <= 2 * AROUND:
        return value[: 2 * AROUND]
    start, end = max(0, found.start() - AROUND), min(len(value), found.end() + AROUND)
    return ("…" if start else "") + value[start:end] + ("…" if end < len(value) else "")


def marked(value: str, text: str) -> SafeString:
    """Return a text as HTML with each of the words marked."""
    parts, at = [], 0
    for found in _pattern(text).finditer(value):
        parts.append(conditional_escape(value[at : found.start()]))
        parts.append(format_html("<mark>{}</mark>", found.group()))
        at = found.end()
    parts.append(conditional_escape(value[at:]))
    return mark_safe("".join(parts))  # noqa: S308  every part is escaped above
