"""What a door promises: one `describe(...)` above each handler, from which the OpenAPI document is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., Any])
Schema = Mapping[str, Any]

ANYTHING: Schema = {}
OBJECT: Schema = {"type": "object", "additionalProperties": True}
TEXT: Schema = {"type": "string"}
JSON_BODY_ERRORS = (400, 413, 415)


def ref(name: str) -> Schema:
    """Return a reference to a schema among the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def shape(*, required: Sequence[str] | None = None, extra: bool = False, **properties: Schema) -> Schema:
    """Return the schema of an object with these properties, all required unless `required` names some."""
    names = list(properties if required is None else required)
    values: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    return values | {"additionalProperties": extra} | ({"required": names} if names else {})


def array(items: Schema, **limits: int) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": dict(items), **limits}


@dataclass(frozen=True)
class Parameter:
    """A query parameter or request header of an operation."""

    name: str
    description: str
    schema: Schema = field(default_factory=lambda: TEXT)
    place: str = "query"
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """One method of one route as the OpenAPI document tells it."""

    summary: str
    answers: Mapping[int, Schema | None]
    body: Schema | None = None
    body_required: bool = True
    parameters: Sequence[Parameter] = ()
    errors: Sequence[int] = ()
    tag: str | None = None
    media: Sequence[str] = ("application/json",)


def describe(
    summary: str,
    *,
    answer: Schema | None = ANYTHING,
    status: int = 200,
    answers: Mapping[int, Schema | None] | None = None,
    body: Schema | None = None,
    body_required: bool = True,
    parameters: Sequence[Parameter] = (),
    errors: Sequence[int] = (),
    tag: str | None = None,
    media: Sequence[str] = ("application/json",),
) -> Callable[[Handler], Handler]:
    """Describe a handler: what it answers, what it takes, and the refusals beyond the usual ones.

    Every door documents 400, 401, 403, 405, 429, 500 and 503 by itself; with a body 413 and 415 as well.
    """
    made = Operation(
        summary=summary,
        answers={status: answer, **(answers or {})},
        body=body,
        body_required=body_required,
        parameters=parameters,
        errors=errors,
        tag=tag,
        media=media,
    )

    def mark(handler: Handler) -> Handler:
        handler.operation = made  # type: ignore[attr-defined]
        return handler

    return mark
