"""Declared = enforced: an orphan is found."""

from pathlib import Path

import pytest

from apps.core import declared, reference

ROOT = Path(__file__).resolve().parents[2]


def test_no_key_is_an_orphan() -> None:
    assert reference.orphans(ROOT) == []


def test_the_reference_pages_are_current() -> None:
    assert reference.outdated(ROOT / "docs" / "reference") == []


@pytest.mark.parametrize(
    ("enforced_by", "tested_by", "said"),
    [
        (
            "apps.core.ids:no_such",
            "tests/core/test_declared.py::test_no_key_is_an_orphan",
            "nothing enforces",
        ),
        ("apps.core.ids:uuid7", "tests/core/test_declared.py::test_that_is_not_there", "nothing proves"),
        ("apps.core.ids:uuid7", "tests/nowhere.py::test_x", "nothing proves"),
    ],
)
def test_an_orphan_is_named(enforced_by: str, tested_by: str, said: str) -> None:
    """Negative control."""
    key = ("yaml", "test.orphan")
    declared.declare(kind="yaml", key=key[1], doc="x", enforced_by=enforced_by, tested_by=tested_by)
    try:
        assert [text for text in reference.orphans(ROOT) if said in text and "test.orphan" in text]
    finally:
        del declared._register[key]


def test_two_meanings_for_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        declared.declare(kind="setting", key="PORT", doc="another", enforced_by="a:b", tested_by="c::d")
