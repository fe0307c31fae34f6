"""One process of ours: started in a group of its own, dying with its parent, stopped with all it started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from apps.cli.launch.disguise import Disguise
from apps.cli.launch.places import ROOT

LARGEST_LOG = 5_000_000
LONGEST_PAUSE = 30.0
CALM_SECONDS = 60.0  # after which earlier crashes are forgotten


@dataclass
class Child:
    """What to run, how to end it, and how it is doing."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    folder: Path = ROOT
    disguise: Disguise = field(default_factory=Disguise)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10
    ready: Callable[[], bool] | None = None
    process: subprocess.Popen[bytes] | None = None
    crashes: int = 0
    started_at: float = 0
    again_at: float | None = None

    def start(self) -> None:
        """Start it; must be called in the main thread, whose end is what the system watches."""
        turn_log(self.log)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C reaches the launcher alone, which stops all in order
                **self.disguise.arguments(dies_by=self.stop_signal),
            )
        self.started_at = time.monotonic()
        self.again_at = None

    def poll(self) -> int | None:
        """The exit code, or None while it runs or was never started."""
        return self.process.poll() if self.process else None

    def look_after(self) -> str | None:
        """Start it again after a crash, with growing pauses; return what there is to report."""
        now = time.monotonic()
        if self.again_at is not None:
            if now >= self.again_at:
                self.start()
                return f"{self.name} is started again"
            return None
        code = self.poll()
        if code is None:
            return None
        self.end_group(signal.SIGKILL)  # what it had started must not live on beside the new one
        self.crashes = 1 if now - self.started_at > CALM_SECONDS else self.crashes + 1
        pause = min(LONGEST_PAUSE, 0.25 * 2**self.crashes)
        self.again_at = now + pause
        return f"{self.name} ended ({describe(code)}); next try in {pause:.1f} s, see {self.log}"

    def ask_to_stop(self) -> None:
        """Ask the process (not its children: it knows them better) to end."""
        self.again_at = None
        if self.process and self.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                self.process.send_signal(self.stop_signal)

    def wait_stopped(self) -> bool:
        """Wait for the end, then end by force what is left; return whether force was needed."""
        if not self.process:
            return False
        forced = False
        try:
            self.process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            forced = True
        self.end_group(signal.SIGKILL)
        self.process.wait()
        return forced

    def stop(self) -> bool:
        """Ask, wait, force; return whether force was needed."""
        self.ask_to_stop()
        return self.wait_stopped()

    def end_group(self, how: signal.Signals) -> None:
        """Send a signal to all processes of its group."""
        if self.process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, how)


def describe(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"exit code {code}"


def turn_log(log: Path) -> None:
    """Keep one older log when the present one has grown large."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".old.log"))
