"""Canonical JSON (RFC 8785) of the values a ledger entry may hold."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
import rfc8785

SAFE_INTEGER = 2**53 - 1


def dumps(value: Any) -> bytes:
    """Return the RFC 8785 bytes of `value`.

    Decimals, UUIDs, dates, times and integers beyond 2^53 become strings; floats are refused with
    `TypeError`, because two writers may print the same amount differently.
    """
    values = plain(value)
    return (
        orjson.dumps(values, option=orjson.OPT_SORT_KEYS) if _sorts_alike(values) else rfc8785.dumps(values)
    )


def _sorts_alike(value: Any) -> bool:
    """Return whether sorting keys by UTF-8 (orjson) and by UTF-16 (RFC 8785) is the same.

    It is, unless a key leaves the range below the surrogates. Without floats and large integers nothing else
    differs; orjson takes a twentieth of the time.
    """
    if isinstance(value, dict):
        return all(max(key, default="") < "\ud800" and _sorts_alike(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_sorts_alike, value))
    return True


def plain(value: Any) -> Any:  # noqa: C901, PLR0911 - one line per type
    """Return `value` in the types JSON knows, without floats."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, int):
        return value if abs(value) <= SAFE_INTEGER else str(value)
    if isinstance(value, float):
        msg = f"A float ({value!r}) has no canonical form here; use Decimal or a string."
        raise TypeError(msg)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return instant(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [plain(item) for item in value]
        return sorted(items, key=str) if isinstance(value, set | frozenset) else items
    msg = f"{type(value).__name__} cannot be written to the ledger."
    raise TypeError(msg)


def instant(value: dt.datetime) -> str:
    """Return `YYYY-MM-DDTHH:MM:SS.mmmZ` in UTC; a naive time is taken as UTC."""
    value = value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
