"""Errors that carry a stable code, a sentence and the cure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field; `code` is one of the protocol's lower-case field codes."""

    field: str
    code: str
    message: str
    label: str | None = None
    value: Any = None
    constraint: Any = None
    options: Sequence[str] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form, without what is not set."""
        values: dict[str, Any] = {
            "field": self.field,
            "code": self.code,
            "message": self.message,
            "label": self.label,
        }
        values |= {"value": self.value, "constraint": self.constraint, "options": self.options}
        return {key: value for key, value in values.items() if value is not None}


@dataclass
class Problem(Exception):
    """A refusal: `code` is SCREAMING_SNAKE and stable, `status` the HTTP status, `cure` what to do."""

    code: str
    message: str
    status: int = 400
    fields: Sequence[FieldError] = ()
    cure: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def as_dict(self) -> dict[str, Any]:
        """Return the REST body: `error` and `message` hold the sentence, details stand beside the code."""
        body: dict[str, Any] = {"error": self.message, "code": self.code, "message": self.message}
        if self.fields:
            body["fields"] = [item.as_dict() for item in self.fields]
        if self.cure:
            body["cure"] = self.cure
        return body | dict(self.details)


class Unauthenticated(Problem):
    """401: nobody known stands behind the request."""

    def __init__(
        self, message: str = "Sign in first.", *, code: str = "UNAUTHENTICATED", **more: Any
    ) -> None:
        super().__init__(code, message, status=401, **more)


class PermissionDenied(Problem):
    """403: somebody known may not do this."""

    def __init__(
        self, message: str = "You may not do this.", *, code: str = "PERMISSION_DENIED", **more: Any
    ) -> None:
        super().__init__(code, message, status=403, **more)


class NotFound(Problem):
    """404: absent, or invisible to whoever asks; the two look the same."""

    def __init__(
        self, message: str = "There is no such record.", *, code: str = "RECORD_NOT_FOUND", **more: Any
    ) -> None:
        super().__init__(code, message, status=404, **more)


class Conflict(Problem):
    """409: the state of the thing forbids it."""

    def __init__(self, message: str, *, code: str = "RESOURCE_CONFLICT", **more: Any) -> None:
        super().__init__(code, message, status=409, **more)


class Invalid(Problem):
    """400: the input breaks rules; `fields` lists all of them at once."""

    def __init__(
        self, message: str, fields: Sequence[FieldError] = (), *, code: str = "VALIDATION_FAILED", **more: Any
    ) -> None:
        super().__init__(code, message, status=400, fields=fields, **more)
