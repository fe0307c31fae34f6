"""The cookie of a browser that has signed in before: it keeps its owner out of a lock-out others caused."""

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.identity.secrets import new_token

SALT = "aibos.identity.device"
SECONDS = 365 * 24 * 3600


def cookie_name() -> str:
    """Return the cookie's name; with HTTPS it carries the prefix that binds it to one host."""
    return "__Host-aibos_device" if settings.SESSION_COOKIE_SECURE else "aibos_device"


def read_device(request: HttpRequest) -> str | None:
    """Return `<user id>:<random>` when the request carries a device cookie of ours, else None."""
    value = request.COOKIES.get(cookie_name())
    if not value:
        return None
    try:
        device = signing.loads(value, salt=SALT, max_age=SECONDS)
    except signing.BadSignature:
        return None
    return device if isinstance(device, str) else None


def remember_device(response: HttpResponseBase, *, user_id: object) -> None:
    """Mark the browser as one on which this person signed in; call it after a successful sign-in page."""
    response.set_cookie(
        cookie_name(),
        signing.dumps(f"{user_id}:{new_token()[:16]}", salt=SALT),
        max_age=SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
