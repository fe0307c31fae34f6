"""Closed shapes: which keys a mapping may have, and how each value is read."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.core.cel.compiling import source_of
from apps.objects.definitions import NAME_PATTERN
from apps.objects.parse.errors import DefinitionError
from apps.objects.parse.tree import Spot

BAD: Any = object()
Read = Callable[["Reading", Spot], Any]


class Reading:
    """One file being read: collects every fault instead of stopping at the first."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[DefinitionError] = []

    def fail(self, spot: Spot, code: str, message: str, cure: str = "") -> Any:
        """Note a fault and return BAD, so that a reader can `return reading.fail(...)`."""
        self.errors.append(DefinitionError(self.file, spot.line, spot.path, code, message, cure))
        return BAD


@dataclass(frozen=True)
class Key:
    """One accepted key: the attribute it fills, how it is read, and where it is enforced and proved."""

    attr: str
    read: Read
    doc: str
    enforced_by: str
    tested_by: str


Keys = Mapping[str, Key]


def read_shape(
    reading: Reading, spot: Spot, keys: Keys, *, later: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return attribute → value of a mapping; faults and absent keys are left out."""
    if not isinstance(spot.value, dict):
        reading.fail(
            spot, "invalid_type", "Expected a mapping of keys to values.", "Indent the keys below it."
        )
        return {}
    found: dict[str, Any] = {}
    for name, child in spot.value.items():
        key = keys.get(name)
        if key is None:
            unknown_key(reading, child, name, keys, later)
            continue
        value = key.read(reading, child)
        if value is not BAD:
            found[key.attr] = value
    return found


def unknown_key(reading: Reading, spot: Spot, name: str, known: Keys, later: frozenset[str]) -> None:
    """Note an unknown key, with the nearest known one; a key of the protocol says that nothing enforces it."""
    if name in later:
        message = f"{name!r} is part of the protocol but nothing enforces it here yet."
        reading.fail(spot, "unsupported", message, "Remove it.")
        return
    near = difflib.get_close_matches(name, known, n=1)
    cure = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(sorted(known))}."
    reading.fail(spot, "unknown_key", f"The key {name!r} is unknown.", cure)


# -- readers -------------------------------------------------------------------------------------------


def text(limit: int = 255, *, empty: bool = False) -> Read:
    """Read a text of at most `limit` characters."""

    def read(reading: Reading, spot: Spot) -> Any:
        value = spot.value
        if not isinstance(value, str):
            return reading.fail(spot, "invalid_type", f"Expected text, got {kind_word(value)}.", "Quote it.")
        if not value and not empty:
            return reading.fail(spot, "required", "The text is empty.")
        if len(value) > limit:
            return reading.fail(
                spot, "max_length", f"The text has {len(value)} characters; {limit} are allowed."
            )
        if "\x00" in value:
            return reading.fail(spot, "invalid_value", "The text holds a NUL character.")
        return value

    return read


def boolean(reading: Reading, spot: Spot) -> Any:
    """Read true or false."""
    if isinstance(spot.value, bool):
        return spot.value
    return reading.fail(spot, "invalid_type", f"Expected true or false, got {kind_word(spot.value)}.")


def integer(low: int, high: int) -> Read:
    """Read a whole number within the bounds."""

    def read(reading: Reading, spot: Spot) -> Any:
        value = spot.value
        if isinstance(value, bool) or not isinstance(value, int):
            return reading.fail(spot, "invalid_type", f"Expected a whole number, got {kind_word(value)}.")
        if not low <= value <= high:
            return reading.fail(spot, "out_of_range", f"{value} is outside {low} to {high}.")
        return value

    return read


def decimal(reading: Reading, spot: Spot) -> Any:
    """Read an exact number."""
    value = spot.value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite() and abs(number.adjusted()) < 30:
            return number
    return reading.fail(spot, "invalid_type", f"Expected a number, got {kind_word(value)}.")


def name(limit: int = 48) -> Read:
    """Read a snake_case identifier."""

    def read(reading: Reading, spot: Spot) -> Any:
        value = spot.value
        if isinstance(value, str) and len(value) <= limit and NAME_PATTERN.fullmatch(value):
            return value
        cure = (
            f"Use lower case letters, digits and single underscores, at most {limit}, starting with a letter."
        )
        return reading.fail(spot, "invalid_name", f"{value!r} is not a name.", cure)

    return read


def choice(*values: str) -> Read:
    """Read one of the given words."""

    def read(reading: Reading, spot: Spot) -> Any:
        if isinstance(spot.value, str) and spot.value in values:
            return spot.value
        near = difflib.get_close_matches(str(spot.value), values, n=1)
        cure = f"Did you mean {near[0]!r}?" if near else f"Choose one of {', '.join(values)}."
        return reading.fail(spot, "invalid_value", f"{spot.value!r} is not accepted here.", cure)

    return read


def items(read_item: Read, *, most: int = 200) -> Read:
    """Read a list, each item with `read_item`."""

    def read(reading: Reading, spot: Spot) -> Any:
        if not isinstance(spot.value, list):
            return reading.fail(spot, "invalid_type", f"Expected a list, got {kind_word(spot.value)}.")
        if len(spot.value) > most:
            return reading.fail(
                spot, "too_large", f"The list has {len(spot.value)} items; {most} are allowed."
            )
        values = [read_item(reading, item) for item in spot.value]
        return BAD if any(v is BAD for v in values) else tuple(values)

    return read


def expression(reading: Reading, spot: Spot) -> Any:
    """Read the text of a CEL expression: bare, or in the protocol's envelope `{dialect: cel, source}`."""
    source = source_of(spot.plain())
    if source is None:
        return reading.fail(
            spot, "invalid_type", "Expected a CEL expression.", "Write: record.status == 'won'."
        )
    return source


def anything(_reading: Reading, spot: Spot) -> Any:
    """Keep the value with its place, to be judged when the rest is known."""
    return spot


def kind_word(value: Any) -> str:
    """Name the type of a YAML value for a message."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return {bool: "true/false", int: "a number", Decimal: "a number", str: f"the text {str(value)[:40]!r}"}[
        type(value)
    ]
