"""What the platform's own host answers where there is nothing, and where something broke."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404 outside the console, for anybody."""
    return render(request, "errors/no_page.html", status=404)


def failed(request: HttpRequest) -> HttpResponse:
    """500: reads nothing from the database, which may be what failed."""
    context = {"request_id": getattr(request, "request_id", "")}
    return HttpResponse(render_to_string("errors/500.html", context), status=500)
