"""GraphQL over HTTP, as the working group's specification says: POST, GET for queries, both media types."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from graphql.language import OperationType

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import TEXT, Parameter, Schema, describe, shape
from apps.api.door import NONE, Door
from apps.api.graphql import asking
from apps.api.graphql.problems import BEFORE_THE_SCHEMA, Unfit, of_failure, refused
from apps.api.graphql.running import Answer, Asked, run
from apps.api.graphql.writing import write
from apps.core.errors import Problem
from apps.identity.resolve import recall

RESPONSE = "application/graphql-response+json"
FREE = {"type": ["object", "null"], "additionalProperties": True}
ANSWER = shape(data=FREE, errors={"type": "array", "items": {"type": "object"}}, extra=True, required=[])
BODY = shape(
    query=TEXT,
    operationName={"type": ["string", "null"]},
    variables=FREE,
    extensions=FREE,
    extra=True,
    required=[],
)
PARAMETERS = (
    Parameter("query", "The document; queries only, no mutations."),
    Parameter("operationName", "Which of its operations to run."),
    Parameter("variables", "JSON."),
    Parameter("extensions", 'JSON: `{"persistedQuery": {"version": 1, "sha256Hash": "…"}}`.'),
)


class GraphQLDoor(Door):
    """`/graphql`: queries and mutations."""

    opens: ClassVar[frozenset[str]] = NONE
    recalls: ClassVar[frozenset[str]] = frozenset({"GET", "HEAD", "POST"})
    refusal_schema: ClassVar[Schema] = ANSWER
    refusal_media: ClassVar[tuple[str, ...]] = (answers.JSON, RESPONSE)

    @describe(
        "A GraphQL query",
        answer=ANSWER,
        parameters=PARAMETERS,
        errors=(405,),
        media=("application/json", RESPONSE),
        tag="graphql",
    )
    def get(self, call: Call) -> HttpResponse:
        return self._run(call)

    @describe(
        "A GraphQL query or mutation",
        answer=ANSWER,
        body=BODY,
        media=("application/json", RESPONSE),
        tag="graphql",
    )
    def post(self, call: Call) -> HttpResponse:
        return self._run(call)

    def reads(self, call: Call) -> bool:
        """Say whether the request's operation is none that changes something; of strangers nothing is read."""
        identity = call.identity or recall(call.request)
        if identity is None:
            return True
        try:
            return not asking.is_mutation(_wish(call).operation(call.tenant or identity.tenant))
        except Problem:
            if call.identity is None:
                return True
            raise

    def refused(self, call: Call, problem: Problem) -> HttpResponse:
        """Answer with errors in GraphQL's shape."""
        kind = _kind(call)
        status = problem.status
        # A request that is well-formed is answered with 200 in plain JSON, says the specification.
        if kind == answers.JSON and isinstance(problem, Unfit) and problem.code not in BEFORE_THE_SCHEMA:
            status = 200
        content = answers.encode(of_failure(problem, alone=status == 200 or kind == RESPONSE))
        return HttpResponse(content, status=status, content_type=kind, headers=problem.headers)

    def _recalled(
        self, call: Call, handler: Callable[..., HttpResponseBase], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Answer queries for the caller as last seen; a mutation never, for it may be several writes."""
        return super()._recalled(call, handler, kwargs) if self.reads(call) else None

    def _run(self, call: Call) -> HttpResponse:
        assert call.tenant is not None
        wish = _wish(call)
        document = wish.document(call.tenant)
        operation = document.operation(wish.operation_name)
        if operation.operation == OperationType.SUBSCRIPTION:
            raise refused(
                "Subscriptions are followed at /api/v1/graphql/stream or /ws/graphql.",
                code="GRAPHQL_SUBSCRIPTION_ELSEWHERE",
            )
        if asking.is_mutation(operation) and not call.is_write:
            raise Problem(
                "METHOD_NOT_ALLOWED", "A mutation is sent with POST.", status=405, headers={"Allow": "POST"}
            )
        assert call.identity is not None
        user = call.identity.user
        me = {"id": str(user.id), "name": user.name, "email": user.email}
        asked = Asked(document, operation, wish.variables, call.actor, call.tenant, me, call.zone)
        if asking.is_mutation(operation):
            return _send(call, write(asked, call))
        answer = run(asked)
        if answer.clocks is not None:
            call.read_at(*answer.clocks)
        return _send(call, answer)


class GraphiQLDoor(Door):
    """`GET /graphiql`: the interactive page, from files of this server alone; it asks as whoever looks at it."""

    public: ClassVar[bool] = True
    identifies: ClassVar[bool] = False
    needs_tenant: ClassVar[bool] = False
    opens: ClassVar[frozenset[str]] = NONE

    @describe("The interactive page of GraphQL", answer=TEXT, media=("text/html",), tag="graphql")
    def get(self, call: Call) -> HttpResponse:
        return render(call.request, "api/graphiql.html", {"address": "/api/v1/graphql"})


def _wish(call: Call) -> asking.Wish:
    if call.request.method == "POST":
        return asking.of_body(call.body)
    return asking.of_address(call.params)


def _kind(call: Call) -> str:
    return RESPONSE if RESPONSE in call.request.META.get("HTTP_ACCEPT", "") else answers.JSON


def _send(call: Call, answer: Answer) -> HttpResponse:
    return HttpResponse(answer.body(), content_type=_kind(call))
