"""The language and time zone in which a page speaks."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.utils import timezone, translation
from django.utils.translation import trans_real

COOKIE = "aibos_language"
ZONES = frozenset(available_timezones())


def supported(code: str | None) -> str | None:
    """Return the shipped language for a wish such as zh-CN or de_AT, or None."""
    if not code:
        return None
    try:
        return translation.get_supported_language_variant(code.replace("_", "-").lower())
    except LookupError:
        return None


def language_for(request: HttpRequest) -> str:
    """Return the language: the member's, the one chosen on this device, the browser's, the tenant's."""
    identity = getattr(request, "identity", None)
    tenant = getattr(request, "tenant", None)
    return (
        supported(identity.user.locale if identity else None)
        or supported(request.COOKIES.get(COOKIE))
        or _accepted(request)
        or supported(tenant.locale if tenant else None)
        or settings.LANGUAGE_CODE
    )


def zone_for(request: HttpRequest) -> ZoneInfo:
    """Return the member's time zone, else the tenant's, else UTC."""
    identity = getattr(request, "identity", None)
    tenant = getattr(request, "tenant", None)
    for name in (identity.user.time_zone if identity else "", tenant.time_zone if tenant else ""):
        if name in ZONES:
            return ZoneInfo(name)
    return ZoneInfo("UTC")


def _accepted(request: HttpRequest) -> str | None:
    header = request.META.get("HTTP_ACCEPT_LANGUAGE", "")
    for code, _quality in trans_real.parse_accept_lang_header(header):
        found = supported(code)
        if found:
            return found
    return None


class LocaleMiddleware:
    """Activates language and time zone for the request and names the language in the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request in the reader's language and zone; both end with it."""
        language = language_for(request)
        with translation.override(language), timezone.override(zone_for(request)):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
            if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
                response.render()
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Language", language)
        return response
