"""The theme's colours as a stylesheet made of the design tokens."""

from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from apps.console.tokens import scales

RADIUS = "8px"


@lru_cache(maxsize=1)
def _text() -> str:
    lines = [f"--border-radius:{RADIUS}"]
    lines += [
        f"--color-{name}-{step}:{value}" for name, steps in scales().items() for step, value in steps.items()
    ]
    return "html:root{" + ";".join(lines) + "}"


@require_safe
def stylesheet(request: HttpRequest) -> HttpResponse:
    """The colour scales; kept by browsers for an hour."""
    response = HttpResponse(_text(), content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "public, max-age=3600"
    return response
