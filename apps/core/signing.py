"""Signatures of what leaves the installation: Ed25519, with a key derived from SECRET_KEY."""

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


@lru_cache(maxsize=8)
def _private(purpose: str, secret: str) -> Ed25519PrivateKey:
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"aibos/{purpose}".encode()).derive(
        secret.encode()
    )
    return Ed25519PrivateKey.from_private_bytes(seed)


def sign(purpose: str, message: bytes) -> bytes:
    """Return the 64 byte signature of `message` by this installation's key for `purpose`."""
    return _private(purpose, settings.SECRET_KEY).sign(message)


def public_key(purpose: str) -> bytes:
    """Return the 32 byte public key for `purpose`."""
    return _private(purpose, settings.SECRET_KEY).public_key().public_bytes_raw()


def public_keys(purpose: str) -> list[bytes]:
    """Return the public keys for `purpose` that still count: the one in force, then those of older secrets."""
    return [
        _private(purpose, secret).public_key().public_bytes_raw()
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]


def signatures(purpose: str, message: bytes) -> list[tuple[bytes, bytes]]:
    """Return (public key, signature) by every key that still counts, the one in force first.

    Who pinned the key before a rotation can check what is signed during it.
    """
    keys = [_private(purpose, secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return [(key.public_key().public_bytes_raw(), key.sign(message)) for key in keys]


def verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` is that of `key` over `message`; malformed input is False."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(key: bytes) -> str:
    """Return the SHA-256 of a public key, as people compare it."""
    return hashlib.sha256(key).hexdigest()
