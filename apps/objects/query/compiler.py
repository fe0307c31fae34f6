"""From a `Shape` to the one statement in which PostgreSQL builds the JSON of the page.

Names are qualified with the tenant's schema, so a prepared statement never depends on the search path.
Every table read, the expanded ones too, carries the reader's rule and `deleted_at IS NULL`.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from psycopg import sql

from apps.core.scope import TenantRef
from apps.objects import masking
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.encryption import opening
from apps.objects.kinds import kind_of
from apps.objects.masters import masters
from apps.objects.query import branches, cursor, refusals, tree
from apps.objects.query.reading import Catalog
from apps.objects.query.where import Params, Slot, predicate, searching
from apps.permissions import rules
from apps.permissions.access import Access
from apps.permissions.predicates import to_sql
from apps.permissions.rights import Operation

NEVER_SHOWN = frozenset({"deleted_at"})
USER = sql.SQL(
    "(SELECT row_to_json(x$) FROM (SELECT u.id, u.name, u.email FROM public.identity_user u"
    " JOIN public.identity_membership m ON m.user_id = u.id AND m.tenant_id = %s WHERE u.id = {}) x$)"
)


EACH = sql.SQL(
    "(SELECT json_agg({one} ORDER BY {element}.n) FROM unnest({column}) WITH ORDINALITY {element}(id, n))"
)


@dataclass(frozen=True, slots=True)
class Named:
    """Stands in the parameter list for a number that each call brings: limit or offset."""

    name: str


LIMIT, OFFSET, RECORD = Named("limit"), Named("offset"), Named("id")


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled statement and what its placeholders stand for.

    `sealed`: its answer holds markers of encrypted values. `blind`: it compares some, so that values must be resolved.
    """

    sql: bytes
    items: tuple[Any, ...]
    sealed: bool = False
    blind: bool = False

    def bind(
        self,
        values: tuple[Any, ...],
        subject: rules.Subject,
        named: dict[str, Any] | None = None,
        place: cursor.Values = (),
    ) -> list[Any]:
        """Return the parameters of one call."""
        bound = []
        for item in self.items:
            kind = type(item)
            if kind is Slot:
                bound.append(item.of(values))
            elif kind is Named:
                bound.append((named or {})[item.name])
            elif kind is cursor.Place:
                bound.append(place[item.index])
            elif kind is rules.CurrentUser or kind is rules.Mine:
                bound.append(subject.bound(item))
            else:
                bound.append(item)
        return bound


@dataclass
class Compiler:
    """Compiles for one tenant and one bundle of rights; `params` grows in the order of the text."""

    tenant: TenantRef
    catalog: Catalog
    access: Access
    op: Operation = "read"
    params: Params = field(default_factory=Params)
    aliases: int = 0
    sealed: bool = False

    def plan(self, statement: sql.Composable) -> Plan:
        """Return the finished statement."""
        blind = any(type(item) is Slot and item.blind for item in self.params.items)
        return Plan(statement.as_bytes(None), tuple(self.params.items), self.sealed, blind)

    def alias(self) -> str:
        """Return a fresh table alias."""
        self.aliases += 1
        return f"e{self.aliases}"

    def table(self, obj: ObjectDef) -> sql.Identifier:
        """Return the qualified table."""
        return sql.Identifier(self.tenant.schema, obj.table)

    def visible(
        self, obj: ObjectDef, alias: str, *, op: Operation = "read", deleted: bool = False
    ) -> sql.Composable:
        """Return the predicate of the records that `op` may touch."""
        state = sql.SQL("{} IS NOT NULL" if deleted else "{} IS NULL").format(
            sql.Identifier(alias, "deleted_at")
        )
        rule = self.access.predicate(op, obj)
        if isinstance(rule, rules.Always):
            return state
        found = masters(self.catalog, self.access)
        text = to_sql(rule, alias, self.params.items, schema=self.tenant.schema, masters=found)
        return sql.SQL("{} AND {}").format(state, text)

    def conditions(self, obj: ObjectDef, shape: tree.Shape, alias: str) -> sql.Composable:
        """Return the whole WHERE of a list: what may be seen, then what was asked for."""
        parts = [self.visible(obj, alias, op=self.op, deleted=shape.deleted)]
        if shape.where != tree.EVERYTHING:
            parts.append(self.asked(obj, shape.where, alias))
        if shape.search is not None:
            columns = self.searched(obj, shape.search)
            parts.append(searching(columns, shape.search.slots, alias, self.params))
        return sql.SQL(" AND ").join(parts)

    def asked(self, obj: ObjectDef, where: tree.Node, alias: str) -> sql.Composable:
        """Return the SQL of a filter over records of `obj`."""

        def walk(name: str, operator: str, slot: Slot, where: str) -> sql.Composable:
            return branches.walk(self, obj, name, operator, slot, where)

        return predicate(where, alias, self.params, walk)

    def searched(self, obj: ObjectDef, search: tree.Search) -> list[str]:
        """Return the columns to search: those named, else the object's own that the reader may see."""
        if search.fields is not None:
            return list(search.fields)
        clear = self.access.clear(obj)
        return [name for name in searchable(obj) if name in clear]

    # -- the JSON of a record ----------------------------------------------------------------------

    def names(
        self, obj: ObjectDef, fields: tuple[str, ...] | None, expand: tuple[tree.Expand, ...]
    ) -> list[str]:
        """Return the fields of the JSON: those asked for that may be read, else all readable ones."""
        readable = self.access.readable(obj)
        wanted = fields
        if wanted is None:
            wanted = tuple(name for name in obj.all_fields if name not in NEVER_SHOWN)
        else:
            wanted = tuple(dict.fromkeys((*wanted, *(item.field for item in expand))))
        return [name for name in wanted if name in readable]

    def columns(
        self, obj: ObjectDef, alias: str, fields: tuple[str, ...] | None, expand: tuple[tree.Expand, ...] = ()
    ) -> sql.Composable:
        """Return the select list whose row is the record's JSON."""
        expanded = {item.field: item for item in expand}
        parts = []
        for name in self.names(obj, fields, expand):
            found = obj.all_fields[name]
            column = sql.Identifier(alias, found.column)
            if name in expanded:
                value = self.expanded(found, column, expanded[name])
            else:
                value = self.shown(obj, found, alias)
            parts.append(sql.SQL("{} AS {}").format(value, sql.Identifier(name)))
        return sql.SQL(", ").join(parts)

    def shown(self, obj: ObjectDef, found: FieldDef, alias: str) -> sql.Composable:
        """Return a field's value as this reader sees it: as it is, or through its mask."""
        mask = found.masking if found.masking and found.name in self.access.masked(obj) else None
        if found.encrypted and not kind_of(found).write_only:
            self.sealed = True
            return opening.marker(obj, found, alias, mask)
        column = sql.Identifier(alias, found.column)
        return (
            masking.masked_sql(mask, self.tenant.id, column)
            if mask
            else kind_of(found).json_sql(found, column)
        )

    def expanded(self, found: FieldDef, column: sql.Composable, wanted: tree.Expand) -> sql.Composable:
        """Return the record behind a reference as JSON, or its id when the reader may not see it."""
        if found.multiple:
            element = self.alias()
            one = self.expanded(replace(found, multiple=False), sql.Identifier(element, "id"), wanted)
            return EACH.format(one=one, element=sql.Identifier(element), column=column)
        target = None if found.type == "user" else self.catalog.find(found.reference or "")
        if found.type == "user":
            self.params.add(self.tenant.id)
            record: sql.Composable = USER.format(column)
        elif target is None or not self.access.can("read", target):
            return kind_of(found).json_sql(found, column)
        else:
            alias = self.alias()
            columns = self.columns(target, alias, wanted.fields, wanted.expand)
            identity = sql.SQL("{} = {}").format(sql.Identifier(alias, "id"), column)
            parts = [identity, self.visible(target, alias)]
            if wanted.where != tree.EVERYTHING:
                parts.append(self.asked(target, wanted.where, alias))
            record = sql.SQL("(SELECT row_to_json(x$) FROM (SELECT {} FROM {} {} WHERE {}) x$)").format(
                columns, self.table(target), sql.Identifier(alias), sql.SQL(" AND ").join(parts)
            )
        return sql.SQL("coalesce({}, to_json({}))").format(record, column)


def searchable(obj: ObjectDef) -> list[str]:
    """Return the fields that a search looks into: declared, else marked, else the name."""
    if obj.searchable_fields:
        return list(obj.searchable_fields)
    marked = [name for name, found in obj.fields.items() if found.searchable and kind_of(found).searchable]
    named = obj.all_fields.get(obj.name_field)
    return marked or ([obj.name_field] if named is not None and kind_of(named).searchable else [])


def check_named(access: Access, catalog: Catalog, obj: ObjectDef, named: frozenset[str]) -> None:
    """Refuse a query that filters, orders, groups or searches by a field whose values the reader may not see (403)."""
    for name in sorted(named):
        target, _, inner = name.partition(".")
        where = catalog.find(target) if inner else obj
        if where is None or (inner or name) not in access.clear(where):
            hidden = sorted(other for other in named if "." in other or other not in access.clear(obj))
            raise refusals.hidden_fields(obj.name, hidden or [name])
