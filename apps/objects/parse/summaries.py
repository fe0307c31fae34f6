"""What a summary field rolls up, read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.objects.definitions import FIELD_NAME_LIMIT, OBJECT_NAME_LIMIT, SUMMARY_FUNCTIONS, Summary
from apps.objects.parse.shape import Key, Reading, anything, choice, name, read_shape
from apps.objects.parse.tree import Spot

TESTS = "tests/objects/test_rollups.py::"
ROLLED = "apps.objects.schema.rollups:rollups"
SUMMARY_KEYS: Mapping[str, Key] = {
    "object": Key(
        "object",
        name(OBJECT_NAME_LIMIT),
        "The object whose records are rolled up.",
        ROLLED,
        TESTS + "test_every_function_follows_every_change",
    ),
    "function": Key(
        "function",
        choice(*SUMMARY_FUNCTIONS),
        "count, sum, min, max or avg.",
        ROLLED,
        TESTS + "test_every_function_follows_every_change",
    ),
    "field": Key(
        "source",
        name(FIELD_NAME_LIMIT),
        "The number that is rolled up; a count has none.",
        ROLLED,
        TESTS + "test_every_function_follows_every_change",
    ),
    "relationshipField": Key(
        "relationship",
        name(FIELD_NAME_LIMIT),
        "The reference that leads here, when there are several.",
        "apps.objects.schema.rollups:relationship",
        TESTS + "test_one_of_two_references_is_named",
    ),
    "filter": Key(
        "filter",
        anything,
        "Which records count, as a filter in object form without tokens.",
        "apps.objects.schema.rollups:condition",
        TESTS + "test_every_function_follows_every_change",
    ),
}


def read_summary(reading: Reading, spot: Spot) -> Any:
    """Return the `Summary` of summaryOperations; faults are noted."""
    found = read_shape(reading, spot, SUMMARY_KEYS)
    for key in ("object", "function"):
        if key not in found:
            return reading.fail(
                spot, "required", f"{key!r} is missing.", "Write {object: …, function: sum, field: …}."
            )
    if (found["function"] == "count") != ("source" not in found):
        cure = "A count has no field; every other function needs one."
        return reading.fail(spot, "conflict", "function and field do not go together.", cure)
    if "filter" in found:
        found["filter"] = found["filter"].plain()
        if not isinstance(found["filter"], dict):
            return reading.fail(
                spot, "invalid_type", "filter is a filter in object form.", "Write {status: won}."
            )
    return Summary(**found)
