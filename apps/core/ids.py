"""UUIDv7 identifiers: ordered by time, random enough to be unguessable in bulk (RFC 9562 §5.7)."""

import os
import threading
import time
from uuid import UUID

NIL = UUID(int=0)

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """Return a UUIDv7 that is greater than every one this process returned before.

    Layout: 48 bits Unix milliseconds, version, 12 bits sub-millisecond counter, variant, 62 random bits.
    """
    global _last  # noqa: PLW0603 - one counter per process, under its lock
    stamp = time.time_ns() * 4096 // 1_000_000  # milliseconds with 12 fractional bits
    with _lock:
        stamp = max(stamp, _last + 1)
        _last = stamp
    random = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random
    return UUID(int=value)
