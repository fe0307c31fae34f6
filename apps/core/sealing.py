"""Sealed texts: what must be read again but never lie open in the database, bound to the place where it lies.

`seal` and `unseal`: AES-256-GCM with a key per purpose, derived from SECRET_KEY; texts sealed with a key of
SECRET_KEY_FALLBACKS still open. Form: one byte of version, twelve of nonce, the ciphertext with its tag.
`Key`: a key of its own, which somebody keeps sealed; the same cipher without the byte of version.
"""

import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

VERSION, NONCE = b"\x01", 12


class SealBroken(ValueError):
    """The bytes were not sealed here, not for this place, or with a key that nobody has any more."""


def derived(purpose: str, secret: str | None = None) -> bytes:
    """Return the 32 bytes that SECRET_KEY (or `secret`) means for one purpose."""
    info = f"aibos/seal/{purpose}".encode()
    whole = settings.SECRET_KEY if secret is None else secret
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(whole.encode())


@lru_cache(maxsize=32)
def _cipher(purpose: str, secret: str) -> AESGCM:
    return AESGCM(derived(purpose, secret))


def seal(purpose: str, place: str, text: bytes) -> bytes:
    """Return `text` sealed for one purpose and one place (`table/row`); it opens nowhere else."""
    nonce = os.urandom(NONCE)
    return VERSION + nonce + _cipher(purpose, settings.SECRET_KEY).encrypt(nonce, text, place.encode())


def unseal(purpose: str, place: str, sealed: bytes) -> bytes:
    """Return what was sealed for this purpose and place; raises SealBroken."""
    if sealed[:1] != VERSION:
        raise SealBroken("The text was sealed in a way that is not known here.")
    nonce, text = sealed[1 : 1 + NONCE], sealed[1 + NONCE :]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _cipher(purpose, secret).decrypt(nonce, text, place.encode())
        except InvalidTag:
            continue
    raise SealBroken("The text cannot be opened with the keys of this installation.")


class Key:
    """A key of its own: AES-256-GCM, each box with a fresh nonce, bound to a place. Form: nonce, ciphertext, tag."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, text: bytes, bound: bytes) -> bytes:
        """Return `text` in a box that opens with the same `bound` only."""
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, text, bound)

    def open(self, box: bytes, bound: bytes) -> bytes:
        """Return the text of a box; raises SealBroken when a bit of it, or its place, is another."""
        try:
            return self._cipher.decrypt(box[:NONCE], box[NONCE:], bound)
        except (InvalidTag, ValueError) as error:
            raise SealBroken("The box was not closed with this key for this place.") from error
