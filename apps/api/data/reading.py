"""Reading records: lists, queries and one by its id. The database's own bytes go out."""

import hashlib
from collections.abc import Iterator
from typing import ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import TEXT, Parameter, array, describe, ref, shape
from apps.api.data.access import served_object
from apps.api.door import NONE, Door
from apps.objects.query import find, get
from apps.objects.query.refusals import COUNT_CAP, MOST_ROWS

LIMIT = {"type": "integer", "minimum": 0, "maximum": MOST_ROWS}
LIST_PARAMETERS = (
    Parameter(
        "filter",
        'JSON: `{"field": {"$gte": 1}}` or `["field", ">=", 1]`; also `filters`, `where`, `$filter`.',
    ),
    Parameter("select", "Fields, separated by commas; also `fields`, `$select`."),
    Parameter("sort", "`-created_at,name`; also `orderBy`, `$orderby`."),
    Parameter("top", "Records on the page; also `limit`, `$top`.", LIMIT),
    Parameter("skip", "Records to leave out; also `offset`, `$skip`.", {"type": "integer", "minimum": 0}),
    Parameter("after", "`nextCursor` of the page before; `*` asks for the first cursor. Better than `skip`."),
    Parameter("expand", "References to replace by their records; also `populate`, `$expand`."),
    Parameter("search", "Words that must occur; also `$search`."),
    Parameter("searchFields", "Where the words are looked for."),
    Parameter(
        "count",
        f"`true` for the exact total, `capped` up to {COUNT_CAP:,}, `estimated` from statistics.",
        {"type": "string", "enum": ["true", "false", "exact", "capped", "estimated", "none"]},
    ),
)
PAGE = shape(
    object=TEXT,
    records=array(ref("Record")),
    total={"type": "integer", "minimum": 0},
    totalKind={"type": "string", "enum": ["capped", "estimated"]},
    hasMore={"type": "boolean"},
    nextCursor=TEXT,
    required=["object", "records", "hasMore"],
)
GROUPS_OR_PAGE = shape(
    object=TEXT,
    records=array({"type": "object"}),
    total={"type": "integer", "minimum": 0},
    totalKind={"type": "string", "enum": ["capped", "estimated"]},
    hasMore={"type": "boolean"},
    nextCursor=TEXT,
    required=["object", "records", "hasMore"],
)
ONE = shape(object=TEXT, id=TEXT, record=ref("Record"))
SELECT = (
    Parameter("select", "Fields, separated by commas."),
    Parameter("expand", "References to replace by their records, separated by commas."),
)


def pairs_of(call: Call) -> Iterator[tuple[str, str]]:
    """Yield the query string as pairs, repeated names included, so that a repetition is noticed."""
    for name, values in call.params.lists():
        for value in values:
            yield name, value


def page_of(call: Call, name: str) -> HttpResponse:
    """Answer with a list by the query string."""
    served_object(call, name, "list")
    page = find(name, pairs_of(call), by=call.actor, tenant=call.tenant, zone=call.zone)
    call.read_at(page.clock, page.platform_clock)
    return answers.send(page.body())


def one_of(call: Call, name: str, record_id: str) -> HttpResponse:
    """Answer with one record and its validator; 304 when the caller has it."""
    served_object(call, name, "get")
    found = get(
        name,
        record_id,
        by=call.actor,
        tenant=call.tenant,
        select_fields=call.params.get("select") or call.params.get("fields"),
        expand=call.params.get("expand") or call.params.get("populate"),
    )
    call.read_at(found.clock, found.platform_clock)
    content = found.body()
    etag = f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if call.header("If-None-Match") == etag:
        return HttpResponse(status=304, headers=headers)
    return answers.send(content, headers=headers)


class QueryDoor(Door):
    """`POST /data/:object/query`: a QueryAST in the body."""

    opens: ClassVar[frozenset[str]] = NONE
    recalls: ClassVar[frozenset[str]] = frozenset({"POST"})
    reading_posts: ClassVar[bool] = True

    @describe(
        "Query with filter, order, groups and aggregates",
        answer=GROUPS_OR_PAGE,
        body=ref("Query"),
        body_required=False,
        tag="data",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        served_object(call, name, "list")
        source = call.mapping(optional=True)
        page = find(name, source, by=call.actor, tenant=call.tenant, zone=call.zone)
        call.read_at(page.clock, page.platform_clock)
        return answers.send(page.body())
