"""Health checks: registered by whoever knows, run by the doors; a check that fails to run is a failure."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "degraded", "failed"]
_RANK: dict[str, int] = {"ok": 0, "degraded": 1, "failed": 2}


@dataclass(frozen=True)
class Finding:
    """What a check found: a sentence, and figures for the page."""

    status: Status
    message: str
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Check:
    """A named check; `critical` ones decide whether this process may serve."""

    name: str
    run: Callable[[], Finding]
    critical: bool


_checks: dict[str, Check] = {}


def check(name: str, *, critical: bool = False) -> Callable[[Callable[[], Finding]], Callable[[], Finding]]:
    """Register `run` under `name`."""

    def register(run: Callable[[], Finding]) -> Callable[[], Finding]:
        _checks[name] = Check(name, run, critical)
        return run

    return register


def run(*, critical_only: bool = False) -> dict[str, Finding]:
    """Run the checks one after the other; return name → finding."""
    return {
        item.name: _run_one(item) for item in list(_checks.values()) if item.critical or not critical_only
    }


def worst(findings: dict[str, Finding]) -> Status:
    """Return the worst status among the findings, `ok` for none."""
    return max((item.status for item in findings.values()), key=_RANK.__getitem__, default="ok")


def _run_one(item: Check) -> Finding:
    start = time.perf_counter()
    try:
        found = item.run()
    except Exception as error:  # noqa: BLE001 - whatever broke, the answer is "failed"
        found = Finding("failed", f"The check itself failed: {type(error).__name__}: {error}")
    return Finding(found.status, found.message, found.figures, round(time.perf_counter() - start, 4))
