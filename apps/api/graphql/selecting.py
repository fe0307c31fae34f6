"""From a selection to the query that answers it in one statement: columns, nested records, filters and cursors."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema
from graphql.execution.collect_fields import collect_sub_fields
from graphql.execution.values import get_argument_values
from graphql.language import FieldNode, FragmentDefinitionNode

from apps.api.graphql import inputs, limits
from apps.api.graphql.meaning import Made, Member
from apps.api.graphql.problems import BAD_INPUT, refused
from apps.core.errors import Problem
from apps.objects.definitions import ObjectDef
from apps.objects.query import refusals, tree
from apps.objects.query.compiler import check_named
from apps.objects.query.filters import FilterReader
from apps.objects.query.macros import Moment
from apps.objects.query.plans import View
from apps.objects.query.reading import finish, from_ast, order, search, whole
from apps.objects.query.run import as_id

Nodes = list[FieldNode]
Fields = Mapping[str, Nodes]
TYPENAME = "__typename"
CURSORS = frozenset({"cursor", "startCursor", "endCursor"})


@dataclass(slots=True)
class Listing:
    """A list to ask for, and how its page is laid out: `fields` of the connection, `groups` of outputs for records.

    `edges` and `page_info` are what is below those response keys; `laid` names, for each key that shows records, its
    place among the groups.
    """

    object: ObjectDef
    query: tree.Query
    fields: Fields
    edges: Mapping[str, Fields]
    page_info: Mapping[str, Fields]
    laid: Mapping[tuple[str, str], int]
    groups: Sequence[tuple[tree.Output, ...]]
    type: str


@dataclass(slots=True)
class _Draft:
    """What is gathered on the way: the comparands, the fields they are compared with, how many records at most."""

    reader: FilterReader
    object: ObjectDef
    named: set[str] = field(default_factory=set)
    records: int = 0


@dataclass(slots=True)
class Selector:
    """Reads the selections of one operation against a schema and the view it was made of."""

    view: View
    made: Made
    fragments: dict[str, FragmentDefinitionNode]
    variables: dict[str, Any]
    zone: dt.tzinfo = dt.UTC
    records: int = 0
    objects: set[str] = field(default_factory=set)

    @property
    def schema(self) -> GraphQLSchema:
        return self.made.schema

    def arguments(self, parent: str, node: FieldNode) -> dict[str, Any]:
        """Return the arguments of a field as plain values."""
        known = self.schema.get_type(parent)
        assert isinstance(known, GraphQLObjectType)
        given = get_argument_values(known.fields[node.name.value], node, self.variables)
        return {name: inputs.plain(value) for name, value in given.items()}

    def sub_fields(self, type_name: str, nodes: Nodes) -> Fields:
        """Return the fields selected below some fields, merged by response key."""
        known = self.schema.get_type(type_name)
        assert isinstance(known, GraphQLObjectType)
        return collect_sub_fields(self.schema, self.fragments, self.variables, known, nodes)

    # -- roots -------------------------------------------------------------------------------------

    def listing(self, root: str, name: str, nodes: Nodes) -> Listing:
        """Return what a list of records asks for."""
        obj = self.view.catalog.object(name)
        given = self.arguments(root, nodes[0])
        draft = self._draft(obj)
        fields = self.sub_fields(f"{self.made.types[name]}Connection", nodes)
        first = _first(given, limits.FIRST)
        groups, edges, laid = self._groups(draft, name, fields, max(first, 1))
        page_info = {
            key: self.sub_fields("PageInfo", found)
            for key, found in fields.items()
            if found[0].name.value == "pageInfo"
        }
        after = given.get("after") or None
        wants = {node[0].name.value for node in fields.values()}
        shape = tree.Shape(
            **self._shape(draft, given),
            count="exact" if "totalCount" in wants else "none",
            paged=after is not None or _wants_cursors(edges, page_info),
            outputs=_combined(groups),
        )
        if wants <= {"totalCount", TYPENAME}:
            first = 0
        draft.records += first
        query = finish(draft.reader, shape, first, whole("offset", given.get("offset"), 0), after)
        self._settle(draft)
        return Listing(obj, query, fields, edges, page_info, laid, groups, self.made.types[name])

    def groups(self, root: str, name: str, nodes: Nodes) -> tuple[ObjectDef, tree.Query]:
        """Return what groups and measures ask for: the query of the protocol, in the schema's words."""
        obj = self.view.catalog.object(name)
        given = self.arguments(root, nodes[0])
        self.objects.add(name)
        first = _first(given, refusals.DEFAULT_LIMIT)
        body = {
            "where": inputs.where(given.get("where")),
            "search": given.get("search"),
            "groupBy": inputs.groups(given.get("by")),
            "aggregations": inputs.measures(given.get("measures")) or [{"function": "count"}],
            "having": inputs.having(given.get("having")),
            "orderBy": [
                {"field": key["key"], "order": key.get("direction") or "asc"}
                for key in given.get("orderBy") or ()
            ],
            "limit": first,
            "offset": given.get("offset"),
        }
        moment = Moment(self.view.access.user_id, self.view.tenant.id, self.zone)
        query = from_ast(self.view.catalog, obj, body, moment)
        self.records += first
        limits.check_records(self.records)
        check_named(self.view.access, self.view.catalog, obj, query.named)
        return obj, query

    def one(self, root: str, name: str, nodes: Nodes) -> tuple[ObjectDef, tree.Query] | None:
        """Return what one record by its id asks for; None when the id cannot be one."""
        try:
            identity = as_id(self.view.catalog.object(name), self.arguments(root, nodes[0])["id"])
        except Problem:
            return None
        return self.record(name, identity, nodes)

    def record(self, name: str, identity: Any, nodes: Nodes) -> tuple[ObjectDef, tree.Query]:
        """Return the query of one record of a known id."""
        obj = self.view.catalog.object(name)
        draft = self._draft(obj)
        outputs = self._outputs(draft, self.made.types[name], nodes, 1, 0)
        where = tree.Test("id", "eq", draft.reader.slot(identity))
        query = finish(draft.reader, tree.Shape(name, where, outputs=outputs), 1, 0, None)
        draft.records += 1
        self._settle(draft)
        return obj, query

    def _draft(self, obj: ObjectDef) -> _Draft:
        self.objects.add(obj.name)
        moment = Moment(self.view.access.user_id, self.view.tenant.id, self.zone)
        return _Draft(FilterReader(moment), obj)

    def _settle(self, draft: _Draft) -> None:
        """Judge what was gathered: hidden fields, and the sum of records of the whole operation."""
        self.records += draft.records
        limits.check_records(self.records)
        named = frozenset(draft.named | draft.reader.named)
        check_named(self.view.access, self.view.catalog, draft.object, named)

    def _shape(self, draft: _Draft, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parts of a shape that arguments decide."""
        obj, reader = draft.object, draft.reader
        return {
            "object": obj.name,
            "where": reader.read(obj, inputs.where(given.get("where"))),
            "sort": order(reader, obj, _keys(given.get("orderBy"))),
            "search": search(reader, obj, given.get("search"), None),
        }

    # -- records -----------------------------------------------------------------------------------

    def _groups(
        self, draft: _Draft, name: str, fields: Fields, first: int
    ) -> tuple[list[tuple[tree.Output, ...]], dict[str, Fields], dict[tuple[str, str], int]]:
        """Return the outputs of `nodes` and of each `edges { node }`, and which response key shows which."""
        groups: list[tuple[tree.Output, ...]] = []
        edges: dict[str, Fields] = {}
        laid: dict[tuple[str, str], int] = {}
        kind = self.made.types[name]
        for key, nodes in fields.items():
            if nodes[0].name.value == "nodes":
                laid[key, ""] = len(groups)
                groups.append(self._outputs(draft, kind, nodes, first, 0))
            elif nodes[0].name.value == "edges":
                edges[key] = self.sub_fields(f"{kind}Edge", nodes)
                for inner, below in edges[key].items():
                    if below[0].name.value == "node":
                        laid[key, inner] = len(groups)
                        groups.append(self._outputs(draft, kind, below, first, 0))
        return groups, edges, laid

    def _outputs(
        self, draft: _Draft, kind: str, nodes: Nodes, parents: int, depth: int
    ) -> tuple[tree.Output, ...]:
        """Return the outputs of one record; `parents` is how many there may be."""
        limits.check_nesting(depth)
        members = self.made.members[kind]
        made: list[tree.Output] = []
        for key, found in self.sub_fields(kind, nodes).items():
            name = found[0].name.value
            if name == TYPENAME:
                made.append(tree.Constant(key, kind))
                continue
            member = members[name]
            if member.kind == "value":
                made.append(tree.Value(key, member.field))
            elif member.kind == "follow":
                many = parents * (limits.FIRST_INSIDE if member.several else 1)
                draft.records += many
                self.objects.add(member.object)
                inner = self._outputs(draft, member.type, found, many, depth + 1)
                made.append(tree.Follow(key, member.field, inner))
            else:
                made.append(self._gather(draft, kind, key, member, found, parents, depth))
        return tuple(made)

    def _gather(
        self, draft: _Draft, kind: str, key: str, member: Member, nodes: Nodes, parents: int, depth: int
    ) -> tree.Gather:
        given = self.arguments(kind, nodes[0])
        target = self.view.catalog.object(member.object)
        self.objects.add(target.name)
        inner = _Draft(FilterReader(draft.reader.moment), target)
        inner.reader.values = draft.reader.values
        shape = self._shape(inner, given)
        limit = _first(given, limits.FIRST_INSIDE)
        draft.records += parents * limit
        parts = []
        for name, found in self.sub_fields(f"{member.type}Slice", nodes).items():
            word = found[0].name.value
            if word == "nodes":
                shown = self._outputs(inner, member.type, found, parents * max(limit, 1), depth + 1)
                parts.append(tree.Part(name, "records", shown))
            elif word == TYPENAME:
                parts.append(tree.Part(name, "text", text=f"{member.type}Slice"))
            else:
                parts.append(tree.Part(name, "total" if word == "totalCount" else "more"))
        draft.records += inner.records
        draft.named |= inner.named | {f"{target.name}.{used}" for used in inner.reader.named}
        offset = whole("offset", given.get("offset"), 0)
        if offset > refusals.MOST_SKIPPED:
            raise refusals.invalid_query(f"At most {refusals.MOST_SKIPPED} records can be skipped.")
        slots = draft.reader.slot(limit), draft.reader.slot(offset)
        return tree.Gather(
            key,
            target.name,
            member.field,
            tuple(parts),
            *slots,
            shape["where"],
            shape["sort"],
            shape["search"],
        )


def _first(given: Mapping[str, Any], default: int) -> int:
    first = whole("first", given.get("first"), default)
    if first > refusals.MOST_ROWS:
        raise refused(f"A page has at most {refusals.MOST_ROWS} records.", code=BAD_INPUT)
    return first


def _keys(given: Any) -> list[dict[str, str]] | None:
    """Return an order as the reader of queries takes it; each key names one field."""
    if given is None:
        return None
    if any(len(key) != 1 for key in given):
        raise refusals.invalid_sort("Each key of `orderBy` names one field: [{score: DESC}, {name: ASC}].")
    return [{"field": name, "order": way} for key in given for name, way in key.items()]


def _combined(groups: Sequence[tuple[tree.Output, ...]]) -> tuple[tree.Output, ...]:
    """Return the outputs of a row: those of the only group, or each group under its number."""
    if len(groups) == 1:
        return groups[0]
    return tuple(tree.Again(str(number), outputs) for number, outputs in enumerate(groups))


def _wants_cursors(edges: Mapping[str, Fields], page_info: Mapping[str, Fields]) -> bool:
    below = [
        found[0].name.value for fields in (*edges.values(), *page_info.values()) for found in fields.values()
    ]
    return not CURSORS.isdisjoint(below)
