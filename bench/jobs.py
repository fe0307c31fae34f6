"""Jobs a second, waiting times, and what a killed worker costs: ours beside Celery alone and procrastinate.

    python -m bench.jobs [--jobs 2000] [--rounds 3] [--kills 5] [--json]

Two worker processes each, on one PostgreSQL and one Valkey; each job writes one row. Figures of the queues are taken
by turns, the median of the rounds is told. `missing` and `doubled` count effects after workers were killed in the
middle of their work; each queue as it is delivered, but for shorter waiting times until a lost job is given up.
"""

import argparse
import contextlib
import importlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django
import psycopg
from django.db import connections
from psycopg import sql

from apps.cli.launch import ports
from apps.cli.launch.places import Places
from apps.cli.launch.valkey import Valkey

WORKERS = 2
TABLE = "CREATE TABLE public.bench_effect (number int, at timestamptz NOT NULL DEFAULT clock_timestamp())"
COUNT = "SELECT count(*), count(DISTINCT number) FROM public.bench_effect"
SPAN = "SELECT extract(epoch FROM max(at))::float8 FROM public.bench_effect"
CALM = 20.0  # seconds without a new effect after which no more is to come
Ask = Callable[[int, int], None]


@dataclass
class Queue:
    """One of those compared: how to ask it (a number, and the milliseconds its job takes), and its worker's command."""

    name: str
    ask: Ask
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, number: int = WORKERS) -> None:
        """Start workers, each in a group of its own."""
        for index in range(number):
            self.workers.append(
                subprocess.Popen(
                    [word.format(index=index) for word in self.command],
                    env=os.environ | self.environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all processes of all workers."""
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, number)

    def end(self) -> None:
        """Kill all workers."""
        self.signal(signal.SIGKILL)
        while self.workers:
            self.workers.pop().wait()


class Table:
    """The effects, read with a connection of the administrator."""

    def __init__(self, url: str) -> None:
        self._line = psycopg.connect(url, autocommit=True)

    def make(self, app: str) -> None:
        """Make the table and let the product's login write."""
        self._line.execute(TABLE)
        self._line.execute(sql.SQL("GRANT INSERT ON public.bench_effect TO {}").format(sql.Identifier(app)))

    def clear(self) -> None:
        """Forget all effects."""
        self._line.execute("TRUNCATE public.bench_effect")

    def counts(self) -> tuple[int, int]:
        """Return how many effects there are, and of how many jobs."""
        row = self._line.execute(COUNT).fetchone() or (0, 0)
        return row[0], row[1]

    def last(self) -> float:
        """Return when the last effect happened, in seconds since 1970."""
        row = self._line.execute(SPAN).fetchone()
        return float(row[0]) if row and row[0] is not None else 0.0

    def wait(self, jobs: int, calm: float = 60.0) -> None:
        """Wait for the effects of so many jobs, at most until nothing has come for `calm` seconds."""
        seen, since = -1, time.monotonic()
        while (found := self.counts())[1] < jobs and time.monotonic() - since < calm:
            if found[0] != seen:
                seen, since = found[0], time.monotonic()
            time.sleep(0.02)


def throughput(queue: Queue, table: Table, jobs: int) -> dict[str, float]:
    """Queue jobs while the workers stand still, then let them go; and the waiting times of single ones."""
    table.clear()
    queue.start()
    queue.ask(-1, 0)
    table.wait(1)
    queue.signal(signal.SIGSTOP)
    began = time.perf_counter()
    for number in range(jobs):
        queue.ask(number, 0)
    asked = time.perf_counter() - began
    started = time.time()
    queue.signal(signal.SIGCONT)
    table.wait(jobs + 1)
    done = table.last() - started
    table.clear()
    waits = []
    for number in range(60):
        queue.ask(number, 0)
        asked_at = time.time()
        table.wait(number + 1)
        waits.append((table.last() - asked_at) * 1000)
        time.sleep(0.03)
    queue.end()
    return {
        "asked_s": jobs / asked,
        "done_s": jobs / done,
        "wait_p50_ms": statistics.median(waits),
        "wait_p95_ms": statistics.quantiles(waits, n=20)[-1],
    }


def killed(queue: Queue, table: Table, jobs: int, kills: int) -> dict[str, float]:
    """Kill all workers again and again in the middle of their work; count what is missing and what is there twice."""
    table.clear()
    for number in range(jobs):
        queue.ask(number, 20)
    for _ in range(kills):
        before = table.counts()[0]
        queue.start()
        until = time.monotonic() + 60
        while table.counts()[0] < before + 10 and time.monotonic() < until:
            time.sleep(0.003)
        queue.end()
    queue.start()
    table.wait(table.counts()[1] + 1, 60)
    table.wait(jobs, CALM)
    time.sleep(3)
    effects, done = table.counts()
    queue.end()
    return {"kills": kills, "missing": jobs - done, "doubled": effects - done}


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """A Valkey of this run."""
    with tempfile.TemporaryDirectory(prefix="aibos-bench-") as folder:
        here = Places(Path(folder))
        mask = os.umask(0o077)
        here.make()
        os.umask(mask)
        server = Valkey(ports.free_port(), here)
        child = server.child()
        child.start()
        try:
            until = time.monotonic() + 20
            while not ports.answers(server.port) and time.monotonic() < until:
                time.sleep(0.05)
            yield server.url(0)
        finally:
            child.stop()


def queues(url: str) -> list[Queue]:
    """All that are compared; ours first."""
    ours, celery = (importlib.import_module(f"bench.queues.{name}") for name in ("ours", "celery_alone"))
    other = importlib.import_module("bench.queues.on_procrastinate")
    ours.prepare()
    with psycopg.connect(url, autocommit=True) as admin:
        schema = other.app.with_connector(
            other.SyncPsycopgConnector(conninfo=url)
        ).schema_manager.get_schema()
        admin.execute(schema)
    asking = other.asking()
    task = asking.configure_task("bench.effect", allow_unknown=True)
    python = sys.executable
    words = [
        python,
        "-m",
        "celery",
        "-A",
        "bench.queues.celery_alone",
        "worker",
        "-c",
        "1",
        "--loglevel",
        "ERROR",
    ]
    words += ["--without-gossip", "--without-mingle", "-n", "{index}@bench"]
    return [
        Queue("ours", ours.ask, [python, "-m", "bench.queues.ours", str(ours.LEASE)]),
        Queue("celery, as delivered", celery.ask, words),
        Queue("celery, acks_late", celery.ask, words, {"BENCH_LATE": "yes"}),
        Queue(
            "procrastinate",
            lambda number, millis: task.defer(number=number, millis=millis),
            [python, "-m", "bench.queues.on_procrastinate"],
        ),
    ]


def measure(url: str, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return the figures of each queue."""
    table = Table(url)
    table.make(psycopg.conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])["user"])
    rivals = queues(url)
    try:
        return _compare(rivals, table, args)
    finally:
        for queue in rivals:
            queue.end()


def _compare(rivals: list[Queue], table: Table, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    found: dict[str, list[dict[str, float]]] = {queue.name: [] for queue in rivals}
    for _ in range(args.rounds):
        for queue in rivals:
            found[queue.name].append(throughput(queue, table, args.jobs))
    medians: dict[str, dict[str, float]] = {
        name: {key: round(statistics.median(one[key] for one in rounds), 1) for key in rounds[0]}
        for name, rounds in found.items()
        if rounds
    }
    for queue in rivals if args.kills else []:
        medians.setdefault(queue.name, {}).update(killed(queue, table, args.victims, args.kills))
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument(
        "--victims", type=int, default=300, help="jobs of 20 ms among which workers are killed"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    from tests import databases

    admin = os.environ["DATABASE_ADMIN_URL"]
    made, app, owner = databases.create(admin)
    url = databases.as_superuser(admin, made)
    os.environ |= {"DATABASE_URL": app, "DATABASE_OWNER_URL": owner, "BENCH_DATABASE": url}
    try:
        django.setup()
        from bench.ledger import prepare

        tenant = prepare("bench")
        os.environ |= {"BENCH_TENANT": str(tenant.id), "BENCH_SCHEMA": tenant.schema}
        with broker() as address:
            os.environ["BENCH_BROKER"] = address
            figures: dict[str, Any] = measure(url, args)
        connections.close_all()
    finally:
        databases.drop(admin, made)
    if args.json:
        print(json.dumps(figures))
        return
    keys = list(next(iter(figures.values())))
    print(f"{'':>22}" + "".join(f"{key:>13}" for key in keys))
    for name, values in figures.items():
        print(f"{name:>22}" + "".join(f"{values.get(key, ''):>13}" for key in keys))


if __name__ == "__main__":
    main()
