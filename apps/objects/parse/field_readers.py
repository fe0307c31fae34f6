"""Readers of single keys of a field that take words of their own."""

from typing import Any

from apps.objects.parse.shape import Reading
from apps.objects.parse.tree import Spot


def read_uniqueness(reading: Reading, spot: Spot) -> Any:
    """Read true, false, or the protocol's word for true."""
    if spot.value in (True, False) and isinstance(spot.value, bool):
        return spot.value
    if spot.value == "organization":
        return True
    return reading.fail(
        spot, "invalid_value", f"{spot.value!r} is not accepted.", "Write true, false or organization."
    )


def read_encryption(reading: Reading, spot: Spot) -> Any:
    """Read how a field is encrypted: None, value or equality."""
    if isinstance(spot.value, bool):
        return "value" if spot.value else None
    if spot.value in ("value", "equality"):
        return spot.value
    message = f"{spot.value!r} is not accepted."
    return reading.fail(spot, "invalid_value", message, "Write true, false or equality.")
