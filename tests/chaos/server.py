"""A PostgreSQL of the chaos alone, which may be killed; it writes through to the disk, unlike that of the tests."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from apps.cli.launch import ports
from apps.cli.launch.children import Child
from apps.cli.launch.lock import Lock, Taken
from apps.cli.launch.places import Places, places
from apps.cli.launch.postgres import Server

MOST_AT_ONCE = 10


class Mortal:
    """The server, and its end and return."""

    def __init__(self, server: Server, child: Child) -> None:
        self._server, self._child = server, child
        self.restarts = 0

    @property
    def url(self) -> str:
        """The administrator's URL."""
        return self._server.admin_url()

    def crash(self) -> None:
        """End all its processes at once without a checkpoint, as an immediate shutdown does; recover from the log."""
        pid = int((self._server.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        process = self._child.process
        assert process is not None
        process.wait(timeout=30)
        self._server.start(self._child)
        self.restarts += 1

    def recovered(self) -> bool:
        """Whether the last start had to repeat the log: the proof that it was no ordinary shutdown."""
        return "database system was not properly shut down" in self._server.log.read_text(errors="replace")


@contextmanager
def own_server() -> Iterator[Mortal]:
    """Start one for this run; its data stay for the next run, which finds the migrated template there."""
    mask = os.umask(0o077)
    here = places()
    here.make()
    (here.var / "chaos").mkdir(exist_ok=True)
    (here.var / "chaos").chmod(0o711)
    with _slot(here) as mine:
        mine.make()
        os.umask(mask)
        server = Server(mine.var / "postgres", ports.free_port(), mine, name="chaos-postgres")
        server.log.unlink(missing_ok=True)
        child = server.child()
        server.start(child)
        try:
            yield Mortal(server, child)
        finally:
            child.stop()


@contextmanager
def _slot(here: Places) -> Iterator[Places]:
    for number in range(1, MOST_AT_ONCE + 1):
        folder = here.var / "chaos" / str(number)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
        lock = Lock(folder / "lock")
        try:
            lock.__enter__()
        except Taken:
            continue
        try:
            yield Places(folder)
        finally:
            lock.__exit__()
        return
    msg = f"{MOST_AT_ONCE} runs of the chaos are under way in this folder already."
    raise RuntimeError(msg)


def patient(url: str, seconds: float = 60.0) -> psycopg.Connection:
    """Connect, waiting while the server is on its way back."""
    until = time.monotonic() + seconds
    while True:
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
