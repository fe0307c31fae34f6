"""What every request gets: an id, the trace it belongs to, and one line in the log."""

import logging
import re
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.core import context
from apps.core.ids import uuid7
from apps.core.traffic import traffic

logger = logging.getLogger("aibos.request")

ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")


class RequestMiddleware:
    """Names the request, times it and logs it; the id stands in every answer as `X-Request-Id`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request with its id, trace and address in the context."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if ACCEPTED_ID.match(given) else str(uuid7())
        trace = TRACEPARENT.match(request.META.get("HTTP_TRACEPARENT", ""))
        request.request_id = request_id  # type: ignore[attr-defined]
        start = time.perf_counter()
        with context.carrying(
            request_id=request_id,
            trace_id=trace.group(1) if trace else None,
            ip=client_ip(request),
            actor=None,
        ):
            response = self.get_response(request)
            response["X-Request-Id"] = request_id
            seconds = time.perf_counter() - start
            traffic.count(response.status_code, seconds)
            if logger.isEnabledFor(logging.INFO):
                took = round(seconds * 1000, 1)
                extra = {"method": request.method, "path": request.path, "status": response.status_code}
                logger.info("request", extra={**extra, "ms": took})
        return response


class DoorHeadersMiddleware:
    """The headers of answers that are no pages: nothing in them may run, frame or be guessed at."""

    HEADERS = {
        "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        "X-Frame-Options": "DENY",
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add them where the door set none of its own."""
        response = self.get_response(request)
        for name, value in self.HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def client_ip(request: HttpRequest) -> str | None:
    """Return the caller's address; forwarded ones are believed from trusted proxies only."""
    peer: str | None = request.META.get("REMOTE_ADDR")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR")
    if forwarded and peer in settings.TRUSTED_PROXIES:
        return str(forwarded.rsplit(",", 1)[-1].strip())
    return peer
