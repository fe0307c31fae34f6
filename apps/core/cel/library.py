"""What each function of an expression does. Absent values are faults unless the function is made for them."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import cache, reduce
from typing import Any

from apps.core.cel import clocks
from apps.core.cel.errors import Fault
from apps.core.cel.letters import LOWER, UPPER
from apps.core.cel.values import CUTTING, TypeName, before, equal, exactly, is_number, negative, whole, word

WHOLE = re.compile(r"[-+]?[0-9]+", re.ASCII)
NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
MOST_PLACES = 20
TRUE, FALSE = (
    frozenset({"1", "t", "T", "true", "TRUE", "True"}),
    frozenset({"0", "f", "F", "false", "FALSE", "False"}),
)
LONG_NAMES = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}
BLANKS = " \t\n\r\f\v"
Function = Callable[..., Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Fault(
            f"A text is needed, not {word(value)}.", "null_operand" if value is None else "no_such_overload"
        )
    return value


def _unfit(name: str, value: Any) -> Fault:
    return Fault(
        f"{name}() does not take {word(value)}.", "null_operand" if value is None else "no_such_overload"
    )


def size(value: Any) -> int:
    """Count characters, bytes, items or keys."""
    if isinstance(value, str | bytes | list | Mapping):
        return len(value)
    raise _unfit("size", value)


def contains(holder: Any, part: Any) -> bool:
    """Say whether a text holds another, or a list an item."""
    if isinstance(holder, list):
        return any(equal(item, part) for item in holder)
    return _text(part) in _text(holder)


@cache
def _re2() -> Any:
    # Imported with the first pattern: it weighs 10 MB, and most processes never match one.
    from cel_expr_python import cel  # noqa: PLC0415

    env = cel.NewEnv(variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING})
    return env.compile("text.matches(pattern)")


def matches(text: Any, pattern: Any) -> bool:
    """Search with RE2, whose time grows with the text alone, whatever the pattern."""
    found = _re2().eval(data={"text": _text(text), "pattern": _text(pattern)}).value()
    if not isinstance(found, bool):
        raise Fault("The pattern is no regular expression.", "pattern")
    return found


def to_int(value: Any) -> int:
    """Return a whole number; decimals lose what follows the point."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dt.datetime):
        return (value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1)
    if isinstance(value, str):
        if not WHOLE.fullmatch(value) or len(value) > 40:
            raise Fault(f"{value[:40]!r} is no whole number.", "conversion")
        return whole(int(value))
    if isinstance(value, float) and not (math.isfinite(value) and -(2.0**63) < value < 2.0**63):
        raise Fault("The number is out of range.", "overflow")
    if is_number(value):
        return whole(int(value))
    raise _unfit("int", value)


def to_uint(value: Any) -> int:
    """Return a whole number without sign."""
    if isinstance(value, str):
        if not WHOLE.fullmatch(value) or len(value) > 40:
            raise Fault(f"{value[:40]!r} is no whole number.", "conversion")
        return whole(int(value), unsigned=True)
    if isinstance(value, float) and not (math.isfinite(value) and value < 2.0**64):
        raise Fault("The number is out of range.", "overflow")
    if is_number(value):
        return whole(int(value), unsigned=True)
    raise _unfit("uint", value)


def to_double(value: Any) -> Any:
    """Return a double; an exact decimal stays one."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError as error:
            raise Fault(f"{value[:40]!r} is no number.", "conversion") from error
    if is_number(value):
        return float(value)
    raise _unfit("double", value)


def to_decimal(value: Any) -> Decimal:
    """Return an exact decimal."""
    if isinstance(value, str):
        if not NUMBER.fullmatch(value) or len(value) > 100:
            raise Fault(f"{value[:40]!r} is no number.", "conversion")
        return Decimal(value)
    if is_number(value):
        return exactly(value)
    raise _unfit("decimal", value)


def to_string(value: Any) -> str:
    """Return the text of a value: numbers without needless zeros, moments as RFC 3339 writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        text = format(value, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text in ("-0", "") else text
    if isinstance(value, float):
        return _double_text(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise Fault("The bytes are no UTF-8.", "conversion") from error
    if isinstance(value, dt.date | dt.timedelta):
        return clocks.written(value)
    if isinstance(value, str | int):
        return str(value)
    raise _unfit("string", value)


def _double_text(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(value).removesuffix(".0")


def to_bytes(value: Any) -> bytes:
    """Return the UTF-8 of a text."""
    return value if isinstance(value, bytes) else _text(value).encode()


def to_bool(value: Any) -> bool:
    """Return the truth that a text spells."""
    if isinstance(value, bool):
        return value
    if _text(value) not in TRUE | FALSE:
        raise Fault(f"{value[:40]!r} is neither true nor false.", "conversion")
    return value in TRUE


def to_duration(value: Any) -> dt.timedelta:
    """Return a duration, or that of a text."""
    return value if isinstance(value, dt.timedelta) else clocks.length(_text(value))


# -- the words of business -----------------------------------------------------------------------------


def is_empty(value: Any) -> bool:
    """Say whether there is nothing: absent, or a text, list or map without anything in it."""
    return value is None or (isinstance(value, str | bytes | list | Mapping) and not value)


def is_blank(value: Any) -> bool:
    """Say whether there is nothing to read: empty, or white space only."""
    return is_empty(value.strip(BLANKS) if isinstance(value, str) else value)


def coalesce(*values: Any) -> Any:
    """Return the first value that is there, or None."""
    return next((value for value in values if value is not None), None)


def join_non_empty(values: Any, between: Any) -> str:
    """Join the texts of a list that are not blank."""
    if not isinstance(values, list):
        raise _unfit("joinNonEmpty", values)
    return _text(between).join([to_string(value) for value in values if not is_blank(value)])


def absolute(value: Any) -> Any:
    """Return the number without its sign."""
    if not is_number(value):
        raise _unfit("abs", value)
    return value if value >= 0 else negative(value)


def _rounding(name: str, how: str) -> Function:
    def rounded(value: Any, places: Any = 0) -> Decimal:
        if not is_number(value) or not isinstance(places, int) or isinstance(places, bool):
            raise _unfit(name, value)
        if not 0 <= places <= MOST_PLACES:
            raise Fault(f"{name}() keeps 0 to {MOST_PLACES} decimals.", "conversion")
        number = exactly(value)
        found = number.quantize(Decimal(1).scaleb(-places), rounding=how, context=CUTTING)
        return found or Decimal(0)

    return rounded


def _extreme(name: str, first: Callable[[Any, Any], bool]) -> Function:
    def chosen(*values: Any) -> Any:
        items = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
        if not items:
            raise Fault(f"{name}() of nothing.", "empty")
        before(items[0], items[0])  # a single value must be one that can be compared, too
        return reduce(lambda best, item: item if first(item, best) else best, items)

    return chosen


def trim(text: Any) -> str:
    """Take white space off both ends."""
    return _text(text).strip(BLANKS)


def type_word(value: Any) -> Any:
    """Return the type as a value of its own."""
    found = word(value)
    return TypeName(LONG_NAMES.get(found, found))


FUNCTIONS: Mapping[str, Function] = {
    "size": size,
    "len": size,
    "contains": contains,
    "startsWith": lambda text, part: _text(text).startswith(_text(part)),
    "endsWith": lambda text, part: _text(text).endswith(_text(part)),
    "matches": matches,
    "int": to_int,
    "uint": to_uint,
    "double": to_double,
    "decimal": to_decimal,
    "string": to_string,
    "bytes": to_bytes,
    "bool": to_bool,
    "timestamp": clocks.as_instant,
    "datetime": clocks.as_instant,
    "date": clocks.as_day,
    "duration": to_duration,
    "type": type_word,
    "dyn": lambda value: value,
    **{name: clocks.part(name) for name in clocks.PARTS},
    "addDays": clocks.add_days,
    "addMonths": clocks.add_months,
    "daysBetween": clocks.days_between,
    "isBlank": is_blank,
    "isEmpty": is_empty,
    "coalesce": coalesce,
    "trim": trim,
    "upper": lambda text: _text(text).translate(UPPER),
    "lower": lambda text: _text(text).translate(LOWER),
    "joinNonEmpty": join_non_empty,
    "abs": absolute,
    "round": _rounding("round", ROUND_HALF_UP),
    "floor": _rounding("floor", ROUND_FLOOR),
    "ceil": _rounding("ceil", ROUND_CEILING),
    "min": _extreme("min", before),
    "max": _extreme("max", lambda a, b: before(b, a)),
}
