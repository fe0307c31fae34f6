"""From a door's `describe(...)` to an OpenAPI operation; drf-spectacular walks the routes and asks this."""

import re
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema

from apps.api.contract import OBJECT, Operation, Parameter, Schema, describe
from apps.api.idempotency import is_required

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ALWAYS = (400, 404, 429, 500, 503)  # 404: a host that no tenant has
KNOWN = (401, 403)
WITH_BODY = (413, 415)
OF_WRITES = (409, 422)
HEADERS = {
    "X-Request-Id": {"description": "Names this request in the logs.", "schema": {"type": "string"}},
    "RateLimit": {"description": 'E.g. `"caller";r=1199;t=1`.', "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": 'E.g. `"caller";q=1200;w=60`.', "schema": {"type": "string"}},
}
RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
IDEMPOTENCY = Parameter(
    "Idempotency-Key",
    "Makes a retry safe: the same key and body get the first answer again, for 24 hours.",
    {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!#-~]+$"},
    place="header",
)
UNDESCRIBED = describe("", answer=OBJECT)(lambda: None).operation  # type: ignore[attr-defined]


class DoorSchema(AutoSchema):
    """Reads the operation that `describe` put on the handler."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        """Return the operation, None for routes that exist only to refuse."""
        self.registry, self.path, self.method = registry, path, method
        handler = getattr(self.view, method.lower(), None)
        if handler is None or getattr(self.view, "undocumented", False):
            return None
        return operation_of(self.view, getattr(handler, "operation", UNDESCRIBED), path, method)


def operation_of(door: Any, told: Operation, path: str, method: str) -> dict[str, Any]:
    """Return one OpenAPI operation; refusals that every such door may give are added."""
    made: dict[str, Any] = {
        "operationId": operation_id(path, method),
        "summary": told.summary,
        "tags": [told.tag or tag_of(path)],
        "responses": _responses(door, told, method),
    }
    parameters = [_path_parameter(name) for name in re.findall(r"\{(\w+)\}", path)]
    parameters += [_parameter(item) for item in told.parameters]
    if method in WRITES and door.replays and door.identifies and door.needs_tenant:
        required = is_required(method, tag_of(path)) and not door.reading_posts
        parameters.append(_parameter(replace(IDEMPOTENCY, required=required)))
    if parameters:
        made["parameters"] = parameters
    if told.body is not None:
        content = {"application/json": {"schema": dict(told.body)}}
        made["requestBody"] = {"required": told.body_required, "content": content}
    public: list[dict[str, list[str]]] = [{}] if door.public else []
    made["security"] = [*public, {"bearer": []}, {"apiKey": []}] if door.identifies else [{}]
    return made


def operation_id(path: str, method: str) -> str:
    """Return a unique, readable name of the operation."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", path.removeprefix("/api/")).strip("_") or "root"
    return f"{method.lower()}_{words}"


def tag_of(path: str) -> str:
    """Return the chapter of a path: its first word after the version."""
    words = [word for word in path.split("/") if word and word not in ("api", "v1")]
    return words[0] if words else "discovery"


def _responses(door: Any, told: Operation, method: str) -> dict[str, Any]:
    made = {str(status): _answer(status, schema, told.media) for status, schema in told.answers.items()}
    refused = {*ALWAYS, *told.errors}
    if door.identifies:
        refused |= set(KNOWN)
    if method in WRITES:
        refused |= {*OF_WRITES, *WITH_BODY}
    for status in sorted(refused):
        made.setdefault(str(status), refusal(status, door.refusal_schema, door.refusal_media))
    return made


def refusal(status: int, schema: Schema, media: Sequence[str]) -> dict[str, Any]:
    """Return the documented form of an error answer."""
    headers = HEADERS | (RETRY if status in (409, 429, 503) else {})
    content = {kind: {"schema": dict(schema)} for kind in media}
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}


def _answer(status: int, schema: Any, media: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": HEADERS}
    if schema is not None:
        made["content"] = {kind: {"schema": dict(schema)} for kind in media}
    return made


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _parameter(item: Parameter) -> dict[str, Any]:
    return {
        "name": item.name,
        "in": item.place,
        "description": item.description,
        "required": item.required,
        "schema": dict(item.schema),
    }
