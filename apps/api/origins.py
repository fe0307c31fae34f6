"""Browsers at the API: which foreign origins may call (CORS) and who may use a cookie (CSRF)."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware

from apps.core.errors import PermissionDenied

ALLOWED_HEADERS = (
    "authorization, content-type, accept-language, x-api-key, x-tenant, x-environment-id, if-match, "
    "if-none-match, idempotency-key, x-csrftoken"
)
EXPOSED_HEADERS = (
    "etag, location, retry-after, ratelimit, ratelimit-policy, x-request-id, idempotency-replayed, "
    "x-objectstack-dropped-fields, content-disposition"
)
PREFLIGHT_SECONDS = "600"


class _TokenCheck(CsrfViewMiddleware):
    """Django's own check, with the reason instead of its page."""

    def _reject(self, request: HttpRequest, reason: str) -> str:  # type: ignore[override]
        return reason


def _no_view(_: HttpRequest) -> HttpResponse:
    return HttpResponse()


def check_cookie_use(request: HttpRequest) -> None:
    """Refuse a change made with a session cookie unless our own page sent it.

    Accepted: the Origin of this very host, or Django's CSRF token (cookie and `X-CSRFToken` header).
    """
    if request.META.get("HTTP_ORIGIN") == f"{request.scheme}://{request.get_host()}":
        return
    check = _TokenCheck(_no_view)
    check.process_request(request)
    if reason := check.process_view(request, _no_view, (), {}):
        raise PermissionDenied(
            f"This change came with a session cookie but not from our own page: {reason}",
            code="CSRF_FAILED",
            cure="Send the CSRF token in X-CSRFToken, or use a bearer token or an API key.",
        )


def is_preflight(request: HttpRequest) -> bool:
    """Tell whether a browser asks for permission before the real request."""
    return request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META


def add_cors(request: HttpRequest, response: HttpResponseBase, *, methods: str) -> None:
    """Name an allowed foreign origin in the answer; without `CORS_ORIGINS` nothing is added."""
    if not settings.CORS_ORIGINS:
        return
    response.headers["Vary"] = ", ".join(filter(None, [response.headers.get("Vary"), "Origin"]))
    origin = str(request.META.get("HTTP_ORIGIN", ""))
    if origin not in settings.CORS_ORIGINS:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    if is_preflight(request):
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
