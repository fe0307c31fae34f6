"""Refusals in GraphQL's shape: `{"errors": [{"message", "locations", "path", "extensions": {"code", …}}]}`."""

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError, SourceLocation

from apps.core import context
from apps.core.errors import Problem

INVALID = "GRAPHQL_VALIDATION_FAILED"
UNPARSED = "GRAPHQL_PARSE_FAILED"
BAD_INPUT = "BAD_USER_INPUT"
# The codes of what is refused before anything is compared with the schema, in either media type.
BEFORE_THE_SCHEMA = frozenset(
    {"GRAPHQL_TOO_COMPLEX", "GRAPHQL_BATCH_REFUSED", "INVALID_REQUEST", "GRAPHQL_SUBSCRIPTION_ELSEWHERE"}
)


class Unfit(Problem):
    """A request that was not begun: it cannot be read, is not valid, or asks for too much."""

    def __init__(self, errors: Sequence[dict[str, Any]], *, status: int = 400, code: str = INVALID) -> None:
        super().__init__(code, str(errors[0]["message"]), status=status)
        self.errors = list(errors)


def refused(message: str, *, code: str, status: int = 400, **details: Any) -> Unfit:
    """Return the refusal of a request as a whole."""
    return Unfit([{"message": message, "extensions": {"code": code, **details}}], status=status, code=code)


def invalid(errors: Sequence[GraphQLError], code: str = INVALID) -> Unfit:
    """Return the refusal with what graphql-core found."""
    return Unfit([of_error(error, code) for error in errors], code=code)


def of_error(error: GraphQLError, code: str) -> dict[str, Any]:
    """Return an error of graphql-core as it goes out."""
    made: dict[str, Any] = {"message": error.message[:500]}
    if error.locations:
        made["locations"] = [_place(place) for place in error.locations]
    return made | {"extensions": {"code": code}}


def of_problem(problem: Problem, path: Sequence[str] = (), node: Any = None) -> dict[str, Any]:
    """Return a refusal of a service or query as it goes out: what REST says, under `extensions`."""
    said = dict(problem.details) | problem.as_dict()
    message = said.pop("error", None) or problem.message
    said.pop("message", None)
    made: dict[str, Any] = {"message": message}
    if node is not None and node.loc is not None:
        place = SourceLocation(*_line(node))
        made["locations"] = [_place(place)]
    if path:
        made["path"] = list(path)
    return made | {"extensions": {"code": problem.code, "status": problem.status, **said}}


def of_failure(problem: Problem, *, alone: bool) -> dict[str, Any]:
    """Return the whole body of a refused request; unless `alone`, the API's own error stands beside GraphQL's."""
    errors = problem.errors if isinstance(problem, Unfit) else [of_problem(problem)]
    if alone:
        return {"errors": errors}
    body = dict(problem.details) | problem.as_dict() | {"requestId": context.request_id.get() or ""}
    if problem.status == 401:
        body["error"] = problem.code
    return body | {"errors": errors}


def _place(place: SourceLocation) -> dict[str, int]:
    return {"line": place.line, "column": place.column}


def _line(node: Any) -> tuple[int, int]:
    token = node.loc.start_token
    return token.line, token.column
