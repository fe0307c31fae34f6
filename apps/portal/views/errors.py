"""Pages for what goes wrong outside a view of ours."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from apps.core.errors import NotFound, PermissionDenied
from apps.portal.views.frame import refusal


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404 for an address that does not exist."""
    return refusal(request, NotFound(_("There is no page at this address."), code="ENDPOINT_NOT_FOUND"))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403 raised by Django itself."""
    return refusal(request, PermissionDenied(_("You may not do this.")))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose protection token is missing or stale."""
    context: dict[str, Any] = {"request_id": getattr(request, "request_id", "")}
    return render(request, "errors/csrf.html", context, status=403)


def failed(request: HttpRequest) -> HttpResponse:
    """500: reads nothing from the database, which may be what failed."""
    context = {"request_id": getattr(request, "request_id", "")}
    return HttpResponse(render_to_string("errors/500.html", context), status=500)


def catch_all(request: HttpRequest, rest: str) -> HttpResponse:
    """404 inside the portal's own frame, for members and visitors alike."""
    return not_found(request)
