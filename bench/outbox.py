"""What an event costs and how soon it is heard: written, read in order, handled once.

    python -m bench.outbox [--seconds 10] [--rate 200] [--writers 4] [--backlog 20000] [--old 1000000] [--json]

Four figures: events/s that writers commit without a pause; events/s that one reader hands to a handler (with its
inbox row) from a backlog; the time from commit to handler at a steady rate; the size of the log before and after a
million old events are dropped with their days. Makes a database on DATABASE_ADMIN_URL.
"""

import argparse
import json
import multiprocessing
import os
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import django
from django.db import connections

PROCESSES = multiprocessing.get_context("fork")
TYPE = "bench.happened"
SIZE = "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_partition_tree('public.events_outbox')"
OLD = """
INSERT INTO public.events_outbox (id, xid, tenant_id, type, subject, body)
SELECT (lpad(to_hex((extract(epoch FROM timestamptz '2024-01-01') * 1000)::bigint + n %% 604800000 + %s::bigint * 86400000), 12, '0')
        || '7' || lpad(to_hex(n %% 4096), 3, '0') || '8' || lpad(to_hex(n::bigint), 15, '0'))::uuid,
       '3', %s, 'bench.happened', 'bench:1', convert_to('{}', 'UTF8') || decode(repeat('20', 400), 'hex')
FROM generate_series(1, %s) n
"""


def emit(ref: Any, number: int) -> str:
    """Write one event in a transaction of its own; return its id."""
    from apps.core.actor import SYSTEM
    from apps.core.scope import tenant_scope
    from apps.events import outbox

    with tenant_scope(ref):
        return str(outbox.emit(TYPE, subject=f"bench:{number % 50}", data={"n": number}, by=SYSTEM))


def writer(ref: Any, seconds: float, rate: float, answer: Connection) -> None:
    """Write at `rate` a second (0: without a pause); send id → moment after the commit."""
    connections.close_all()
    kept: dict[str, float] = {}
    begin = time.time()
    while (now := time.time()) < begin + seconds:
        due = begin + len(kept) / rate if rate else now
        if due > now:
            time.sleep(due - now)
        kept[emit(ref, len(kept))] = time.time()
    connections.close_all()
    answer.send(kept)


def reader(answer: Connection, stop: Any) -> None:
    """Hand events over until told to stop; send id → moment at which the handler had it."""
    from apps.events.delivery import GROUP, Delivery
    from apps.events.reader import Reader
    from apps.events.registry import subscribers

    connections.close_all()
    heard: dict[str, float] = {}
    subscribers["bench"].handle.heard = heard  # type: ignore[attr-defined]
    end = threading.Event()
    threading.Thread(target=lambda: (stop.wait(), end.set()), daemon=True).start()
    Reader(GROUP, Delivery(), bus="postgresql").run(end)
    answer.send(heard)


def register() -> None:
    """The bench's own type and its handler."""
    from apps.events import registry

    def handle(event: Any) -> None:
        handle.heard[str(event.id)] = time.time()  # type: ignore[attr-defined]

    handle.heard = {}  # type: ignore[attr-defined]
    registry.register(registry.EventType(TYPE, "A bench."))
    registry.subscribe("bench", TYPE)(handle)


def started(target: Any, *args: Any) -> tuple[Any, Connection]:
    """Start a process that answers through a pipe, which takes the place of None."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(
        target=target, args=tuple(there if item is None else item for item in args), daemon=True
    )
    process.start()
    there.close()
    return process, here


def written(ref: Any, writers: int, seconds: float, rate: float) -> dict[str, float]:
    """Run writers that share `rate`; return what they committed."""
    running = [started(writer, ref, seconds, rate / writers, None) for _ in range(writers)]
    kept: dict[str, float] = {}
    for process, pipe in running:
        kept |= pipe.recv()
        process.join()
    return kept


def backlog(ref: Any, count: int) -> float:
    """Return how many events/s one reader hands over when many wait."""
    from apps.core.actor import SYSTEM
    from apps.core.scope import tenant_scope
    from apps.events import outbox
    from apps.events.delivery import GROUP, Delivery
    from apps.events.reader import Reader, lag

    for _ in range(0, count, 1000):
        with tenant_scope(ref):
            for number in range(1000):
                outbox.emit(TYPE, subject=f"bench:{number % 50}", data={"n": number}, by=SYSTEM)
    begin, done = time.monotonic(), 0
    while lag(GROUP, bus="postgresql").events:
        done += Reader(GROUP, Delivery(), bus="postgresql").drain()
    return done / (time.monotonic() - begin)


def soon(ref: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Return how long events take from commit to handler at a steady rate."""
    stop = PROCESSES.Event()
    reading, pipe = started(reader, None, stop)
    time.sleep(0.5)
    kept = written(ref, args.writers, args.seconds, args.rate)
    time.sleep(1.0)
    stop.set()
    heard = pipe.recv()
    reading.join()
    waits = sorted(max(0.0, heard[key] - moment) for key, moment in kept.items() if key in heard)
    return {
        "steady_events": len(kept),
        "steady_rate_s": round(len(kept) / args.seconds),
        "unheard": len(kept) - len(waits),
        "commit_to_handler_p50_ms": round(waits[len(waits) // 2] * 1000, 1),
        "commit_to_handler_p95_ms": round(waits[int(len(waits) * 0.95)] * 1000, 1),
        "commit_to_handler_p99_ms": round(waits[int(len(waits) * 0.99)] * 1000, 1),
    }


def dropped(ref: Any, count: int) -> dict[str, Any]:
    """Return the size of the log with `count` old events, and after their days were dropped."""
    from apps.core.scope import platform_scope
    from apps.events import partitions

    def ask(statement: str, params: list[Any] | None = None) -> Any:
        with platform_scope("bench"), connections["default"].cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(statement, params)
            return cursor.fetchone() if cursor.description else None

    before = ask(SIZE)[0]
    begin = time.monotonic()
    for day in range(count // 100_000):
        ask(OLD, [day, ref.id, 100_000])
    full, filled = ask(SIZE)[0], time.monotonic() - begin
    begin = time.monotonic()
    kept = partitions.keep()
    return {
        "old_events": count,
        "log_mb_before": round(before / 1e6, 1),
        "log_mb_full": round(full / 1e6, 1),
        "log_mb_after": round(ask(SIZE)[0] / 1e6, 1),
        "days": str(kept),
        "fill_s": round(filled, 1),
        "keep_s": round(time.monotonic() - begin, 1),
    }


def measure(ref: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Return all figures."""
    from apps.events import partitions

    partitions.keep()
    connections.close_all()
    flood = written(ref, args.writers, args.seconds / 2, 0)
    figures: dict[str, Any] = {"writers": args.writers, "written_s": round(len(flood) / args.seconds * 2)}
    figures["handled_s"] = round(backlog(ref, args.backlog))
    connections.close_all()
    figures |= soon(ref, args)
    return figures | (dropped(ref, args.old) if args.old else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=200.0, help="events a second, all writers together")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--backlog", type=int, default=20_000)
    parser.add_argument("--old", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    from tests import databases

    made, app, owner = databases.create(os.environ["DATABASE_ADMIN_URL"])
    os.environ |= {"DATABASE_URL": app, "DATABASE_OWNER_URL": owner}
    try:
        django.setup()
        from bench.ledger import prepare

        register()
        figures = measure(prepare("bench"), args)
        connections.close_all()
    finally:
        databases.drop(os.environ["DATABASE_ADMIN_URL"], made)
    print(
        json.dumps(figures)
        if args.json
        else "\n".join(f"{key:>26}  {value}" for key, value in figures.items())
    )


if __name__ == "__main__":
    main()
