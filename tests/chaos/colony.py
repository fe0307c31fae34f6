"""The processes of a run: hatched, killed, frozen, and replaced when they are gone."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Nest:
    """The process that hatches all others; `log` is what they say."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.nest"],
                cwd=ROOT,
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )

    def say(self, line: str) -> Any:
        """Send an order; return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            msg = f"The nest has gone: {self.log.read_text()[-3000:]}"
            raise AssertionError(msg)
        return json.loads(answer)

    def end(self) -> None:
        """End it, and with it whatever it has hatched."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


class Colony:
    """Some processes of each role, kept at their number; `orders` are what all of them get."""

    def __init__(self, nest: Nest, **orders: Any) -> None:
        self.orders = orders
        self.wanted: dict[str, int] = {}
        self.alive: dict[int, dict[str, Any]] = {}
        self.kills = 0
        self._nest = nest
        self._from = nest.log.stat().st_size

    @property
    def said(self) -> str:
        """What its processes have logged."""
        return self._nest.log.read_bytes()[self._from :].decode("utf-8", "replace")

    def hatch(self, role: str, **more: Any) -> int:
        """Start one process; return its id."""
        order = {"role": role, **self.orders, **more}
        pid = int(self._nest.say(json.dumps(order)))
        self.alive[pid] = order
        return pid

    def keep(self, **wanted: int) -> None:
        """Have that many of each role from now on (plain ones: those with a point to die at come on top)."""
        self.wanted = wanted
        self.look()

    def look(self) -> dict[int, int]:
        """Replace what has ended; return the ids of those and the signal that ended each."""
        ended = {int(pid): number for pid, number in self._nest.say("").items()}
        for pid in ended:
            self.alive.pop(pid, None)
        for role, number in self.wanted.items():
            for _ in range(number - len(self.plain(role))):
                self.hatch(role)
        return ended

    def plain(self, role: str) -> list[int]:
        """Return the ids of processes of a role without a point to die at."""
        return [pid for pid, order in self.alive.items() if order["role"] == role and "point" not in order]

    def kill_one(self) -> None:
        """kill -9 one of the plain ones, whichever, and replace it."""
        self.signal(random.choice([pid for role in self.wanted for pid in self.plain(role)]), signal.SIGKILL)
        self.kills += 1
        time.sleep(0.01)
        self.look()

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to one."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def wait_for_death(self, pid: int, seconds: float = 60.0) -> int:
        """Wait until one is gone; return the signal that ended it (0: it ended by itself)."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ended = self.look()
            if pid in ended:
                return ended[pid]
            time.sleep(0.02)
        msg = f"Process {pid} never came to its point: {self.alive.get(pid)}."
        raise AssertionError(msg)

    def end(self) -> None:
        """End all of them."""
        self.wanted = {}
        for pid in self.alive:
            self.signal(pid, signal.SIGKILL)
        while self.alive:
            self.look()
            time.sleep(0.005)
