"""Named points at which a process of the chaos dies: the product's functions, wrapped in that process alone."""

import os
import signal
from collections.abc import Callable
from typing import Any

from apps.events.jobs import runner, sweeper, work
from apps.events.schedules import scheduler

WORKER = (
    "claimed, not begun",
    "before the effect",
    "after the effect, before the next step is asked for",
    "next step asked for, not completed",
    "outside effect made, not completed",
    "completed, not committed",
    "committed, before the ring",
    "failed, not written",
    "failure written, not committed",
)
PUMP = (
    "sweeper: taken back, not committed",
    "sweeper: committed, before the ring",
    "scheduler: job made, moment not moved",
    "scheduler: moment moved, not committed",
    "scheduler: committed",
)
armed: dict[str, int] = {}


def point(name: str) -> None:
    """Die here when this is the time."""
    if name in armed:
        armed[name] -= 1
        if armed[name] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def before(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with the point `name` before it."""

    def wrapped(*args: Any, **more: Any) -> Any:
        point(name)
        return function(*args, **more)

    return wrapped


def after(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with the point `name` after it, when it did anything."""

    def wrapped(*args: Any, **more: Any) -> Any:
        result = function(*args, **more)
        if result:
            point(name)
        return result

    return wrapped


def arm(name: str, time: int) -> None:
    """Die at the `time`-th pass of the point `name`."""
    armed[name] = time
    runner.execute = before("claimed, not begun", runner.execute)
    runner._complete = _completing(runner._complete)
    runner._fail = before("failed, not written", runner._fail)
    runner._end = _ending(runner._end)
    work.bell.ring = before("committed, before the ring", work.bell.ring)
    sweeper._book = before("sweeper: taken back, not committed", sweeper._book)
    sweeper.bell.ring = before("sweeper: committed, before the ring", sweeper.bell.ring)
    scheduler.enqueue = after("scheduler: job made, moment not moved", scheduler.enqueue)
    scheduler._serve = _served(scheduler._serve)
    scheduler._serve_one = after("scheduler: committed", scheduler._serve_one)


def _completing(function: Callable[..., None]) -> Callable[..., None]:
    def wrapped(*args: Any, **more: Any) -> None:
        function(*args, **more)
        point("completed, not committed")

    return wrapped


def _served(function: Callable[..., None]) -> Callable[..., None]:
    def wrapped(*args: Any, **more: Any) -> None:
        function(*args, **more)
        point("scheduler: moment moved, not committed")

    return wrapped


def _ending(function: Callable[..., bool]) -> Callable[..., bool]:
    def wrapped(taken: Any, state: str, **more: Any) -> bool:
        done = function(taken, state, **more)
        if state == "queued":
            point("failure written, not committed")
        return done

    return wrapped
