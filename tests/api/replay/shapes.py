"""Shapes of JSON: keys and types, without values."""

from typing import Any

Shape = Any


def shape_of(value: Any) -> Shape:
    """Return `{key: shape}`, `[shape of the items]`, or the name of a type; an empty list is `[]`."""
    if isinstance(value, dict):
        return {key: shape_of(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [shape_of(item) for item in value]
        merged: Shape = None
        for item in items:
            merged = item if merged is None else merge(merged, item)
        return [merged] if items else []
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    return "number" if isinstance(value, int | float) else "string"


def merge(one: Shape, other: Shape) -> Shape:
    """Return what both shapes have in common; null gives way to whatever the other one is."""
    if one in ("null", []):
        return other
    if other in ("null", []):
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: merge(one[key], other[key]) for key in one if key in other}
    if isinstance(one, list) and isinstance(other, list):
        return [merge(one[0], other[0])]
    return one


def differences(expected: Shape, found: Shape, *, ignored: frozenset[str], where: str = "") -> list[str]:
    """Return where `found` lacks a key of `expected` or has another type; more keys than expected are welcome."""
    if "null" in (expected, found) or expected == [] or found == []:
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        faults = []
        for key, part in expected.items():
            if key in ignored:
                continue
            place = f"{where}.{key}" if where else key
            if key not in found:
                faults.append(f"{place} is missing")
            else:
                faults += differences(part, found[key], ignored=ignored, where=place)
        return faults
    if isinstance(expected, list) and isinstance(found, list):
        return differences(expected[0], found[0], ignored=ignored, where=f"{where}[]")
    return [] if expected == found else [f"{where} is {found!r}, expected {expected!r}"]
