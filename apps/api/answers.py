"""How a door answers: bytes pass through untouched, errors take the one documented shape."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from django.http import HttpResponse

from apps.core import context
from apps.core.canonical import plain
from apps.core.errors import Problem

Raw = orjson.Fragment
JSON = "application/json"


def _default(value: Any) -> Any:
    return orjson.Fragment(format(value, "f")) if isinstance(value, Decimal) else plain(value)


def encode(value: Any) -> bytes:
    """Return `value` as JSON; `Raw(bytes)` inside it is copied as it is, decimals become numbers."""
    if isinstance(value, bytes):
        return value
    return orjson.dumps(value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME)


def send(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Answer with `value` (JSON-able, or bytes that are JSON already)."""
    return HttpResponse(encode(value), status=status, content_type=JSON, headers=headers)


def success(value: Any, *, status: int = 200) -> HttpResponse:
    """Answer in the protocol's second dialect: `{"success": true, "data": value}`."""
    return send({"success": True, "data": Raw(value) if isinstance(value, bytes) else value}, status=status)


def refusal(problem: Problem) -> HttpResponse:
    """Answer with an error: `{error, code, message, fields?, cure?, requestId, …details}`."""
    body = dict(problem.details) | problem.as_dict()
    if problem.status == 401:
        body["error"] = problem.code
    body["requestId"] = context.request_id.get() or ""
    return send(body, status=problem.status, headers=problem.headers)
