"""Running queries: plans cached by content, executed in one round trip, answered as the database's own bytes."""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.scope import TenantRef, current_tenant
from apps.objects.definitions import ObjectDef
from apps.objects.query import cursor, outputs_watch, plans, refusals, tree, watch
from apps.objects.query.compiler import check_named
from apps.objects.query.filters import FilterReader
from apps.objects.query.macros import Moment
from apps.objects.query.params import from_params
from apps.objects.query.plans import View
from apps.objects.query.reading import expansion, from_ast, select
from apps.permissions import rules
from apps.permissions.rights import Operation

Source = Mapping[str, Any] | Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page. `rows` are the records' JSON texts; `total` is None when nobody asked and it is not plain."""

    object: str
    rows: Sequence[str]
    has_more: bool
    total: int | None
    total_kind: tree.CountKind
    next_cursor: str | None
    clock: int
    platform_clock: int
    places: Sequence[str] = ()
    audience: str = ""

    def cursor_at(self, index: int) -> str:
        """Return the cursor of one of the rows of a page that was asked for with cursors."""
        return cursor.encode(self.places[index], self.audience)

    def body(self) -> bytes:
        """Return the answer of the protocol: `{object, records, total?, hasMore, nextCursor?}`."""
        total = "" if self.total is None else f',"total":{self.total}'
        if self.total_kind in ("capped", "estimated"):
            total += f',"totalKind":"{self.total_kind}"'
        more = "true" if self.has_more else "false"
        after = f',"nextCursor":"{self.next_cursor}"' if self.next_cursor else ""
        records = ",".join(self.rows)
        return f'{{"object":"{self.object}","records":[{records}]{total},"hasMore":{more}{after}}}'.encode()

    def records(self) -> list[dict[str, Any]]:
        """Return the records as dicts, exact numbers as Decimal."""
        return [parse(row) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Found:
    """One record as JSON text."""

    object: str
    id: str
    text: str
    clock: int
    platform_clock: int

    def body(self) -> bytes:
        """Return the answer of the protocol: `{object, id, record}`."""
        return f'{{"object":"{self.object}","id":"{self.id}","record":{self.text}}}'.encode()

    def record(self) -> dict[str, Any]:
        """Return the record as a dict, exact numbers as Decimal."""
        return parse(self.text)


def parse(text: str) -> dict[str, Any]:
    """Return the dict of a record's JSON text, exact numbers as Decimal."""
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return found


def find(
    name: str,
    source: Source,
    *,
    by: Actor,
    tenant: TenantRef | None = None,
    op: Operation = "read",
    zone: dt.tzinfo = dt.UTC,
) -> Page:
    """Return a page of records, or of groups, of the object `name`.

    `source` is a QueryAST (dict) or the pairs of a query string. Works in the tenant's scope, or outside any
    scope when `tenant` is given (one round trip). Raises the protocol's problems.
    """
    here = tenant or current_tenant()
    pairs = source if isinstance(source, Mapping) else list(source)

    def ask(view: View) -> Page:
        moment = Moment(view.access.user_id, here.id, zone)
        obj = _object(view, name)
        view.access.require(op, obj)
        if isinstance(pairs, Mapping):
            query = from_ast(view.catalog, obj, pairs, moment)
        else:
            query = from_params(view.catalog, obj, pairs, moment)
        check_named(view.access, view.catalog, obj, query.named)
        if query.shape.deleted:
            view.access.require("delete", obj)
        return page(view, obj, query, by=by, op=op)

    return plans.with_view(here, by, ask)


def page(view: View, obj: ObjectDef, query: tree.Query, *, by: Actor, op: Operation = "read") -> Page:
    """Return the page of a query that was read against this view, its named fields checked."""
    shape = _watched(view, obj, query.shape) if watch.watched(view.catalog) else query.shape
    place: cursor.Values = ()
    who = ""
    if shape.paged:
        who = cursor.audience(view.tenant.id, view.access.user_id, shape)
        if query.cursor and query.cursor != "*":
            place = cursor.decode(query.cursor, who, shape)
            shape = plans.with_place(shape, place)
    plan = plans.plan(view, obj, shape, op)
    named = {"limit": query.limit + 1, "offset": query.offset}
    read = view.read(plan, query.values, named, place)
    rows = [row[0] for row in read.rows if row[0] is not None]
    more = len(rows) > query.limit
    total, kind = _total(view, obj, query, op, read, len(rows))
    after = None
    if shape.paged and more and query.limit:
        after = cursor.encode(read.rows[query.limit - 1][1], who)
    rows = rows[: query.limit]
    if watch.watched(view.catalog):
        if shape.outputs is not None:
            rows = outputs_watch.noted(view, obj, rows, shape.outputs, by=by)
        else:
            watch.note(view, obj, rows, shape.expand, by=by, op=op, groups=shape.aggregates)
    places = [row[1] for row in read.rows[: len(rows)]] if shape.paged else ()
    return Page(obj.name, rows, more, total, kind, after, read.clock, read.platform_clock, places, who)


def _watched(view: View, obj: ObjectDef, shape: tree.Shape) -> tree.Shape:
    if shape.outputs is None:
        return watch.with_ids(view.catalog, obj, shape)
    return replace(shape, outputs=outputs_watch.with_ids(view.catalog, obj, shape.outputs))


def _total(
    view: View, obj: ObjectDef, query: tree.Query, op: Operation, read: fast.FastRead, fetched: int
) -> tuple[int | None, tree.CountKind]:
    """Return the total: what the statement counted, or what a last page tells for nothing."""
    wanted = query.shape.count
    if wanted in ("exact", "capped") and not query.shape.aggregates:
        counted = read.rows[0][2]
        capped = wanted == "capped" and counted > refusals.COUNT_CAP
        return (refusals.COUNT_CAP, "capped") if capped else (counted, "exact")
    is_last = fetched <= query.limit and query.limit > 0 and query.cursor is None
    if is_last and (fetched or not query.offset):
        return query.offset + fetched, "exact"
    if wanted == "estimated" and not query.shape.aggregates:
        return estimate(view, obj, query, op)
    return None, "none"


def estimate(view: View, obj: ObjectDef, query: tree.Query, op: Operation) -> tuple[int, tree.CountKind]:
    """Return the planner's estimate; under a record rule a capped count, for statistics know every row."""
    if not isinstance(view.access.predicate(op, obj), rules.Always):
        plan = plans.total_plan(view, obj, query.shape, op, "capped")
        counted = view.read(plan, query.values, {}, ()).rows[0][0]
        over = counted > refusals.COUNT_CAP
        return (refusals.COUNT_CAP, "capped") if over else (counted, "exact")
    plan = plans.total_plan(view, obj, query.shape, op, "estimated")
    found = view.read(plan, query.values, {}, ()).rows[0][0]
    return int(found[0]["Plan"]["Plan Rows"]), "estimated"


def count(
    name: str, source: Source, *, by: Actor, tenant: TenantRef | None = None, capped: bool = False
) -> tuple[int, tree.CountKind]:
    """Return (how many records the filter finds, "exact" or "capped")."""
    wanted = "capped" if capped else "exact"
    given = dict(source) if isinstance(source, Mapping) else [*source]
    if isinstance(given, dict):
        given |= {"limit": 0, "count": wanted}
    else:
        given += [("limit", "0"), ("count", wanted)]
    page = find(name, given, by=by, tenant=tenant)
    return page.total or 0, page.total_kind


def get(
    name: str,
    record_id: UUID | str,
    *,
    by: Actor,
    tenant: TenantRef | None = None,
    select_fields: Sequence[str] | str | None = None,
    expand: Any = None,
) -> Found:
    """Return one record; an absent, deleted or invisible one raises the same 404 RECORD_NOT_FOUND."""
    here = tenant or current_tenant()
    chosen, wanted = _names(select_fields), _names(expand) if isinstance(expand, str) else expand

    def ask(view: View) -> Found:
        obj = _object(view, name)
        view.access.require("read", obj)
        identity = as_id(obj, record_id)
        reader = FilterReader(Moment(view.access.user_id, here.id))
        fields = select(obj, chosen)
        branches = expansion(reader, view.catalog, obj, wanted)
        check_named(view.access, view.catalog, obj, frozenset(reader.named))
        if watch.watched(view.catalog):
            branches = watch.branches_with_ids(view.catalog, obj, branches)
        plan = plans.record_plan(view, obj, fields, branches)
        read = view.read(plan, tuple(reader.values), {"id": identity}, ())
        if not read.rows:
            raise refusals.no_record(obj.name, record_id)
        if watch.watched(view.catalog):
            watch.note(view, obj, [read.rows[0][0]], branches, by=by, record_id=str(identity))
        return Found(obj.name, str(identity), read.rows[0][0], read.clock, read.platform_clock)

    return plans.with_view(here, by, ask)


def _names(raw: Sequence[str] | str | None) -> list[str] | None:
    if isinstance(raw, str):
        return [part.strip() for part in raw.split(",") if part.strip()] or None
    return list(raw) if raw else None


def _object(view: View, name: str) -> ObjectDef:
    obj = view.catalog.find(name)
    if obj is None:
        raise refusals.no_object(name)
    return obj


def as_id(obj: ObjectDef, raw: UUID | str) -> UUID:
    """Return a record's id; what cannot be one is a record that does not exist."""
    if isinstance(raw, UUID):
        return raw
    try:
        return UUID(raw)
    except (ValueError, AttributeError, TypeError) as error:
        raise refusals.no_record(obj.name, raw) from error
