"""`make test` and `make chaos`: pytest beside a database server of its own, which forgets quickly and is never yours."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from apps.cli.launch import ports
from apps.cli.launch.lock import Lock, Taken
from apps.cli.launch.places import ROOT, Places, places
from apps.cli.launch.postgres import FORGETFUL, Server
from apps.cli.launch.processes import MARK, sweep
from apps.cli.launch.supervisor import Stopping, Supervisor

MOST_AT_ONCE = 20
CHAOS = "AIBOS_CHAOS"
CHAOS_TESTS = ("tests/chaos", "tests/events/test_no_fact_is_lost.py", "tests/events/bus/test_switch.py")
MOST_PROCESSES = 6  # beyond that the one database server is what they wait for


def test(words: list[str]) -> int:
    """Run pytest with these arguments, beside one another unless they say `-n 0`; return its exit code."""
    command = [sys.executable, "-m", "pytest", *side_by_side(), *words]
    if os.environ.get("DATABASE_ADMIN_URL"):
        return subprocess.run(command, check=False, cwd=ROOT).returncode
    with test_server(places()) as url:
        environment = dict(os.environ) | {"DATABASE_ADMIN_URL": url}
        process = subprocess.Popen(command, env=environment, cwd=ROOT)
        try:
            return process.wait()
        except Stopping:
            process.send_signal(signal.SIGINT)
            return process.wait()


def chaos(words: list[str]) -> int:
    """Run the tests of kills at full length, one after the other, telling what was done; return pytest's exit code."""
    os.environ[CHAOS] = "full"
    return test(["-n", "0", "-s", *CHAOS_TESTS, *words])


def side_by_side() -> list[str]:
    """Arguments that hand whole files to several processes, in the order in which they were found."""
    number = min(max(os.cpu_count() or 1, 2), MOST_PROCESSES)
    return ["-n", str(number), "--dist", "loadfile", "--no-loadscope-reorder"]


@contextmanager
def test_server(here: Places) -> Iterator[str]:
    """A server for one run of the tests; runs at the same time in one folder get one each."""
    here.make()
    with _slot(here) as number:
        home = here.var / "test-postgres" / str(number)
        home.mkdir(parents=True, exist_ok=True)
        os.environ[MARK] = str(home)
        sweep(home)
        supervisor = Supervisor()
        supervisor.listen()
        port = ports.remembered(home / "port.json", ["postgres"])["postgres"]
        server = Server(home, port, here, name=f"test-postgres-{number}", settings=FORGETFUL)
        try:
            child = server.child()
            supervisor.add(child)
            server.start(child)
            yield server.admin_url()
        finally:
            supervisor.stop()


@contextmanager
def _slot(here: Places) -> Iterator[int]:
    for number in range(1, MOST_AT_ONCE + 1):
        lock = Lock(here.run / f"test-{number}.lock")
        try:
            lock.__enter__()
        except Taken:
            continue
        try:
            yield number
        finally:
            lock.__exit__()
        return
    msg = f"{MOST_AT_ONCE} runs of the tests are under way in this folder already."
    raise RuntimeError(msg)
