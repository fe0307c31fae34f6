"""Programs from the distribution that some tests drive, found or said to be missing, never passed over in silence."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

EVERY = "AIBOS_EVERY_TEST"  # set by .ci/run: a missing program is a failure there
CHAOS = "AIBOS_CHAOS"  # set by `make chaos`
LONG = "long"


@dataclass(frozen=True)
class Program:
    """What the tests with `marker` need: one of `names`, or the path in `variable`."""

    marker: str
    title: str
    names: tuple[str, ...]
    variable: str

    def path(self) -> str | None:
        """Return where the program is, or None."""
        named = os.environ.get(self.variable)
        if named:
            return named if Path(named).exists() else None
        places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
        return next((found for name in self.names if (found := shutil.which(name, path=places))), None)

    def needed(self) -> str:
        """Return where the program is; fail the test when it is nowhere."""
        return self.path() or pytest.fail(self.cure())

    def cure(self) -> str:
        return f"{self.title} is missing: install it, or set {self.variable} to its path."


CHROMIUM = Program("browser", "Chromium", ("chromium", "chromium-browser", "google-chrome"), "CHROMIUM")
PGBOUNCER = Program("service", "PgBouncer", ("pgbouncer",), "PGBOUNCER")
NPM = Program("npm", "npm", ("npm",), "NPM")
PROGRAMS = (CHROMIUM, PGBOUNCER, NPM)


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests whose program is missing and the long ones, unless every test is wanted.

    A missing program then fails its tests by themselves.
    """
    if os.environ.get(EVERY):
        return
    absent = {program.marker for program in PROGRAMS if program.path() is None}
    absent |= set() if os.environ.get(CHAOS) else {LONG}
    left = [item for item in items if any(item.get_closest_marker(marker) for marker in absent)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]


def said() -> list[str]:
    """Return one line for each missing program, and one for what this run leaves out."""
    every = os.environ.get(EVERY)
    end = "Its tests fail." if every else "Its tests were left out."
    lines = [f"{program.cure()} {end}" for program in PROGRAMS if program.path() is None]
    if not every and not os.environ.get(CHAOS):
        lines.append(
            "Kills and waits of minutes, and pages in every look, are left to .ci/run and make chaos."
        )
    return lines
