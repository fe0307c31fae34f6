"""Looks after the running processes until one signal asks to stop, then stops them in order."""

import signal
import time
from collections.abc import Iterable

from apps.cli.launch.children import Child

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS = 0.2


class Stopping(Exception):
    """Somebody asked to stop while the start was still under way."""


class Supervisor:
    """Groups of processes, in starting order; they are stopped group by group from the last."""

    def __init__(self) -> None:
        self.groups: list[list[Child]] = []
        self.asked_to_stop = False
        self.stopping = False

    def listen(self) -> None:
        """Take over the signals that ask to stop."""
        for name in SIGNALS:
            signal.signal(name, self._asked)

    def _asked(self, *_: object) -> None:
        first = not self.asked_to_stop
        self.asked_to_stop = True
        if first and not self.stopping:
            raise Stopping

    def add(self, *children: Child) -> None:
        """Look after these from now on, as one group."""
        self.groups.append(list(children))

    def look_until_asked(self) -> None:
        """Restart what crashes until a signal arrives."""
        try:
            while True:
                for group in self.groups:
                    for child in group:
                        report = child.look_after()
                        if report:
                            say(report)
                time.sleep(LOOK_SECONDS)
        except Stopping:
            pass

    def stop(self) -> None:
        """Stop all: the last group first, the processes of a group at once. A second Ctrl-C waits no longer."""
        self.stopping, self.asked_to_stop = True, False
        for group in reversed(self.groups):
            for child in reversed(group):
                child.ask_to_stop()
            for child in reversed(group):
                if self.asked_to_stop and not _holds_data(child):
                    child.stop_seconds = 0.1
                if child.process and child.wait_stopped():
                    say(f"{child.name} had to be ended by force")


def _holds_data(child: Child) -> bool:
    return child.name.startswith(("postgres", "valkey"))


def wait_for(children: Iterable[Child], seconds: float) -> Child | None:
    """Wait until all are ready; return the first that is not, when time is up or it has ended."""
    deadline = time.monotonic() + seconds
    for child in children:
        while child.ready and not child.ready():
            if child.poll() is not None or time.monotonic() > deadline:
                return child
            time.sleep(0.05)
    return None


def say(text: str) -> None:
    """One line for whoever watches."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)
