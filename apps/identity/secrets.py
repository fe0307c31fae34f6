"""Random credentials and the only form in which they are stored."""

import base64
import hashlib
import hmac
import secrets

from django.conf import settings


def new_token() -> str:
    """Return 256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return the stored form of a random token; a slow hash adds nothing at 256 bits (ASVS 6.5.2)."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def derived(purpose: str, *parts: object) -> str:
    """Return a token that only this installation can compute again, for links mailed later by a job."""
    message = "\x1f".join(map(str, parts)).encode()
    return base64.urlsafe_b64encode(keyed(purpose, settings.SECRET_KEY, message)).rstrip(b"=").decode()


def keyed(purpose: str, secret: str, message: bytes = b"") -> bytes:
    """Return 32 bytes that belong to one purpose and one secret."""
    key = hashlib.sha256(f"aibos.identity.{purpose}\x1f{secret}".encode()).digest()
    return hmac.new(key, message, hashlib.sha256).digest()
