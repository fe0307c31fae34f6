"""Canonical JSON: the published vectors of RFC 8785, and the fast path against an independent implementation."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from apps.core import canonical
from tests.conftest import SHARED

VENDORED = Path(__file__).resolve().parents[1] / "data" / "rfc8785"
PUBLISHED = SHARED / "data" / "vectors" / "rfc8785"
VECTORS = PUBLISHED if PUBLISHED.is_dir() else VENDORED
NAMES = sorted(path.name for path in VENDORED.glob("input/*.json"))


def has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_float, value.values()))
    return any(map(has_float, value)) if isinstance(value, list) else isinstance(value, float)


@pytest.mark.parametrize("name", NAMES)
def test_published_vectors(name: str) -> None:
    value = json.loads((VECTORS / "input" / name).read_text(encoding="utf-8"))
    expected = (VECTORS / "output" / name).read_bytes()
    if has_float(value):
        with pytest.raises(TypeError, match="float"):
            canonical.dumps(value)
        value_of_text = json.loads(
            (VECTORS / "input" / name).read_text(encoding="utf-8"), parse_float=Decimal
        )
        assert not has_float(value_of_text)
        assert rfc8785.dumps(value) == expected
    else:
        assert canonical.dumps(value) == expected


def test_the_vectors_are_all_there() -> None:
    assert len(NAMES) == 6
    assert sum(not has_float(json.loads((VECTORS / "input" / name).read_text())) for name in NAMES) >= 3


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


@given(VALUES)
def test_the_fast_path_writes_what_the_slow_one_writes(value: Any) -> None:
    assert canonical.dumps(value) == rfc8785.dumps(value)


def test_keys_beyond_the_basic_plane_are_ordered_by_utf16() -> None:
    """Sorted by UTF-8 the two would stand the other way round."""
    assert canonical.dumps({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


def test_values_of_records_have_one_form() -> None:
    moment = dt.datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    value = {
        "amount": Decimal("10.50"),
        "big": 2**60,
        "day": dt.date(2026, 3, 1),
        "id": UUID(int=1),
        "at": moment,
        "set": {"b", "a"},
    }
    assert json.loads(canonical.dumps(value)) == {
        "amount": "10.50",
        "big": str(2**60),
        "day": "2026-03-01",
        "id": "00000000-0000-0000-0000-000000000001",
        "at": "2026-03-01T10:00:00.123Z",
        "set": ["a", "b"],
    }
