"""Amounts, numbers and instants as readers of each language write them."""

import datetime as dt

import pytest
from django.utils import timezone, translation

from apps.portal import show

NOON = dt.datetime(2026, 11, 20, 12, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("language", "amount"),
    [
        ("en", "€1,234,567.50"),
        ("de", "1.234.567,50\u00a0€"),
        ("zh-hans", "€1,234,567.50"),
        ("ja", "€1,234,567.50"),
        ("ar", "1,234,567.50\u00a0€"),
    ],
)
def test_amounts_are_grouped_by_thousands_in_every_language(language: str, amount: str) -> None:
    with translation.override(language):
        assert show.money("1234567.5", "EUR") == amount
        assert show.number("1234567.50") == amount.strip("€\u00a0")


@pytest.mark.parametrize(
    ("language", "moment"),
    [
        ("en", "Nov 20, 2026, 12:05"),
        ("de", "20.11.2026 12:05"),
        ("zh-hans", "2026年11月20日 12:05"),
        ("ja", "2026/11/20 12:05"),
        ("ar", "20\u200f/11\u200f/2026، 12:05"),
    ],
)
def test_an_instant_has_the_readers_order_of_day_and_month(language: str, moment: str) -> None:
    with translation.override(language), timezone.override("UTC"):
        assert f">{moment}<" in show.when(NOON)


def test_a_name_in_another_script_keeps_its_own_direction() -> None:
    assert show.who("d.o.o.").endswith("<span><bdi>d.o.o.</bdi></span></span>")
