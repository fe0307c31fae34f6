"""Signatures as the Standard Webhooks specification 1.0 writes them: `v1,<base64 of HMAC-SHA256>`.

What is signed is `id.timestamp.body`, bytes as sent. Several signatures stand in one header, a space between.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
LEAST, MOST = 24, 64


class BadSecret(ValueError):
    """The text is no secret of the specification."""


def key_of(secret: str) -> bytes:
    """Return the key of a secret (`whsec_` and base64 of 24 to 64 bytes, the prefix may be missing)."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSecret("The secret is not whsec_ followed by base64.") from error
    if not LEAST <= len(key) <= MOST:
        raise BadSecret("The secret must hold 24 to 64 bytes.")
    return key


def secret_of(key: bytes) -> str:
    """Return how a key is written."""
    return PREFIX + base64.b64encode(key).decode()


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature of the header `webhook-signature`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers; every key that is valid signs, so that receivers may change theirs in between."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in keys),
    }


def verifies(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes, given: str) -> bool:
    """Return whether one of the signatures in the header `given` is one of the keys'; in constant time each."""
    wanted = [signature(key, message_id, timestamp, body).encode() for key in keys]
    parts = [part.encode() for part in given.split(" ") if part.startswith("v1,")][:16]
    return any(hmac.compare_digest(part, right) for part in parts for right in wanted)
