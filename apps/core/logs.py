"""Structured logs: one line an event, with request, trace, tenant and actor."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from apps.core import context


def carried(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Add what the request or job carries along."""
    actor = context.actor.get()
    values = {
        "request_id": context.request_id.get(),
        "trace_id": context.trace_id.get(),
        "tenant": context.tenant_slug.get(),
        "actor": f"{actor.kind}:{actor.id}" if actor else None,
    }
    return {key: value for key, value in values.items() if value is not None} | dict(event)


def configure(options: dict[str, Any]) -> None:
    """Set up logging from `{"level": …, "format": "json" | "console"}`; another format is refused."""
    if options["format"] not in {"json", "console"}:
        msg = f"LOG_FORMAT must be json or console, not {options['format']!r}."
        raise ValueError(msg)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        carried,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain traces: the pretty ones print local variables, and those hold passwords.
    last: Processor = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    if options["format"] == "json":
        shared.append(structlog.processors.format_exc_info)
        last = structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(options["level"])
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
