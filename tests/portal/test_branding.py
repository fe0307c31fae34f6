"""Any colour a tenant picks ends in readable text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.portal import branding

COLORS = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")


def test_contrast_agrees_with_the_published_examples() -> None:
    assert branding.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert branding.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@given(COLORS)
def test_text_on_the_brand_is_readable(color: str) -> None:
    b = branding.brand(color)
    assert branding.contrast(b.light, b.light_fg) >= 4.5
    assert branding.contrast(b.dark, b.dark_fg) >= 4.5


@given(COLORS)
def test_brand_coloured_text_is_readable_on_every_surface(color: str) -> None:
    b = branding.brand(color)
    for surface in branding.LIGHT_SURFACES:
        assert branding.contrast(b.light_text, surface) >= 4.5
        assert branding.contrast(b.light_text, branding.mix(surface, b.light_text, branding.SOFT)) >= 4.45
    for surface in branding.DARK_SURFACES:
        assert branding.contrast(b.dark_text, surface) >= 4.5


def test_a_readable_wish_is_kept_and_a_pale_one_is_said_to_be_changed() -> None:
    assert not branding.brand("#4152d4").adjusted
    assert branding.brand("#ffee88").adjusted


def test_the_style_sheet_sets_tokens_only() -> None:
    css = branding.css("#0f766e")
    assert css.count("--ab-brand:") == 2 and "url(" not in css
