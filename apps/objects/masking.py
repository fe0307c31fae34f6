"""Masks: what those see of a value who may know that it is there and not what it is.

    redact   ••••••••
    partial  a•••@example.com, else A•••z (from six characters on)
    last4    ••••1234 (from eight characters on)
    hash     32 hexadecimal digits, equal for equal values of one tenant; keyed, so that nobody can try values out

Each is an SQL expression, so that a page stays one statement; `masked` says the same of a value at hand.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from psycopg import sql

from apps.core import sealing

DOTS, REDACTED = "•••", "••••••••"
SHORTEST_PARTIAL, SHORTEST_LAST4 = 6, 8
DIGITS, BLOCK = 32, 64
PURPOSE = "mask of values"


@dataclass(frozen=True)
class Mask:
    """One way to mask: `text` in Python, `expression` in SQL, where {0} is the value and {1}, {2} are `keys`."""

    text: Callable[[str, bytes], str]
    expression: str
    keys: Callable[[bytes], tuple[bytes, ...]] = lambda _key: ()


def _partial(text: str, _key: bytes) -> str:
    at = text.find("@")
    if at > 0:
        return text[0] + DOTS + text[at:]
    return text[0] + DOTS + text[-1] if len(text) >= SHORTEST_PARTIAL else DOTS


def _last4(text: str, _key: bytes) -> str:
    return DOTS + "•" + text[-4:] if len(text) >= SHORTEST_LAST4 else REDACTED


def _hash(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode(), "sha256").hexdigest()[:DIGITS]


def _pads(key: bytes) -> tuple[bytes, ...]:
    """Return the two blocks of HMAC-SHA256 (RFC 2104): PostgreSQL has SHA-256 without an extension, HMAC not."""
    padded = key.ljust(BLOCK, b"\0")
    return bytes(byte ^ 0x5C for byte in padded), bytes(byte ^ 0x36 for byte in padded)


MASKS: Mapping[str, Mask] = {
    "redact": Mask(lambda _text, _key: REDACTED, f"CASE WHEN {{0}} IS NOT NULL THEN '{REDACTED}' END"),
    "partial": Mask(
        _partial,
        f"CASE WHEN position('@' in {{0}}) > 1"
        f" THEN left({{0}}, 1) || '{DOTS}' || substring({{0}} from position('@' in {{0}}))"
        f" WHEN length({{0}}) >= {SHORTEST_PARTIAL} THEN left({{0}}, 1) || '{DOTS}' || right({{0}}, 1)"
        f" WHEN {{0}} IS NOT NULL THEN '{DOTS}' END",
    ),
    "last4": Mask(
        _last4,
        f"CASE WHEN length({{0}}) >= {SHORTEST_LAST4} THEN '{DOTS}•' || right({{0}}, 4)"
        f" WHEN {{0}} IS NOT NULL THEN '{REDACTED}' END",
    ),
    "hash": Mask(
        _hash,
        "left(encode(sha256(decode({1}, 'hex') || sha256(decode({2}, 'hex') || convert_to({0}, 'UTF8'))), 'hex'), 32)",
        _pads,
    ),
}
STRATEGIES = tuple(MASKS)


@lru_cache(maxsize=1_000)
def _key(tenant: UUID) -> bytes:
    return sealing.derived(f"{PURPOSE}/{tenant}")


def masked_sql(strategy: str, tenant: UUID, column: sql.Composable) -> sql.Composable:
    """Return the expression of a text column's mask."""
    mask = MASKS[strategy]
    keys = [sql.Literal(key.hex()) for key in mask.keys(_key(tenant))]
    return sql.SQL(mask.expression).format(column, *keys)


def masked(strategy: str, tenant: UUID, text: str | None) -> str | None:
    """Return the mask of a value at hand; nothing stays nothing."""
    return None if text is None else MASKS[strategy].text(text, _key(tenant))
