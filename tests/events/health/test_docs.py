"""The page on health names every check, everything that heals, and figures that exist."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from prometheus_client.parser import text_string_to_metric_families

from apps.core import health, metrics
from apps.core.scope import TenantRef
from apps.events.health import guard, healing, probe, processes, verifying

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "health.md").read_text(encoding="utf-8")
RULES = ROOT / "docker" / "prometheus" / "aibos.rules.yml"


def named(text: str, heading: str) -> set[str]:
    """The first column of the table below a heading."""
    part = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", part, re.MULTILINE))


def test_every_check_is_explained_and_every_explained_check_exists() -> None:
    assert named(PAGE, "The probe") == set(health.checks())


def test_everything_that_heals_is_explained() -> None:
    code = "".join(Path(module.__file__).read_text() for module in (guard, probe, processes))  # type: ignore[arg-type]
    assert named(PAGE, "What it puts right by itself") == set(re.findall(r'healed\(\s*"([a-z_]+)"', code))


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    for value, sentence in (
        (probe.EVERY, "each ten seconds"),
        (probe.FRESH, "older than 35 seconds"),
        (probe.KEEP_DAYS, "for seven days"),
        (processes.LOST_AFTER, "for 45 seconds"),
        (guard.STUCK, "has not moved for 60 s"),
        (verifying.AT_ONCE, "above 200,000 entries"),
        (probe.GLANCE, "every half minute"),
    ):
        assert sentence in PAGE, value
    limits = (10.0, 35.0, 7, 45.0, 60.0, 200_000, 30.0)
    assert limits == (
        *(probe.EVERY, probe.FRESH, probe.KEEP_DAYS, processes.LOST_AFTER),
        *(guard.STUCK, verifying.AT_ONCE, probe.GLANCE),
    )


@pytest.mark.parametrize("line", re.findall(r'make manage ARGS="([^"]+)"', PAGE))
def test_its_commands_can_be_typed_as_written(line: str) -> None:
    name, *arguments = shlex.split(line)
    load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(arguments)


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert link.startswith("http") or (ROOT / "docs" / link).exists(), link


def test_the_alerts_for_prometheus_ask_for_figures_that_exist(acme: TenantRef) -> None:
    known = {family.name for family in text_string_to_metric_families(metrics.render().decode())}
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"aibos_\w+", rule["expr"])}
    assert len(rules) >= 5
    assert asked <= known
    assert healing.HEALED in PAGE
