"""What the documents and the Makefile promise exists."""

import re
import subprocess
from pathlib import Path

import pytest

from apps.cli import bootstrap
from apps.cli.launch import commands
from apps.cli.launch.problems import PROBLEMS, StartProblem

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / "install.md", ROOT / "docs" / "operations.md"]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def make_commands(text):
    """Every `make …` in code, cut at what is no part of it."""
    code = re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    return [found for block in code for found in re.findall(r"\bmake ((?:[A-Za-z_]+=\S+ )*[a-z-]+)", block)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_make_command_in_the_documents_is_a_target(page):
    found = make_commands(page.read_text())
    assert len(found) > 5
    for command in found:
        assert command.split()[-1] in TARGETS, command


def test_an_unknown_make_command_would_be_found():
    assert make_commands("`make runn`")[0] not in TARGETS


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_target_explains_itself_and_leads_to_a_command(target):
    assert re.search(rf"^{target}:.*## \S", MAKEFILE, re.MULTILINE)
    done = subprocess.run(
        ["make", "-n", target, "TO=x", "FROM=x"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    verb = re.search(r"apps\.cli\.launch ([a-z-]+)", done.stdout)
    assert verb is None or verb.group(1) in commands.VERBS


def test_help_lists_every_target():
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  ([a-z-]+) ", said, re.MULTILINE)) == TARGETS


def test_every_code_is_documented_and_every_documented_code_exists():
    documented = set(re.findall(r"^\| (E\d+) ", (ROOT / "docs" / "install.md").read_text(), re.MULTILINE))
    assert documented == set(PROBLEMS) | set(bootstrap.PROBLEMS)


def test_every_code_that_is_raised_exists():
    raised = set()
    for path in (ROOT / "apps" / "cli").rglob("*.py"):
        raised |= set(re.findall(r"(?:StartProblem|Stop)\(\s*\"(E\d+)\"", path.read_text()))
    raised |= {code for code, _ in bootstrap.CAUSES}
    assert raised == set(PROBLEMS) | set(bootstrap.PROBLEMS)


def test_every_message_has_a_cure():
    facts = {
        name: "x" for text in PROBLEMS.values() for part in text for name in re.findall(r"\{(\w+)\}", part)
    }
    for code in PROBLEMS:
        problem = StartProblem(code, **facts)
        assert str(problem).startswith(code)
        assert len(problem.cure) > 20


def test_every_link_of_the_pages_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
