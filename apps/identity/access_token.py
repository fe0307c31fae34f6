"""Short-lived signed access tokens (JWT, HS256) that name their tenant and the family they belong to.

Keys are derived from SECRET_KEY and SECRET_KEY_FALLBACKS, each with its own `kid`: put the old secret among
the fallbacks and tokens signed with it stay valid until they expire.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

import jwt
from django.conf import settings

from apps.core.errors import Unauthenticated
from apps.identity.secrets import keyed, new_token

ALGORITHM = "HS256"
AUDIENCE = "aibos"
TYPE = "at+jwt"


@dataclass(frozen=True)
class Claims:
    """The checked content of an access token; `family` is the session it was issued for."""

    user_id: UUID
    family: UUID
    tenant_id: UUID | None
    expires_at: datetime


def lifetime() -> timedelta:
    """Return how long an access token is valid."""
    return timedelta(minutes=settings.ACCESS_TOKEN_MINUTES)


def sign(*, user_id: UUID, family: UUID, tenant_id: UUID | None, now: datetime) -> str:
    """Return an access token, signed with the newest key."""
    kid, key = _keys()[0]
    claims = {
        "sub": str(user_id),
        "sid": str(family),
        "tid": str(tenant_id) if tenant_id else None,
        "aud": AUDIENCE,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime()).timestamp()),
        "jti": new_token()[:22],
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid, "typ": TYPE})


def read(token: str) -> Claims:
    """Return the claims of a token whose signature, audience and time hold; raise 401 otherwise."""
    try:
        claims = _verified(token, _keys())
    except jwt.ExpiredSignatureError as error:
        raise _expired() from error
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unauthenticated("This access token is not valid.", code="INVALID_TOKEN") from error
    if claims.expires_at <= datetime.now(UTC):
        raise _expired()
    return claims


@lru_cache(maxsize=4096)
def _verified(token: str, keys: tuple[tuple[str, bytes], ...]) -> Claims:
    """Return the content of a token that a key of ours signed; the time is checked again at each use."""
    header = jwt.get_unverified_header(token)
    if header.get("typ") != TYPE:
        raise jwt.InvalidTokenError
    claims = jwt.decode(
        token,
        dict(keys)[header["kid"]],
        algorithms=[ALGORITHM],
        audience=AUDIENCE,
        options={"require": ["exp", "iat", "sub", "sid", "tid", "aud"]},
    )
    return Claims(
        user_id=UUID(claims["sub"]),
        family=UUID(claims["sid"]),
        tenant_id=UUID(claims["tid"]) if claims["tid"] else None,
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _expired() -> Unauthenticated:
    return Unauthenticated("The access token has expired.", code="TOKEN_EXPIRED")


def _keys() -> tuple[tuple[str, bytes], ...]:
    return _derived(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=8)
def _derived(*secrets: str) -> tuple[tuple[str, bytes], ...]:
    """Return (kid, key) of every secret, the newest first."""
    keys = [keyed("access-token", secret) for secret in secrets]
    return tuple((keyed("kid", key.hex()).hex()[:12], key) for key in keys)
