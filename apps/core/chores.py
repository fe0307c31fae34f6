"""Chores: what must be done again and again by whoever runs; each app registers its own in `ready()`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.core import queue
from apps.core.registry import Registry


@dataclass(frozen=True)
class Chore:
    """Work due once in every period of `every` seconds; `run` enters its own scopes and may run again."""

    title: str
    every: int
    run: Callable[[], Any]


chores: Registry[Chore] = Registry("chores", Chore)


TASK = "core.chore"


@queue.task(TASK, tenant="forbidden", manages_scope=True)
def do(job: queue.JobHandle, name: str) -> dict[str, str]:
    """Do one chore; its job shows when and how it went."""
    return {"outcome": str(chores[name].run() or "done")}
