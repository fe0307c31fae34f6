"""A QueryAST (the body of POST) read against the catalogue into a `Query`; unknown keys are refused."""

from collections.abc import Mapping
from typing import Any, Protocol

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import FieldProblem, kind_of
from apps.objects.kinds.text import clean_text
from apps.objects.query import arrays, refusals, tree
from apps.objects.query.filters import FilterReader
from apps.objects.query.grouping import read_groups, read_having, read_measures
from apps.objects.query.macros import Moment
from apps.objects.query.refusals import invalid_query, invalid_sort, unknown_field

KEYS = frozenset(
    {"object", "fields", "where", "search", "searchFields", "orderBy", "limit", "offset", "top", "expand", "groupBy",
     "aggregations", "having", "count", "after", "deleted"}
)  # fmt: skip
REMOVED = {
    "cursor": "`cursor` was removed; send `after` with the `nextCursor` of the page before.",
    "distinct": "`distinct` was removed; group by the fields instead.",
    "joins": "`joins` was removed; use `expand`.",
    "windowFunctions": "`windowFunctions` was removed.",
}
COUNTS: Mapping[Any, tree.CountKind] = {
    None: "none",
    False: "none",
    True: "exact",
    "none": "none",
    "exact": "exact",
    "capped": "capped",
    "estimated": "estimated",
}
REFERENCES = ("lookup", "master_detail", "tree")


class Catalog(Protocol):
    """Where the reader finds the objects that references point to."""

    def find(self, name: str) -> ObjectDef | None: ...


def from_ast(catalog: Catalog, obj: ObjectDef, body: Any, moment: Moment) -> tree.Query:
    """Return the query of a POST body; raises the protocol's 400s."""
    if not isinstance(body, Mapping):
        raise invalid_query("A query is a JSON object.")
    _check_keys(obj, body)
    reader = FilterReader(moment)
    where = body.get("where")
    node = reader.read(obj, arrays.to_object(where) if isinstance(where, list) else where)
    measures = read_measures(reader, obj, body.get("aggregations"))
    groups = read_groups(reader, obj, body.get("groupBy"))
    having = read_having(reader, groups, measures, obj, body.get("having"))
    grouped = bool(groups or measures)
    after = body.get("after")
    if after is not None and (not isinstance(after, str) or grouped):
        raise invalid_query("`after` is the `nextCursor` of a page of records.")
    aliases = frozenset(g.alias for g in groups) | frozenset(m.alias for m in measures) if grouped else None
    shape = tree.Shape(
        object=obj.name,
        where=node,
        fields=select(obj, body.get("fields")),
        sort=order(reader, obj, body.get("orderBy"), aliases),
        expand=expansion(reader, catalog, obj, body.get("expand")),
        search=search(reader, obj, body.get("search"), body.get("searchFields")),
        groups=groups,
        measures=measures,
        having=having,
        count=count(body.get("count")),
        paged=after is not None,
        deleted=flag(body.get("deleted")),
    )
    limit = whole("limit", body.get("limit", body.get("top")), refusals.DEFAULT_LIMIT)
    offset = whole("offset", body.get("offset"), 0)
    return finish(reader, shape, limit, offset, after or None)


def finish(reader: FilterReader, shape: tree.Shape, limit: int, offset: int, after: str | None) -> tree.Query:
    """Return the query with its limits kept."""
    if offset > refusals.MOST_SKIPPED:
        raise invalid_query(
            f"At most {refusals.MOST_SKIPPED} records can be skipped; page with `after` instead."
        )
    if after and offset:
        raise invalid_query("Use either `after` or an offset.")
    limit = min(limit, refusals.MOST_ROWS)
    return tree.Query(shape, tuple(reader.values), limit, offset, after, frozenset(reader.named))


def _check_keys(obj: ObjectDef, body: Mapping[str, Any]) -> None:
    for key in body:
        if key in REMOVED:
            raise invalid_query(REMOVED[key], object=obj.name)
        if key not in KEYS:
            raise unknown_field(obj.name, key, "no key of a query either")
    if body.get("object") not in (None, obj.name):
        raise invalid_query(
            f"The query names the object {str(body['object'])[:80]!r}, the address {obj.name!r}."
        )


def whole(name: str, raw: Any, default: int) -> int:
    """Return a number of rows: a whole number that is not negative."""
    if raw is None or raw == "":
        return default
    if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) < 10:
        return int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise invalid_query(f"`{name}` is a whole number, 0 or more.")
    return raw


def count(raw: Any) -> tree.CountKind:
    """Return how the total is wanted."""
    if isinstance(raw, list | dict) or raw not in COUNTS:
        raise invalid_query("`count` is true, false, 'exact', 'capped' or 'estimated'.")
    return COUNTS[raw]


def flag(raw: Any) -> bool:
    """Return a truth value written as JSON or as text."""
    if raw in (None, False, "", "false", "0"):
        return False
    if raw in (True, "true", "1"):
        return True
    raise invalid_query("`deleted` is true or false.")


def select(obj: ObjectDef, raw: Any) -> tuple[str, ...] | None:
    """Return the fields of a select, each once; None means all."""
    if raw is None or raw == []:
        return None
    if not isinstance(raw, list | tuple) or not all(isinstance(name, str) for name in raw):
        raise invalid_query("`fields` is a list of field names.")
    for name in raw:
        if name not in obj.all_fields:
            raise unknown_field(obj.name, name, "fields")
    return tuple(dict.fromkeys(raw))


def order(
    reader: FilterReader, obj: ObjectDef, raw: Any, aliases: frozenset[str] | None = None
) -> tuple[tree.Sort, ...]:
    """Return the keys of an order: `[{field, order}]`, `["-a", "b desc"]` or `{a: "desc"}`."""
    if raw is None:
        return ()
    if isinstance(raw, Mapping):
        raw = [{"field": name, "order": way} for name, way in raw.items()]
    if not isinstance(raw, list | tuple):
        raise invalid_sort("`orderBy` is a list such as [{field: 'name', order: 'asc'}].")
    keys = [_sort_key(item) for item in raw]
    if len(keys) > refusals.MOST_SORTS:
        raise invalid_sort(f"At most {refusals.MOST_SORTS} keys order a list.")
    if len({key.field for key in keys}) != len(keys):
        raise invalid_sort("A field orders a list once.")
    for key in keys:
        if aliases is not None:
            if key.field not in aliases:
                raise invalid_sort(f"{key.field!r} is no group and no aggregate of this query.")
        else:
            _check_sortable(obj, key.field)
            reader.named.add(key.field)
    return tuple(keys)


def _sort_key(item: Any) -> tree.Sort:
    if isinstance(item, str):
        name, _, way = item.strip().partition(" ")
        if name.startswith(("-", "+")):
            name, way = name[1:], "desc" if name[0] == "-" else "asc"
    elif isinstance(item, Mapping) and item.keys() <= {"field", "order", "direction"}:
        name, way = str(item.get("field")), item.get("order", item.get("direction", "asc"))
    else:
        raise invalid_sort("A key of an order is a field name, or {field, order}.")
    way = way.strip().lower() if isinstance(way, str) else way
    if way not in ("", "asc", "desc"):
        raise invalid_sort("An order is 'asc' or 'desc'.")
    return tree.Sort(name, way == "desc")


def _check_sortable(obj: ObjectDef, name: str) -> None:
    field = obj.all_fields.get(name)
    if field is None:
        message = f"The order uses {refusals.shown(name)!r}, which is not a field on object {obj.name!r}."
        raise invalid_sort(message, object=obj.name, field=refusals.shown(name))
    if not (kind_of(field).sortable and field.sortable):
        raise invalid_sort(f"{name!r} cannot order a list.", object=obj.name, field=name)


def search(reader: FilterReader, obj: ObjectDef, raw: Any, fields: Any) -> tree.Search | None:
    """Return the search of `"words"` or `{query, fields}`; empty words mean no search."""
    if isinstance(raw, Mapping):
        if not raw.keys() <= {"query", "fields"}:
            raise invalid_query("`search` is text, or {query, fields}.")
        raw, fields = raw.get("query"), raw.get("fields", fields)
    if raw is None or raw == "":
        return None
    try:
        terms = clean_text(raw)[: refusals.MOST_TEXT].split()[: refusals.MOST_TERMS]
    except FieldProblem as problem:
        raise invalid_query(f"`search`: {problem.message}") from problem
    names = None
    if fields:
        if isinstance(fields, str):
            fields = fields.split(",")
        names = select(obj, fields)
        for name in names or ():
            if not kind_of(obj.all_fields[name]).searchable:
                raise invalid_query(f"{name!r} cannot be searched.", field=name)
        reader.named.update(names or ())
    return tree.Search(tuple(reader.slot(term) for term in terms), names) if terms else None


def expansion(
    reader: FilterReader, catalog: Catalog, obj: ObjectDef, raw: Any, depth: int = 1
) -> tuple[tree.Expand, ...]:
    """Return the references to replace by records: `["account"]` or `{account: {object?, fields?, where?}}`."""
    if not raw:
        return ()
    if isinstance(raw, list | tuple):
        raw = {name: {} for name in raw}
    if not isinstance(raw, Mapping):
        raise invalid_query("`expand` maps reference fields to {object, fields}.")
    if depth > refusals.MOST_EXPAND:
        raise invalid_query(f"`expand` may be nested {refusals.MOST_EXPAND} levels deep.")
    return tuple(_expand(reader, catalog, obj, name, wanted or {}, depth) for name, wanted in raw.items())


def _expand(
    reader: FilterReader, catalog: Catalog, obj: ObjectDef, name: Any, wanted: Any, depth: int
) -> tree.Expand:
    field = obj.all_fields.get(name) if isinstance(name, str) else None
    if field is None:
        raise unknown_field(obj.name, name, "expand")
    if not isinstance(wanted, Mapping) or not wanted.keys() <= {"object", "fields", "where", "expand"}:
        raise invalid_query(f"`expand.{name}` takes object, fields, where and expand.")
    if field.type == "user":
        return tree.Expand(name)
    target = catalog.find(field.reference) if field.type in REFERENCES and field.reference else None
    if target is None:
        raise invalid_query(f"{name!r} is no reference to another object.", field=name)
    if wanted.get("object") not in (None, target.name):
        raise invalid_query(f"{name!r} refers to {target.name!r}.", field=name)
    inner = FilterReader(reader.moment)
    inner.values = reader.values
    where = inner.read(target, wanted.get("where"))
    reader.named.update(f"{target.name}.{used}" for used in inner.named)
    fields = select(target, wanted.get("fields"))
    return tree.Expand(
        name, fields, where, expansion(reader, catalog, target, wanted.get("expand"), depth + 1)
    )


def references(field: FieldDef) -> bool:
    """Say whether the field points to a record of another object."""
    return field.type in REFERENCES
