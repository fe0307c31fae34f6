"""Running operations: each root field is one query, or one service; what one of them refuses is an error beside the rest."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError, GraphQLObjectType, execute_sync
from graphql.execution.collect_fields import collect_fields
from graphql.execution.values import get_variable_values
from graphql.language import DocumentNode, OperationDefinitionNode, OperationType, SelectionSetNode

from apps.api.answers import encode
from apps.api.graphql import documents, laying, limits
from apps.api.graphql.documents import Document, Kept
from apps.api.graphql.meaning import Made
from apps.api.graphql.problems import BAD_INPUT, Unfit, invalid, of_problem, refused
from apps.api.graphql.schema import schemas
from apps.api.graphql.selecting import TYPENAME, Nodes, Selector
from apps.core.actor import Actor
from apps.core.errors import Problem
from apps.core.scope import TenantRef
from apps.objects.query import Page, plans
from apps.objects.query.plans import Stale, View
from apps.objects.query.run import page as page_of

MOST_ERRORS = 20
ROOTS = {
    OperationType.QUERY: "Query",
    OperationType.MUTATION: "Mutation",
    OperationType.SUBSCRIPTION: "Subscription",
}
INTROSPECTION = frozenset({"__schema", "__type"})
_introspected: Kept[str] = Kept(32)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: a document, which of its operations, with which variables, who asks, and where days begin."""

    document: Document
    operation: OperationDefinitionNode
    variables: Mapping[str, Any]
    by: Actor
    tenant: TenantRef
    me: Mapping[str, str]
    zone: dt.tzinfo = dt.UTC


@dataclass(slots=True)
class Answer:
    """What goes out: the data's JSON text, the errors, the clocks it was read at, and the objects it was read from."""

    data: str
    errors: list[dict[str, Any]] = field(default_factory=list)
    clocks: tuple[int, int] | None = None
    objects: frozenset[str] = frozenset()

    def body(self) -> bytes:
        """Return the body of the answer."""
        errors = f'"errors":{encode(self.errors).decode()},' if self.errors else ""
        return f'{{{errors}"data":{self.data}}}'.encode()


def run(asked: Asked) -> Answer:
    """Answer a query, or one look of a subscription; raises `Unfit` when the request cannot be begun."""
    return plans.with_view(asked.tenant, asked.by, lambda view: Run(asked, view).answer())


class Run:
    """One operation on one view of the tenant."""

    def __init__(self, asked: Asked, view: View) -> None:
        self.asked = asked
        self.view = view
        self.made: Made = schemas.of(view)
        documents.check(self.made, asked.document)
        self.root = ROOTS[asked.operation.operation]
        self.selector = Selector(
            view, self.made, dict(asked.document.fragments), self._variables(), asked.zone
        )
        self.fields = self._collected()
        self.errors: list[dict[str, Any]] = []
        self._clocks: tuple[int, int] | None = None

    def _variables(self) -> dict[str, Any]:
        found = get_variable_values(
            self.made.schema,
            self.asked.operation.variable_definitions or (),
            dict(self.asked.variables),
            max_errors=MOST_ERRORS,
        )
        if isinstance(found, list):
            raise invalid(found, BAD_INPUT)
        return found

    def _collected(self) -> dict[str, Nodes]:
        known = self.made.schema.get_type(self.root)
        assert isinstance(known, GraphQLObjectType)
        selector = self.selector
        found = collect_fields(
            self.made.schema,
            selector.fragments,
            selector.variables,
            known,
            self.asked.operation.selection_set,
        )
        limits.check_roots(len(found))
        if sum(nodes[0].name.value in INTROSPECTION for nodes in found.values()) > limits.MOST_INTROSPECTIONS:
            raise refused("One introspection at a time.", code="GRAPHQL_TOO_COMPLEX")
        return found

    def answer(self) -> Answer:
        """Run the root fields in their order."""
        parts = [(key, self._field(key, nodes)) for key, nodes in self.fields.items()]
        if self._clocks is None and not self.view.checked:
            raise Stale  # nothing was read: nobody has said that the remembered view still holds
        return Answer(laying.mapping(parts), self.errors, self._clocks, frozenset(self.selector.objects))

    def _field(self, key: str, nodes: Nodes) -> str:
        name = nodes[0].name.value
        if name == TYPENAME:
            return laying.quoted(self.root)
        if name in INTROSPECTION:
            return self._introspection(key, nodes)
        try:
            return self._read(name, nodes)
        except (Unfit, Stale):
            raise
        except Problem as problem:
            if not self.view.checked:
                raise
            self.errors.append(of_problem(problem, [key], nodes[0]))
            return "null"
        except GraphQLError as error:
            raise invalid([error], BAD_INPUT) from error

    def _read(self, name: str, nodes: Nodes) -> str:
        root = self.made.roots["query", name]
        if root.verb == "me":
            return self._me(nodes)
        if root.verb == "list":
            listing = self.selector.listing(self.root, root.object, nodes)
            return laying.connection(listing, self._page(listing.object, listing.query))
        if root.verb == "groups":
            page = self._page(*self.selector.groups(self.root, root.object, nodes))
            return f"[{','.join(page.rows)}]"
        found = self.selector.one(self.root, root.object, nodes)
        if found is None:
            return "null"
        page = self._page(*found)
        return page.rows[0] if page.rows else "null"

    def _page(self, obj: Any, query: Any) -> Page:
        page = page_of(self.view, obj, query, by=self.asked.by)
        self._clocks = (page.clock, page.platform_clock)
        return page

    def _me(self, nodes: Nodes) -> str:
        parts = []
        for key, found in self.selector.sub_fields("User", nodes).items():
            name = found[0].name.value
            parts.append((key, laying.quoted("User" if name == TYPENAME else self.asked.me[name])))
        return laying.mapping(parts)

    def _introspection(self, key: str, nodes: Nodes) -> str:
        """Return what the schema says of itself: the only thing that graphql-core executes."""

        def ask() -> str:
            operation = self.asked.operation
            only = OperationDefinitionNode(
                operation=OperationType.QUERY,
                name=operation.name,
                variable_definitions=operation.variable_definitions,
                directives=(),
                selection_set=SelectionSetNode(selections=tuple(nodes)),
            )
            document = DocumentNode(definitions=(only, *self.selector.fragments.values()))
            found = execute_sync(self.made.schema, document, variable_values=dict(self.asked.variables))
            if found.errors or found.data is None:
                raise invalid(found.errors or [GraphQLError("Nothing was found.")], BAD_INPUT)
            return orjson.dumps(found.data[key]).decode()

        if self.asked.variables:
            return ask()
        name = self.asked.operation.name
        return _introspected.get(
            (self.made.key, self.asked.document.sha, name.value if name else "", key), ask
        )
