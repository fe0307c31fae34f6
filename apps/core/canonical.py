"""Canonical JSON (RFC 8785) of the values a ledger entry may hold."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
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
    if type(value) is dict:
        return all(key.isascii() or max(key) < "\ud800" for key in value) and all(
            _sorts_alike(item) for item in value.values() if type(item) in _CONTAINERS
        )
    if type(value) is list:
        return all(_sorts_alike(item) for item in value if type(item) in _CONTAINERS)
    return True


def plain(value: Any) -> Any:
    """Return `value` in the types JSON knows, without floats."""
    convert = _CONVERT.get(type(value))
    return convert(value) if convert else _related(value)


def _related(value: Any) -> Any:
    """Convert a value of a derived type as the type it is derived from."""
    if isinstance(value, Enum):
        return plain(value.value)
    for kind, convert in _CONVERT.items():
        if isinstance(value, kind):
            return convert(value)
    if isinstance(value, Mapping):
        return _object(value)
    msg = f"{type(value).__name__} cannot be written to the ledger."
    raise TypeError(msg)


def _same(value: Any) -> Any:
    return value


def _text(value: str) -> str:
    return value if type(value) is str else str.__str__(value)


def _integer(value: int) -> int | str:
    return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)


def _float(value: float) -> Any:
    msg = f"A float ({value!r}) has no canonical form here; use Decimal or a string."
    raise TypeError(msg)


def _object(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): plain(item) for key, item in value.items()}


def _array(value: Iterable[Any]) -> list[Any]:
    return [plain(item) for item in value]


def _set(value: Iterable[Any]) -> list[Any]:
    return sorted(map(plain, value), key=str)


def instant(value: dt.datetime) -> str:
    """Return `YYYY-MM-DDTHH:MM:SS.mmmZ` in UTC; a naive time is taken as UTC."""
    value = value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


# By exact type, since a look-up costs a tenth of a row of isinstance(); the order matters for derived types only.
_CONVERT: dict[type, Callable[[Any], Any]] = {
    str: _text,
    type(None): _same,
    bool: _same,
    int: _integer,
    dict: _object,
    list: _array,
    tuple: _array,
    UUID: str,
    dt.datetime: instant,
    Decimal: "{:f}".format,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    set: _set,
    frozenset: _set,
    float: _float,
}
_CONTAINERS = frozenset({dict, list})
