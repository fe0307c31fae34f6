"""A small part of JSON Schema, checked in microseconds: the shape of an event's data."""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

KEYWORDS = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "description", "title"}
)
TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list | tuple),
    "string": lambda value: isinstance(value, str | UUID | Decimal | dt.date | dt.time),  # written as text
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


class Shape:
    """A checked schema; an unknown keyword or type is refused when the shape is made.

    Knows type (one or several; no `number`: amounts are strings), properties, required,
    additionalProperties (a boolean), items and enum.
    """

    def __init__(self, schema: Mapping[str, Any], at: str = "data") -> None:
        unknown = schema.keys() - KEYWORDS
        names = schema.get("type", [])
        self._types = (names,) if isinstance(names, str) else tuple(names)
        unknown |= set(self._types) - TYPES.keys()
        if unknown:
            msg = f"{at}: an event's schema may not use {', '.join(sorted(unknown))}."
            raise ValueError(msg)
        self._at = at
        self._required = tuple(schema.get("required", ()))
        self._open = bool(schema.get("additionalProperties", True))
        self._enum = schema.get("enum")
        self._items = Shape(schema["items"], f"{at}[]") if "items" in schema else None
        self._properties = {
            name: Shape(part, f"{at}.{name}") for name, part in schema.get("properties", {}).items()
        }

    def fault(self, value: Any) -> str | None:
        """Return what is wrong with `value` in one sentence, or None."""
        if self._types and not any(TYPES[name](value) for name in self._types):
            return f"{self._at} must be {' or '.join(self._types)}, not {type(value).__name__}."
        if self._enum is not None and value not in self._enum:
            return f"{self._at} must be one of {', '.join(map(str, self._enum))}."
        if isinstance(value, Mapping):
            return self._object_fault(value)
        if self._items is not None and isinstance(value, list | tuple):
            return next((fault for item in value if (fault := self._items.fault(item))), None)
        return None

    def _object_fault(self, value: Mapping[str, Any]) -> str | None:
        missing = [name for name in self._required if name not in value]
        if missing:
            return f"{self._at} lacks {', '.join(missing)}."
        if not self._open and (extra := value.keys() - self._properties.keys()):
            return f"{self._at} may not hold {', '.join(sorted(extra))}."
        for name, shape in self._properties.items():
            if name in value and (fault := shape.fault(value[name])):
                return fault
        return None
