"""How pages are laid out as GraphQL answers: PostgreSQL's JSON texts set between the names that were asked for."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal

import orjson

from apps.api.graphql.selecting import TYPENAME, Fields, Listing
from apps.objects.query import Page


def quoted(text: str) -> str:
    """Return text as JSON."""
    return orjson.dumps(text).decode()


def mapping(parts: Sequence[tuple[str, str]]) -> str:
    """Return an object of names and JSON texts."""
    return "{" + ",".join(f'"{name}":{text}' for name, text in parts) + "}"


def connection(listing: Listing, page: Page) -> str:
    """Return a list as its connection."""
    rows = _rows(listing, page)
    parts = []
    for key, nodes in listing.fields.items():
        match nodes[0].name.value:
            case "nodes":
                parts.append((key, f"[{','.join(rows(listing.laid[key, '']))}]"))
            case "edges":
                parts.append((key, _edges(listing, page, key, rows)))
            case "pageInfo":
                parts.append((key, _page_info(listing, page, listing.page_info[key])))
            case "totalCount":
                parts.append((key, "null" if page.total is None else str(page.total)))
            case _:
                parts.append((key, quoted(f"{listing.type}Connection")))
    return mapping(parts)


def _rows(listing: Listing, page: Page) -> Callable[[int], Sequence[str]]:
    """Return the records' texts of each group; only several groups need a look inside."""
    if len(listing.groups) <= 1:
        return lambda _group: page.rows
    read = [json.loads(row, parse_float=Decimal, parse_int=Decimal) for row in page.rows]
    return lambda group: [orjson.dumps(row[str(group)], default=_exact).decode() for row in read]


def _exact(value: object) -> orjson.Fragment:
    return orjson.Fragment(format(value, "f"))


def _edges(listing: Listing, page: Page, key: str, rows: Callable[[int], Sequence[str]]) -> str:
    below = listing.edges[key]
    shown = {name: rows(listing.laid[key, name]) for name in below if (key, name) in listing.laid}
    made = []
    for index in range(len(page.rows)):
        parts = []
        for name, nodes in below.items():
            if name in shown:
                parts.append((name, shown[name][index]))
            elif nodes[0].name.value == TYPENAME:
                parts.append((name, quoted(f"{listing.type}Edge")))
            else:
                parts.append((name, quoted(page.cursor_at(index))))
        made.append(mapping(parts))
    return f"[{','.join(made)}]"


def _page_info(listing: Listing, page: Page, below: Fields) -> str:
    parts = []
    for name, nodes in below.items():
        match nodes[0].name.value:
            case "hasNextPage":
                text = "true" if page.has_more else "false"
            case "hasPreviousPage":
                text = "true" if listing.query.cursor or listing.query.offset else "false"
            case "startCursor":
                text = quoted(page.cursor_at(0)) if page.rows else "null"
            case "endCursor":
                text = quoted(page.cursor_at(-1)) if page.rows else "null"
            case _:
                text = quoted("PageInfo")
        parts.append((name, text))
    return mapping(parts)
