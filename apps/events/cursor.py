"""Cursors of the log as they leave the house: sealed, so that they tell nothing and fit one tenant only.

A place holds a transaction number of the whole database and the id of an event that the reader may not have been
shown; both would tell what others do.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from apps.events.log import Place

LONGEST = 100


@lru_cache(maxsize=4)
def _cipher(secret: str) -> AESSIV:
    key = HKDF(algorithm=SHA256(), length=64, salt=None, info=b"aibos/events.cursor").derive(secret.encode())
    return AESSIV(key)


def seal(tenant_id: UUID, place: Place) -> str:
    """Return the cursor of a place; one place always has the same."""
    plain = place.xid.to_bytes(8) + place.id.bytes
    sealed = _cipher(settings.SECRET_KEY).encrypt(plain, [tenant_id.bytes])
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(tenant_id: UUID, cursor: str) -> Place | None:
    """Return the place of a cursor; None for one that was changed, or sealed for another tenant or key."""
    if len(cursor) > LONGEST or not cursor.isascii():
        return None
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        plain = _cipher(settings.SECRET_KEY).decrypt(sealed, [tenant_id.bytes])
    except (ValueError, InvalidTag):
        return None
    return Place(int.from_bytes(plain[:8]), UUID(bytes=plain[8:]))
