"""Values while an expression runs: what equals what, what comes before what, and arithmetic that never rounds in silence.

An absent value is None. Whole numbers are 64 bits wide, decimals exact: a quotient keeps 20 decimals and
cuts the rest, everything else keeps every digit. A value that an operation cannot work with is a `Fault`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Any
from uuid import UUID

from apps.core.cel.errors import Fault

LOW, HIGH = -(2**63), 2**63 - 1
UINT_HIGH = 2**64 - 1
DECIMALS = 20
EXACT = Context(
    prec=2_000, Emax=4_000, Emin=-4_000, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow]
)
CUTTING = Context(prec=4_000, Emax=8_000, Emin=-8_000, traps=[InvalidOperation, DivisionByZero, Overflow])


class UInt(int):
    """A whole number without sign."""


class TypeName(str):
    """The name of a type; equal to another name, never to a text."""

    __slots__ = ()


NUMBERS = (int, float, Decimal)  # a bool is an int to Python, never here
WORDS: Mapping[type, str] = {
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    Decimal: "decimal",
    str: "string",
    TypeName: "type",
    bytes: "bytes",
    list: "list",
    dict: "map",
    type(None): "null_type",
    dt.date: "date",
    dt.datetime: "timestamp",
    dt.timedelta: "duration",
}


def word(value: Any) -> str:
    """Return the name of a value's type, as `type()` says it."""
    return WORDS.get(type(value), type(value).__name__)


def plain(value: Any) -> Any:
    """Return a column's value as expressions know it: an id is text, an instant is in UTC."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, list) and value and isinstance(value[0], UUID):
        return [str(item) for item in value]
    return value


def is_number(value: Any) -> bool:
    return isinstance(value, NUMBERS) and not isinstance(value, bool)


def midnight(day: dt.date) -> dt.datetime:
    """Return the instant a day begins, in UTC."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _is_day(value: Any) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


def equal(a: Any, b: Any) -> bool:
    """Say whether two values are equal; values of different kinds are not, numbers are by what they count."""
    if a is None or b is None:
        return a is b
    if is_number(a) and is_number(b):
        return bool(a == b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return len(a) == len(b) and all(
            (other := lookup(b, key)) is not MISSING and equal(value, other) for key, value in a.items()
        )
    if isinstance(a, dt.date) and isinstance(b, dt.date) and _is_day(a) != _is_day(b):
        return (midnight(a) if _is_day(a) else a) == (midnight(b) if _is_day(b) else b)
    return type(a) is type(b) and bool(a == b)


MISSING = object()


def lookup(holder: Mapping[Any, Any], key: Any) -> Any:
    """Return what a map holds under a key, or MISSING; 1, 1u and 1.0 are one key, true is another."""
    found = holder.get(key, MISSING) if isinstance(key, str | bool | int | float | Decimal) else MISSING
    if found is MISSING or isinstance(key, str):
        return found
    # To Python true and 1 are one key.
    return next(
        (v for k, v in holder.items() if k == key and isinstance(k, bool) == isinstance(key, bool)), MISSING
    )


def before(a: Any, b: Any) -> bool:
    """Say whether `a` comes before `b`."""
    if is_number(a) and is_number(b):
        return bool(a < b)
    if isinstance(a, dt.date) and isinstance(b, dt.date):
        if _is_day(a) != _is_day(b):
            a, b = (midnight(a) if _is_day(a) else a), (midnight(b) if _is_day(b) else b)
        return bool(a < b)
    if type(a) is type(b) and isinstance(a, str | bytes | bool | dt.timedelta):
        return bool(a < b)
    if a is None or b is None:
        raise Fault("An absent value cannot be compared.", "null_operand")
    raise Fault(f"{word(a)} and {word(b)} cannot be compared.", "no_such_overload")


def _not_equal_nan(a: Any, b: Any) -> bool:
    """Not a number comes neither before nor after anything."""
    return (isinstance(a, float) and a != a) or (isinstance(b, float) and b != b)  # noqa: PLR0124 - that is its test


COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": before,
    ">": lambda a, b: before(b, a),
    "<=": lambda a, b: not before(b, a) and not _not_equal_nan(a, b),
    ">=": lambda a, b: not before(a, b) and not _not_equal_nan(a, b),
}


# -- arithmetic ----------------------------------------------------------------------------------------


def whole(value: int, *, unsigned: bool = False) -> int:
    """Return a whole number that fits its 64 bits."""
    if unsigned:
        if not 0 <= value <= UINT_HIGH:
            raise Fault("The whole number overflows.", "overflow")
        return UInt(value)
    if not LOW <= value <= HIGH:
        raise Fault("The whole number overflows.", "overflow")
    return value


def exactly(value: Any) -> Decimal:
    """Return a number as an exact decimal."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - the test of NaN
            raise Fault("The number is not finite.", "overflow")
        return Decimal(repr(value))
    return Decimal(int(value))


def _cut(a: int, b: int) -> int:
    """Return a / b without its remainder: to zero, not down."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _whole(sign: str, a: int, b: int) -> int:
    if sign in "/%" and b == 0:
        raise Fault("Division by zero.", "division_by_zero")
    match sign:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return _cut(a, b)
    return a - b * _cut(a, b)


def _double(sign: str, a: float, b: float) -> float:
    match sign:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/" if b == 0:
            return float("nan") if a == 0 or a != a else a * float("inf") * (1 if str(b)[0] != "-" else -1)  # noqa: PLR0124
        case "/":
            return a / b
    raise Fault("A double has no remainder.", "no_such_overload")


def _decimal(sign: str, a: Decimal, b: Decimal) -> Decimal:
    if sign in "/%" and b == 0:
        raise Fault("Division by zero.", "division_by_zero")
    try:
        match sign:
            case "+":
                return EXACT.add(a, b)
            case "-":
                return EXACT.subtract(a, b)
            case "*":
                return EXACT.multiply(a, b)
            case "/":
                return CUTTING.divide_int(CUTTING.scaleb(a, DECIMALS), b).scaleb(-DECIMALS, CUTTING)
        return CUTTING.remainder(a, b)
    except (Inexact, InvalidOperation, Overflow) as error:
        raise Fault("The number has too many digits.", "overflow") from error


def arithmetic(sign: str, a: Any, b: Any) -> Any:
    """Return `a sign b`."""
    if is_number(a) and is_number(b):
        return _numbers(sign, a, b)
    try:
        if sign == "+":
            return _sum(a, b)
        if sign == "-":
            return _difference(a, b)
    except OverflowError as error:
        raise Fault("The moment is out of range.", "overflow") from error
    raise _unfit(sign, a, b)


def _numbers(sign: str, a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int) and isinstance(a, UInt) == isinstance(b, UInt):
        return whole(_whole(sign, int(a), int(b)), unsigned=isinstance(a, UInt))
    if isinstance(a, float) and isinstance(b, float):
        return _double(sign, a, b)
    return _decimal(sign, exactly(a), exactly(b))


def _sum(a: Any, b: Any) -> Any:
    if type(a) is type(b) and isinstance(a, str | bytes | list):
        return a + b
    if isinstance(b, dt.datetime) and isinstance(a, dt.timedelta):
        a, b = b, a
    if isinstance(b, dt.timedelta) and isinstance(a, dt.datetime | dt.timedelta):
        return _span(a + b)
    raise _unfit("+", a, b)


def _difference(a: Any, b: Any) -> Any:
    if isinstance(b, dt.timedelta) and isinstance(a, dt.datetime | dt.timedelta):
        return _span(a - b)
    if isinstance(a, dt.datetime) and isinstance(b, dt.datetime):
        return _span(a - b)
    raise _unfit("-", a, b)


def _span(value: Any) -> Any:
    """The specification bounds a duration by 64 bits of nanoseconds."""
    if isinstance(value, dt.timedelta) and abs(value) > dt.timedelta(microseconds=HIGH // 1000):
        raise Fault("The duration is out of range.", "overflow")
    return value


def negative(value: Any) -> Any:
    """Return `-value`."""
    if isinstance(value, int) and not isinstance(value, bool | UInt):
        return whole(-value)
    if isinstance(value, float | dt.timedelta):
        return -value
    if isinstance(value, Decimal):
        return EXACT.minus(value)
    raise _unfit("-", value)


def _unfit(sign: str, *values: Any) -> Fault:
    if any(value is None for value in values):
        return Fault(f"'{sign}' cannot work on an absent value.", "null_operand")
    return Fault(f"'{sign}' does not work on {' and '.join(map(word, values))}.", "no_such_overload")
