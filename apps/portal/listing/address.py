"""The address of a list: everything that decides what it shows, read from GET parameters and written back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from apps.objects.definitions import ListView, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.portal.listing import filters, layouts
from apps.portal.preferences import PAGE_SIZES

NEVER_COLUMNS = frozenset({"id", "deleted_at", "version"})
SEARCH_LIMIT = 200
TRAIL = 20  # pages that "Previous" can walk back; before that it leads to the first page


@dataclass(frozen=True)
class ListAddress:
    """One way to look at a list.

    `sort` holds (field, descending); `columns` are in their order; `trail` the cursors of the pages before.
    `by` is the field of a board's lanes or of a calendar's days, `month` the month it shows (2026-11).
    """

    columns: tuple[str, ...]
    sort: tuple[tuple[str, bool], ...]
    conditions: tuple[filters.Condition, ...] = ()
    search: str = ""
    size: int = 25
    cursor: str = ""
    view: str = ""
    trail: tuple[str, ...] = ()
    layout: str = "table"
    by: str = ""
    month: str = ""

    def params(self) -> dict[str, list[str]]:
        """Return the part that a saved view keeps: columns, order, filters, search and layout."""
        kept = {
            "columns": [",".join(self.columns)],
            "sort": [",".join(f"-{name}" if down else name for name, down in self.sort)],
            "f": [condition.encoded() for condition in self.conditions],
            "q": [self.search] if self.search else [],
            "as": [self.layout] if self.layout != "table" else [],
            "by": [self.by] if self.by and self.layout != "table" else [],
        }
        return {name: values for name, values in kept.items() if values and values != [""]}

    def next_query(self, cursor: str) -> str:
        """Return `?…` of the page that starts at `cursor`."""
        return self.query(cursor=cursor, trail=(*self.trail, self.cursor))

    def previous_query(self) -> str:
        """Return `?…` of the page before, or an empty text on the first page."""
        if not self.cursor:
            return ""
        return self.query(cursor=self.trail[-1] if self.trail else "", trail=self.trail[:-1])

    def query(self, **changes: Any) -> str:
        """Return `?…` of this list with changes, on its first page."""
        other = replace(self, **{"cursor": "", "trail": ()} | changes)
        params = {"f": [""]} | other.params() | {"size": [str(other.size)]}
        if other.layout == "calendar" and other.month:
            params |= {"month": [other.month]}
        if other.view:
            params = {"q": [""], "as": ["table"]} | params | {"view": [other.view]}
        if other.cursor:
            params |= {"after": [other.cursor], "trail": list(other.trail[-TRAIL:])}
        return "?" + urlencode(params, doseq=True)


def choices(definition: ObjectDef, readable: frozenset[str]) -> list[str]:
    """Return the fields that may stand as columns: declared ones in their order, then the system's."""
    declared = [name for name, field in definition.fields.items() if not field.hidden]
    system = [
        name for name in definition.all_fields if name not in definition.fields and name not in NEVER_COLUMNS
    ]
    if definition.owner_field is None:
        system = [name for name in system if name != "owner_id"]
    return [name for name in [*declared, *system] if name in readable]


def read(
    get: QueryDict,
    definition: ObjectDef,
    readable: frozenset[str],
    *,
    size: int,
    base: Mapping[str, list[str]] | None = None,
    clear: frozenset[str] | None = None,
) -> ListAddress:
    """Return the list that the parameters ask for; what they leave out comes from `base`, then the definition.

    `base` is the query of a saved view. Unknown and unreadable fields are left out; what is not in `clear` (seen
    through a mask) neither orders nor filters. An empty `f` means no filter;
    no `f` at all means the filter of the view that the definition opens with.
    """
    kept = base or {}
    clear = readable if clear is None else clear
    given = {
        name: get.getlist(name) if name in get else kept.get(name, [])
        for name in ("columns", "sort", "f", "q", "as", "by")
    }
    possible = choices(definition, readable)
    default = definition.default_view
    filtered = "f" in get or base is not None
    declared = [c for c in filters.from_where(default.filter) or [] if c.field in clear]
    wanted = _words(given["columns"]) or list(default.columns)
    columns = tuple(dict.fromkeys(name for name in wanted if name in possible)) or tuple(possible[:6])
    sort = _sort(given["sort"], definition, clear) or tuple(
        (name, order == "desc") for name, order in default.sort if _sortable(definition, name, clear)
    )
    asked = get.get("size", "")
    if base is None and "as" not in get and "f" not in get:
        given |= {"as": [default.type], "by": [default.group_by or default.date_field]}
    layout, by = layouts.chosen(_first(given["as"]), _first(given["by"]), definition, clear)
    return ListAddress(
        columns=columns,
        sort=sort or (("updated_at", True),),
        conditions=tuple(filters.decode(given["f"], definition, clear) if filtered else declared),
        search=_first(given["q"]).strip()[:SEARCH_LIMIT],
        size=int(asked) if asked.isdigit() and int(asked) in PAGE_SIZES else size,
        cursor=get.get("after", ""),
        view=get.get("view", ""),
        trail=tuple(get.getlist("trail"))[-TRAIL:],
        layout=layout,
        by=by,
        month=get.get("month", ""),
    )


def _first(values: list[str]) -> str:
    return values[0] if values else ""


def _words(values: list[str]) -> list[str]:
    return [word for value in values for word in value.split(",") if word]


def _sortable(definition: ObjectDef, name: str, readable: frozenset[str]) -> bool:
    field = definition.all_fields.get(name)
    return field is not None and name in readable and field.sortable and kind_of(field).sortable


def _sort(values: list[str], definition: ObjectDef, readable: frozenset[str]) -> tuple[tuple[str, bool], ...]:
    words = [(word.lstrip("-"), word.startswith("-")) for word in _words(values)]
    return tuple((name, down) for name, down in words if _sortable(definition, name, readable))[:3]


def with_view(address: ListAddress, view: str) -> ListAddress:
    """Return the same list as part of a saved view."""
    return replace(address, view=view)


def from_query(
    text: str, definition: ObjectDef, readable: frozenset[str], clear: frozenset[str] | None = None
) -> ListAddress:
    """Return the list of a `?…` text, with its view."""
    return read(QueryDict(text.lstrip("?")), definition, readable, size=25, clear=clear)


def standard(definition: ObjectDef, like: ListAddress) -> ListAddress:
    """Return the list as it opens without any parameter, in the page size of `like`."""
    return read(QueryDict(""), definition, frozenset(definition.all_fields), size=like.size)


def of_declared(definition: ObjectDef, view: ListView, like: ListAddress) -> ListAddress | None:
    """Return the address of a view that the definition declares; None for a filter the builder cannot show."""
    conditions = filters.from_where(view.filter)
    if conditions is None:
        return None
    sort = tuple((name, order == "desc") for name, order in view.sort) or like.sort
    return ListAddress(
        columns=view.columns,
        sort=sort,
        conditions=tuple(conditions),
        size=like.size,
        layout=view.type,
        by=view.group_by or view.date_field,
    )
