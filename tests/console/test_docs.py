"""What the documents about the console, the concepts, security and contributing promise exists."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.test import RequestFactory

from apps.console.navigation import sidebar
from apps.tenants.states import State

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / "docs" / name for name in ("console.md", "concepts.md", "first-tenant.md", "CHANGELOG.md")),
    *(ROOT / name for name in ("SECURITY.md", "CONTRIBUTING.md")),
]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(text: str) -> list[str]:
    """Every `manage.py …` and `make manage ARGS=…` in code."""
    code = re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    told = [found for block in code for found in re.findall(r"manage\.py ([^\n#]+)", block)]
    made = [found[1] for block in code for found in re.findall(r"""make manage ARGS=(["'])(.+?)\1""", block)]
    return told + made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_can_be_typed_as_written(page: Path) -> None:
    for line in commands(page.read_text()):
        name, *arguments = shlex.split(line)
        if name == "check" or "[" in line:
            continue
        command = load_command_class(get_commands()[name], name)
        command.create_parser("manage.py", name).parse_args(arguments)


def test_control_an_unknown_option_would_be_found() -> None:
    command = load_command_class(get_commands()["ledger"], "ledger")
    with pytest.raises(Exception, match=r"invalid choice|unrecognized"):
        command.create_parser("manage.py", "ledger").parse_args(["head"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_make_target_and_link_exists(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"`make ([a-z-]+)`", text) + re.findall(r"^make ([a-z-]+)", text, re.MULTILINE):
        assert target in TARGETS, target
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("http") or (page.parent / link).exists(), link


def test_every_page_of_the_navigation_is_described(rf: RequestFactory) -> None:
    text = (ROOT / "docs" / "console.md").read_text().lower()
    for group in sidebar(rf.get("/console/")):
        for item in group["items"]:
            assert str(item["title"]).lower() in text, item["title"]


def test_every_state_of_a_tenant_is_in_the_concepts() -> None:
    text = (ROOT / "docs" / "concepts.md").read_text().lower()
    for state in State.values:
        assert state in text, state
