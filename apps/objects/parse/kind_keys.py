"""The keys of the types that have a shape or a scale of their own."""

from __future__ import annotations

from collections.abc import Mapping

from apps.objects.kinds.vector import MOST_DIMENSIONS
from apps.objects.parse.shape import Key, anything, decimal, integer, text

SHAPE_KEYS: Mapping[str, Key] = {
    "step": Key(
        "step",
        decimal,
        "Distance between two choices of a slider.",
        "apps.objects.kinds.gauges:SliderKind.parse",
        "tests/objects/test_kind_values.py::test_slider_steps",
    ),
    "dimensions": Key(
        "dimensions",
        integer(1, MOST_DIMENSIONS),
        "How many numbers a vector has.",
        "apps.objects.kinds.vector:VectorKind.parse",
        "tests/objects/test_kind_values.py::test_vector_dimensions",
    ),
    "language": Key(
        "language",
        text(30),
        "What a code field is written in.",
        "apps.objects.describe:field_item",
        "tests/objects/test_kind_values.py::test_code_says_its_language",
    ),
    "fields": Key(
        "parts",
        anything,
        "The fields inside a composite, a repeater's rows or a record's entries: name to {type, label, …}.",
        "apps.objects.kinds.nested:accepted",
        "tests/objects/test_kind_values.py::test_parts_are_judged_by_their_types",
    ),
}
