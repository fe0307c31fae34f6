"""Queries: reading records, always through the permission compiler, in one statement.

    from apps.objects import query

    page = query.find("crm_lead", source, by=actor, tenant=ref)
        # source: a QueryAST (dict), or the pairs of a query string (`parse_qsl(qs, keep_blank_values=True)`)
        # page.body() -> bytes  {"object","records":[…],"total"?,"hasMore","nextCursor"?}
        # page.records() -> list[dict]; page.rows (JSON texts), .has_more, .total, .total_kind, .next_cursor
    found = query.get("crm_lead", record_id, by=actor, tenant=ref, select_fields="id,name", expand="account")
        # found.body() -> bytes {"object","id","record"}; found.record() -> dict; found.text is the record's JSON
    total, kind = query.count("crm_lead", {"where": {…}}, by=actor, tenant=ref, capped=True)

Inside a tenant's scope (pages) leave `tenant` out. Outside any scope (the API) give it: the read then takes one
round trip with its own clock check; do not open a scope around it. Answers carry `clock` and `platform_clock`,
the clocks they were read at.

Beside the protocol: `count` = true|exact|capped|estimated; `after` ("" or "*" for the first page, then the
`nextCursor` of the page before) pages by key; `deleted=true` lists deleted records; `op="export"` asks for the
export right. Without `limit` a page has 100 records, at most 1,000. `total` is also given when the page is the
last one. Problems: OBJECT_NOT_FOUND, RECORD_NOT_FOUND (404), PERMISSION_DENIED, EXPORT_NOT_PERMITTED (403),
INVALID_FIELD, INVALID_FILTER, INVALID_SORT, INVALID_QUERY, UNSUPPORTED_QUERY_PARAM, FILTER_TOKEN_UNKNOWN (400).
"""

from apps.objects.query.explaining import statement
from apps.objects.query.run import Found, Page, count, find, get, parse

__all__ = ["Found", "Page", "count", "find", "get", "parse", "statement"]
