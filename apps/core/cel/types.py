"""The types an expression may have, and when a value of one passes for another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Type:
    """A type by name, with its parts: `list` has one, `map` two. A `record` has named fields.

    Records are equal when their labels are, so that a field may point back to its own record.
    """

    name: str
    params: tuple[Type, ...] = ()
    label: str = ""
    fields: Mapping[str, Type] = field(default_factory=lambda: MappingProxyType({}), compare=False)

    def __str__(self) -> str:
        if self.params:
            return f"{self.name}({', '.join(map(str, self.params))})"
        return self.label or self.name


BOOL = Type("bool")
INT = Type("int")
UINT = Type("uint")
DOUBLE = Type("double")
DECIMAL = Type("decimal")
STRING = Type("string")
BYTES = Type("bytes")
DATE = Type("date")
TIMESTAMP = Type("timestamp")
DURATION = Type("duration")
NULL = Type("null_type")
TYPE = Type("type")
DYN = Type("dyn")
NAMED: Mapping[str, Type] = MappingProxyType(
    {
        t.name: t
        for t in (
            BOOL,
            INT,
            UINT,
            DOUBLE,
            DECIMAL,
            STRING,
            BYTES,
            DATE,
            TIMESTAMP,
            DURATION,
            NULL,
            TYPE,
            DYN,
        )
    }
)
NUMBERS = (INT, UINT, DOUBLE, DECIMAL)
ORDERED = (*NUMBERS, STRING, BYTES, BOOL, DATE, TIMESTAMP, DURATION)


def list_of(item: Type) -> Type:
    """The type of lists of `item`."""
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    """The type of maps from `key` to `value`."""
    return Type("map", (key, value))


def record_of(label: str, fields: Mapping[str, Type]) -> Type:
    """The type of an object's records; `label` is the object's name."""
    return Type("record", (), label, MappingProxyType(dict(fields)))


def accepts(wanted: Type, given: Type) -> bool:
    """Say whether a value of type `given` may stand where `wanted` is asked for.

    `dyn` and the absent value pass everywhere; whole numbers and doubles pass for exact decimals.
    """
    if DYN in (wanted, given) or given in (NULL, wanted):
        return True
    if wanted == DECIMAL:
        return given in NUMBERS
    if wanted == TIMESTAMP and given == DATE:
        return True
    if wanted.name == given.name and len(wanted.params) == len(given.params) and wanted.params:
        return all(accepts(w, g) for w, g in zip(wanted.params, given.params, strict=True))
    return wanted.name == "map" and given.name == "record"


def joined(first: Type, second: Type) -> Type | None:  # noqa: PLR0911 - one answer a case
    """Return the type that holds both, or None when only `dyn` would."""
    if second in (first, NULL):
        return first
    if first == NULL:
        return second
    if DYN in (first, second):
        return DYN
    if DECIMAL in (first, second) and first in NUMBERS and second in NUMBERS:
        return DECIMAL
    if {first, second} == {DATE, TIMESTAMP}:
        return TIMESTAMP
    if first.name == second.name == "list":
        inner = joined(first.params[0], second.params[0])
        return list_of(inner) if inner else None
    if first.name == second.name == "map":
        key, value = (joined(a, b) for a, b in zip(first.params, second.params, strict=True))
        return map_of(key, value) if key and value else None
    return None


def comparable(first: Type, second: Type, *, exact: bool = True) -> bool:
    """Say whether `==` between the two can ever be meant."""
    if NULL in (first, second) or joined(first, second) is not None:
        return True
    return exact and first in NUMBERS and second in NUMBERS
