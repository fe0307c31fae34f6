"""Running a judged tree: it becomes Python closures once, and those run in a few microseconds.

    run = program(expression.tree)
    run(Frame({"record": row, "previous": None}, now=…, zone=…))

A program never touches anything but its variables. Macros and long texts cost steps, and a frame has a
limited number of them, so that no expression runs for long.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from apps.core.cel.clocks import add_days
from apps.core.cel.errors import Fault, OverBudget
from apps.core.cel.library import FUNCTIONS, contains
from apps.core.cel.tree import Call, Each, Ident, ListOf, Literal, MapOf, Node, Select, walk
from apps.core.cel.types import DECIMAL, TYPE, UINT
from apps.core.cel.values import (
    COMPARE,
    MISSING,
    TypeName,
    UInt,
    arithmetic,
    equal,
    exactly,
    is_number,
    lookup,
    negative,
    plain,
    word,
)

BUDGET = 100_000
CHARACTERS = 256  # so many characters of text cost one step
Run = Callable[["Frame"], Any]


class Frame:
    """What one run works with: the variables by name, the clock, and how many steps are left."""

    __slots__ = ("left", "names", "now", "steps", "zone")

    def __init__(
        self,
        names: Mapping[str, Any],
        *,
        now: dt.datetime | None = None,
        zone: dt.tzinfo | None = None,
        budget: int = BUDGET,
    ) -> None:
        self.names = dict(names)
        self.now = now or dt.datetime.now(dt.UTC)
        self.zone = zone or dt.UTC
        self.left = self.steps = budget

    @property
    def today(self) -> dt.date:
        return self.now.astimezone(self.zone).date()

    def spend(self, steps: int) -> None:
        """Take steps off; raises `OverBudget` when none are left."""
        self.left -= steps
        if self.left < 0:
            raise OverBudget(self.steps)


CLOCK: Mapping[str, Callable[..., Any]] = {
    "now": lambda frame: frame.now,
    "today": lambda frame: frame.today,
    "daysFromNow": lambda frame, days: add_days(frame.today, days),
    "daysAgo": lambda frame, days: add_days(frame.today, negative(days)),
}


def program(node: Node) -> Run:  # noqa: PLR0911 - one answer a node
    """Return the function that computes `node` for a frame; it raises `Fault`."""
    match node:
        case Literal():
            return _literal(node)
        case Ident(name, type_):
            if type_ == TYPE:
                own = TypeName(name)
                return lambda frame: frame.names.get(name, own)
            return _named(name)
        case Select():
            return _select(node)
        case Call():
            return _call(node)
        case ListOf(items):
            parts = [program(item) for item in items]
            return lambda frame: [part(frame) for part in parts]
        case MapOf(entries):
            return _map([(program(k), program(v)) for k, v in entries])
        case Each():
            return _each(node)


def _named(name: str) -> Run:
    def value(frame: Frame) -> Any:
        found = frame.names.get(name, MISSING)
        if found is MISSING:
            raise Fault(f"Nothing was given for {name!r}.", "unbound")
        return plain(found)

    return value


def _literal(node: Literal) -> Run:
    value = UInt(node.value) if node.type == UINT else node.value
    return lambda _frame: value


def _map(pairs: list[tuple[Run, Run]]) -> Run:
    def made(frame: Frame) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_of, value_of in pairs:
            key = key_of(frame)
            if not isinstance(key, str | bool | int):
                raise Fault(f"A key is no {word(key)}.", "unsupported_key")
            if lookup(found, key) is not MISSING:
                raise Fault(f"The key {key!r} stands twice.", "repeated_key")
            found[key] = value_of(frame)
        return found

    return made


def _select(node: Select) -> Run:
    holder_of, field, test = program(node.operand), node.field, node.test
    is_record = node.operand.type.name == "record"

    def of_record(frame: Frame) -> Any:
        holder = holder_of(frame)
        if holder is None:
            if test:
                return False
            raise Fault(f"There is no {field}: the whole is absent.", "null_operand")
        found = holder.get(field)
        return found is not None if test else plain(found)

    def of_map(frame: Frame) -> Any:
        holder = holder_of(frame)
        if not isinstance(holder, Mapping):
            raise Fault(
                f"{word(holder)} has no field {field!r}.",
                "null_operand" if holder is None else "no_such_field",
            )
        found = holder.get(field, MISSING)
        if test:
            return found is not MISSING
        if found is MISSING:
            raise Fault(f"There is no key {field!r}.", "no_such_key")
        return plain(found)

    return of_record if is_record else of_map


def _call(node: Call) -> Run:
    parts = [program(part) for part in ((node.target, *node.args) if node.target is not None else node.args)]
    if node.type == DECIMAL and node.function in CALCULATING:
        parts = [_exact(part) for part in parts]
    operator = OPERATORS.get(node.function)
    return operator(*parts) if operator is not None else _function(node.function, parts)


CALCULATING = frozenset({"+", "-", "*", "/", "%", "-_", "abs"})


def _exact(value_of: Run) -> Run:
    """What is a decimal by its type is computed as one, also where a branch gave a whole number: 7 / 2 is 3.5 then."""

    def value(frame: Frame) -> Any:
        found = value_of(frame)
        return exactly(found) if is_number(found) else found

    return value


def _arithmetic(sign: str, left: Run, right: Run) -> Run:
    def computed(frame: Frame) -> Any:
        value = arithmetic(sign, left(frame), right(frame))
        if isinstance(value, str | bytes | list) and len(value) > CHARACTERS:
            frame.spend(len(value) // CHARACTERS)
        return value

    return computed


def _function(name: str, parts: list[Run]) -> Run:
    clock = CLOCK.get(name)
    if clock is not None:
        return lambda frame: clock(frame, *[part(frame) for part in parts])
    function = FUNCTIONS.get(name)
    if function is None:
        return _absent(name)

    def called(frame: Frame) -> Any:
        values = [part(frame) for part in parts]
        for value in values:
            if isinstance(value, str | bytes) and len(value) > CHARACTERS:
                frame.spend(len(value) // CHARACTERS)
        return function(*values)

    return called


def _absent(name: str) -> Run:
    def called(_frame: Frame) -> Any:
        raise Fault(f"There is no function {name!r}.", "unknown_function")

    return called


def _truth(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise Fault(
        f"{word(value)} is neither true nor false.", "null_operand" if value is None else "no_such_overload"
    )


def _logical(left: Run, right: Run, *, deciding: bool) -> Run:
    """Either side may decide, whatever happens to the other; a fault stands only when none does."""

    def decided(frame: Frame) -> bool:
        try:
            if _truth(left(frame)) is deciding:
                return deciding
        except OverBudget:
            raise
        except Fault:
            if _truth(right(frame)) is deciding:
                return deciding
            raise
        return _truth(right(frame))

    return decided


def _within(item: Any, holder: Any) -> bool:
    if isinstance(holder, list):
        return contains(holder, item)
    if isinstance(holder, Mapping):
        return lookup(holder, item) is not MISSING
    raise Fault(f"{word(holder)} holds no items.", "null_operand" if holder is None else "no_such_overload")


def _item(holder: Any, key: Any) -> Any:
    if isinstance(holder, list):
        if not is_number(key) or key != int(key):
            raise Fault("A list is read by whole numbers.", "no_such_overload")
        if not 0 <= key < len(holder):
            raise Fault(f"The list has no item {key}.", "out_of_range")
        return holder[int(key)]
    if isinstance(holder, Mapping):
        found = lookup(holder, key)
        if found is MISSING:
            raise Fault(f"There is no key {key!r}.", "no_such_key")
        return found
    raise Fault(f"{word(holder)} has no items.", "null_operand" if holder is None else "no_such_overload")


def _or_null(value_of: Run) -> Run:
    """An inner value that is absent when it faults; no expression can write it."""

    def value(frame: Frame) -> Any:
        try:
            return value_of(frame)
        except OverBudget:
            raise
        except Fault:
            return None

    return value


def _compared(sign: str) -> Callable[[Run, Run], Run]:
    compare = COMPARE[sign]
    return lambda a, b: lambda frame: compare(a(frame), b(frame))


OPERATORS: Mapping[str, Callable[..., Run]] = {
    "&&": partial(_logical, deciding=False),
    "||": partial(_logical, deciding=True),
    "!": lambda a: lambda frame: not _truth(a(frame)),
    "-_": lambda a: lambda frame: negative(a(frame)),
    "?null": _or_null,
    "?absent": lambda a: lambda frame: a(frame) is None,
    "?:": lambda test, yes, no: lambda frame: yes(frame) if _truth(test(frame)) else no(frame),
    "==": lambda a, b: lambda frame: equal(a(frame), b(frame)),
    "!=": lambda a, b: lambda frame: not equal(a(frame), b(frame)),
    **{sign: _compared(sign) for sign in COMPARE},
    **{sign: partial(_arithmetic, sign) for sign in "+-*/%"},
    "in": lambda a, b: lambda frame: _within(a(frame), b(frame)),
    "[]": lambda a, b: lambda frame: plain(_item(a(frame), b(frame))),
}


# -- macros --------------------------------------------------------------------------------------------


def _each(node: Each) -> Run:
    over, body, name = program(node.over), program(node.body), node.var
    keep = program(node.keep) if node.keep is not None else None
    price = 1 + sum(1 for _ in walk(node.body)) + (sum(1 for _ in walk(node.keep)) if node.keep else 0)
    finish = FINISH[node.macro]

    def ran(frame: Frame) -> Any:
        holder = over(frame)
        if not isinstance(holder, list | Mapping):
            raise Fault(f"{node.macro}() cannot go over {word(holder)}.", "null_operand")
        outer = frame.names.get(name, MISSING)

        def at(item: Any, run: Run) -> Any:
            frame.spend(price)
            frame.names[name] = item
            return run(frame)

        try:
            items = [item for item in holder if keep is None or _truth(at(item, keep))]
            return finish(items, lambda item: at(item, body))
        finally:
            if outer is MISSING:
                frame.names.pop(name, None)
            else:
                frame.names[name] = outer

    return ran


Test = Callable[[Any], Any]


def _decide(items: list[Any], test: Test, *, deciding: bool) -> bool:
    fault: Fault | None = None
    for item in items:
        try:
            if _truth(test(item)) is deciding:
                return deciding
        except OverBudget:
            raise
        except Fault as found:
            fault = found
    if fault is not None:
        raise fault
    return not deciding


FINISH: Mapping[str, Callable[[list[Any], Test], Any]] = {
    "all": lambda items, test: _decide(items, test, deciding=False),
    "exists": lambda items, test: _decide(items, test, deciding=True),
    "exists_one": lambda items, test: sum(_truth(test(item)) for item in items) == 1,
    "filter": lambda items, test: [item for item in items if _truth(test(item))],
    "map": lambda items, test: [test(item) for item in items],
}
