"""The links of a ledger: SHA-256 over `0x00 || ledger id (16) || seq (8, big endian) || prev (32) || body`.

The leading zero is RFC 6962's leaf prefix; the ledger's id pins an entry to its tenant.
"""

import hashlib
from uuid import UUID

from apps.audit.models import GENESIS

__all__ = ["GENESIS", "link", "prefix_of"]


def prefix_of(ledger: UUID) -> bytes:
    """Return the bytes that every hash of this ledger starts with."""
    return b"\x00" + ledger.bytes


def link(prefix: bytes, seq: int, prev: bytes, body: bytes) -> bytes:
    """Return the hash of entry `seq` whose predecessor hashes to `prev`."""
    return hashlib.sha256(prefix + seq.to_bytes(8, "big") + prev + body).digest()
