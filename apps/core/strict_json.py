"""The strict JSON parser: what two readers could read differently is refused."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

from apps.core.errors import Problem

MAX_DEPTH = 32
MAX_DIGITS = 400
MAX_EXPONENT = 308


class _Refused(ValueError):
    """A document that is syntactically JSON and still refused."""


def parse(raw: bytes) -> Any:
    """Return the value of one UTF-8 JSON document; raise `Problem` 400 INVALID_JSON."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(f"The body is not UTF-8: {error.reason}.", error.start)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_decimal,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        _refuse(f"The body is not JSON: {error.msg}.", error.pos, line=error.lineno, column=error.colno)
    except _Refused as error:
        _refuse(str(error), None)
    except RecursionError:
        _refuse(f"The body is nested deeper than {MAX_DEPTH} levels.", None)
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        _refuse(f"The body is nested deeper than {MAX_DEPTH} levels.", None)
    if b"\\u" in raw or b"\x00" in raw:
        _check_text(value)
    return value


def _refuse(message: str, offset: int | None, **position: int) -> NoReturn:
    where = {"offset": offset, **position} if offset is not None else None
    raise Problem("INVALID_JSON", message, status=400, details={"position": where} if where else {})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            msg = f"The key {key[:80]!r} occurs twice in one object."
            raise _Refused(msg)
        seen.add(key)
    return values


def _constant(name: str) -> NoReturn:
    msg = f"{name} is not a JSON number."
    raise _Refused(msg)


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        msg = f"A number has more than {MAX_DIGITS} digits."
        raise _Refused(msg)
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        msg = f"A number has more than {MAX_DIGITS} digits."
        raise _Refused(msg)
    number = Decimal(text)
    if abs(number.adjusted()) > MAX_EXPONENT:
        msg = f"A number is beyond 1e±{MAX_EXPONENT}."
        raise _Refused(msg)
    return number


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _is_deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for item in level for child in _children(item) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _check_text(value: Any) -> None:
    def walk(item: Any, check: Callable[[str], None]) -> None:
        if isinstance(item, str):
            check(item)
        elif isinstance(item, dict):
            for key, child in item.items():
                check(key)
                walk(child, check)
        elif isinstance(item, list):
            for child in item:
                walk(child, check)

    def whole(text: str) -> None:
        if "\x00" in text:
            _refuse("A text contains the character U+0000, which cannot be stored.", None)
        if any("\ud800" <= character <= "\udfff" for character in text):
            _refuse("A text contains half of a surrogate pair.", None)

    walk(value, whole)
