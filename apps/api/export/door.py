"""`GET /data/:object/export`: what a query finds, as a file, page after page while it is sent."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase

from apps.api.call import Call
from apps.api.contract import Parameter, describe
from apps.api.data.access import served_object
from apps.api.door import NONE, Door
from apps.api.export.formats import FORMATS, Column, Format
from apps.api.meta.doors import locale_of
from apps.audit import ledger
from apps.core.errors import Invalid
from apps.core.scope import tenant_scope
from apps.objects import query
from apps.objects.definitions import ObjectDef
from apps.permissions.access import access_for

MOST = 100_000
PAGE = 1000
KEYS = frozenset({"format", "limit", "filter", "orderby", "select", "header", "search"})
FORMAT = {"type": "string", "enum": sorted(FORMATS)}
MEDIA = ("text/csv", "application/json", FORMATS["xlsx"].media)


class ExportDoor(Door):
    """Needs the right `allowExport`; the file holds the fields and records that the caller may read."""

    opens: ClassVar[frozenset[str]] = NONE

    @describe(
        "Records as CSV, JSON or XLSX",
        answer={},
        parameters=[
            Parameter("format", "csv by default.", FORMAT),
            Parameter(
                "limit", f"At most {MOST:,} records.", {"type": "integer", "minimum": 1, "maximum": MOST}
            ),
            Parameter("filter", "JSON, as in a list."),
            Parameter("orderby", 'JSON: `{"name": "desc"}`.'),
            Parameter("select", "Fields, separated by commas; without it all readable ones."),
            Parameter("search", "Words that must occur."),
            Parameter(
                "header",
                "Whether the first line names the columns.",
                {"type": "string", "enum": ["true", "false"]},
            ),
        ],
        media=MEDIA,
        tag="data",
    )
    def get(self, call: Call, name: str) -> HttpResponseBase:
        assert call.tenant is not None
        obj = served_object(call, name, "list")
        written_as = _format(call)
        limit = _limit(call)
        source = _source(call)
        with tenant_scope(call.tenant):
            access = access_for(call.actor)
            access.require("export", obj)
            columns = _columns(call, obj, access.readable(obj))
            ledger.record(
                "records.exported",
                by=call.actor,
                target=f"object:{obj.name}",
                details={"format": written_as.name, "limit": limit, "query": json.dumps(source, default=str)},
            )
        source["fields"] = [column.name for column in columns]
        pages = _pages(obj.name, source, limit, call)
        first = next(pages)
        records = _records(first, pages)
        content = written_as.write(columns, records, header=call.params.get("header", "true") != "false")
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        headers = {
            "Content-Disposition": f'attachment; filename="{obj.name}-{stamp}.{written_as.name}"',
            "Cache-Control": "no-store",
            "X-Export-Format": written_as.name,
            "X-Export-Limit": str(limit),
        }
        return StreamingHttpResponse(content, content_type=written_as.media, headers=headers)


def _format(call: Call) -> Format:
    if unknown := sorted(set(call.params) - KEYS):
        raise Invalid(
            f"Unknown parameter(s): {', '.join(item[:40] for item in unknown)}.", code="INVALID_QUERY"
        )
    name = call.params.get("format", "csv")
    if name not in FORMATS:
        raise Invalid(f"format is one of {', '.join(sorted(FORMATS))}.", code="INVALID_QUERY")
    return FORMATS[name]


def _limit(call: Call) -> int:
    text = call.params.get("limit", str(MOST))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST:
        raise Invalid(f"limit is a number from 1 to {MOST}.", code="INVALID_QUERY")
    return int(text)


def _source(call: Call) -> dict[str, Any]:
    source: dict[str, Any] = {}
    for name, key, code in (("filter", "where", "INVALID_FILTER"), ("orderby", "orderBy", "INVALID_SORT")):
        if text := call.params.get(name):
            try:
                source[key] = json.loads(text, parse_float=Decimal)
            except (ValueError, RecursionError):
                raise Invalid(f"The parameter {name!r} must be JSON.", code=code) from None
    if search := call.params.get("search"):
        source["search"] = search
    return source


def _columns(call: Call, obj: ObjectDef, readable: frozenset[str]) -> list[Column]:
    locale = locale_of(call)
    hidden = {name for name, field in obj.all_fields.items() if field.hidden}
    names = [name for name in obj.all_fields if name in readable and name not in hidden]
    if wanted := call.params.get("select"):
        chosen = [name.strip() for name in wanted.split(",") if name.strip()]
        if unknown := [name for name in chosen if name not in obj.all_fields]:
            raise Invalid(f"Unknown field {unknown[0][:80]!r} on object {obj.name!r}.", code="INVALID_FIELD")
        names = [name for name in dict.fromkeys(chosen) if name in readable]
    return [Column(name, obj.field_label(name, locale)) for name in names]


def _pages(name: str, source: dict[str, Any], limit: int, call: Call) -> Iterator[list[dict[str, Any]]]:
    """Yield pages until `limit` records; each asks for rights anew, so a right that ends ends the file."""
    after, left = "*", limit
    while left > 0:
        wanted = source | {"after": after, "limit": min(PAGE, left)}
        page = query.find(name, wanted, by=call.actor, tenant=call.tenant, op="export", zone=call.zone)
        yield page.records()
        left -= len(page.rows)
        if page.next_cursor is None:
            return
        after = page.next_cursor


def _records(first: list[dict[str, Any]], rest: Iterator[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    yield from first
    for page in rest:
        yield from page
