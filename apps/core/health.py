"""Health checks: registered by whoever knows, run by the doors; a check that fails to run is a failure."""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Status = Literal["ok", "degraded", "failed"]
Group = Literal["data", "ledger", "events", "work", "machine"]
RANK: dict[str, int] = {"ok": 0, "degraded": 1, "failed": 2}


@dataclass(frozen=True)
class Finding:
    """What a check found: a sentence, and figures for the page."""

    status: Status
    message: str
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Check:
    """A named check; `critical` ones decide whether this process may serve.

    `title` is what people read, `group` the part of the page it stands in, `measure` the figure whose history
    is drawn (its name ends in its unit: `_seconds`, `_bytes`, `_ratio`; else it is a count), empty: how long
    the check took. With `alarms` off a failure is shown but raises no alert: it has one of its own.
    A `local` one speaks of the asking process alone: it is run when asked for and has no history.
    """

    name: str
    run: Callable[[], Finding]
    critical: bool = False
    title: Any = ""
    group: Group = "machine"
    measure: str = ""
    alarms: bool = True
    local: bool = False


@dataclass(frozen=True)
class Report:
    """Findings by name, and when they were made; `at` is None for findings of this very moment."""

    findings: dict[str, Finding]
    at: dt.datetime | None = None

    @property
    def worst(self) -> Status:
        """The worst status among them."""
        return worst(self.findings)


_checks: dict[str, Check] = {}
_memory: list[Callable[[], Report | None]] = []


def check(
    name: str,
    *,
    critical: bool = False,
    title: Any = "",
    group: Group = "machine",
    measure: str = "",
    alarms: bool = True,
    local: bool = False,
) -> Callable[[Callable[[], Finding]], Callable[[], Finding]]:
    """Register `run` under `name`; the other words are those of `Check`."""
    shown = title or name.replace("_", " ").capitalize()

    def register(run: Callable[[], Finding]) -> Callable[[], Finding]:
        _checks[name] = Check(name, run, critical, shown, group, measure, alarms, local)
        return run

    return register


def checks() -> dict[str, Check]:
    """Return every registered check by name."""
    return dict(_checks)


def remember(source: Callable[[], Report | None]) -> None:
    """Name who keeps the findings of the regular probe; called once, in `ready()` of the app above.

    `source()` returns None when nothing fresh is kept.
    """
    _memory[:] = [source]


def run(*, critical_only: bool = False, local: bool = True) -> dict[str, Finding]:
    """Run the checks one after the other, with `local` off only those about all processes; return name → finding."""
    return {
        name: run_one(item)
        for name, item in checks().items()
        if (item.critical or not critical_only) and (local or not item.local)
    }


def run_now() -> Report:
    """Run every check in this process."""
    return Report(run())


def latest() -> Report:
    """Return the findings of the last regular probe; what it does not know, or all when it is old, is run now."""
    kept = next((found for source in _memory if (found := source()) is not None), None)
    if kept is None:
        return run_now()
    missing = {name: run_one(item) for name, item in checks().items() if name not in kept.findings}
    return replace(kept, findings={**kept.findings, **missing})


def worst(findings: dict[str, Finding]) -> Status:
    """Return the worst status among the findings, `ok` for none."""
    return max((item.status for item in findings.values()), key=RANK.__getitem__, default="ok")


def run_one(item: Check) -> Finding:
    """Run one check; whatever it raises is its failure."""
    start = time.perf_counter()
    try:
        found = item.run()
    except Exception as error:  # noqa: BLE001 - whatever broke, the answer is "failed"
        found = Finding("failed", f"The check itself failed: {type(error).__name__}: {error}")
    return replace(found, seconds=round(time.perf_counter() - start, 4))
