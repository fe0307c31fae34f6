"""What a request or job carries along: read by logs and the ledger, set by middlewares and the runner."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from apps.core.actor import Actor

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)
ip: ContextVar[str | None] = ContextVar("ip", default=None)
actor: ContextVar[Actor | None] = ContextVar("actor", default=None)
tenant_slug: ContextVar[str | None] = ContextVar("tenant_slug", default=None)

_VARIABLES: dict[str, ContextVar[Any]] = {
    "request_id": request_id,
    "trace_id": trace_id,
    "ip": ip,
    "actor": actor,
    "tenant_slug": tenant_slug,
}


@contextmanager
def carrying(**values: Any) -> Iterator[None]:
    """Set the named variables for the block and restore them after it."""
    tokens = [(_VARIABLES[name], _VARIABLES[name].set(value)) for name, value in values.items()]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)
