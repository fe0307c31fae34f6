"""docs/buses.md says what is so."""

import re
from pathlib import Path

from apps.events.bus import kafka, nats
from apps.events.bus.choice import BACK_ENDS
from config import environment
from tests.events.bus.conftest import KINDS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "buses.md").read_text()


def test_every_back_end_is_on_the_page_and_in_the_suite():
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rows - {"EVENTS_BUS"} == set(BACK_ENDS) == set(KINDS)


def test_the_settings_exist():
    known = {item.name for item in environment.VARIABLES}
    named = set(re.findall(r"`(EVENTS_[A-Z_]+)", PAGE))
    assert len(named) >= 6
    assert named <= known


def test_the_figures_are_true():
    assert (kafka.PARTITIONS, "six partitions" in PAGE) == (6, True)
    assert (kafka.LONGEST_BATCH_MS, "longer than five minutes" in PAGE) == (300_000, True)
    assert (nats.TWICE, "counts once within an hour" in PAGE) == (3600.0, True)


def test_what_was_not_tried_is_said():
    assert PAGE.count("**Not tried:**") == 2
    assert "Treat Kafka as untested" in PAGE
