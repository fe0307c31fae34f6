"""What a request shows to prove who sends it; at most one thing counts."""

from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.http import HttpRequest

from apps.core.errors import Unauthenticated

Kind = Literal["cookie", "session", "access", "key"]
KEY_MARK = "osk_"
LONGEST = 4096


@dataclass(frozen=True)
class Shown:
    """A credential as sent; `secret` never leaves the resolver."""

    kind: Kind
    secret: str

    def __repr__(self) -> str:
        return f"Shown({self.kind})"


def shown_by(request: HttpRequest) -> Shown | None:
    """Return the credential of a request, or None.

    `x-api-key` and `Authorization: Bearer` count before the session cookie. Raises 401 when a header is
    malformed or when both headers are sent.
    """
    key = request.META.get("HTTP_X_API_KEY")
    bearer = request.META.get("HTTP_AUTHORIZATION")
    if key and bearer:
        raise Unauthenticated(
            "Send either x-api-key or Authorization, not both.", code="AMBIGUOUS_CREDENTIALS"
        )
    if key:
        return _key(key.strip())
    if bearer:
        return _bearer(bearer)
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return Shown("cookie", cookie) if cookie and len(cookie) <= LONGEST else None


def _bearer(header: str) -> Shown:
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > LONGEST or not token.isascii():
        raise Unauthenticated("The Authorization header must be 'Bearer <token>'.")
    if token.startswith(KEY_MARK):
        return _key(token)
    return Shown("access" if token.count(".") == 2 else "session", token)


def _key(key: str) -> Shown:
    if not key.startswith(KEY_MARK) or len(key) > LONGEST or not key.isascii():
        raise Unauthenticated("This is not an API key.", code="INVALID_API_KEY")
    return Shown("key", key)
