"""What the ledger costs, and whether it holds: many writers on one tenant while the sequencer is killed.

    python -m bench.ledger [--seconds 10] [--writers 16] [--kills 10] [--json]

Prints transactions/s without and with audit in interleaved rounds, the chain's lag, and compares what was
committed with what was chained. The naive append (read the last entry, add one) runs as negative control. Uses
DATABASE_URL and DATABASE_OWNER_URL with `--tenant`, else makes a database on DATABASE_ADMIN_URL.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import signal
import statistics
import threading
import time
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

import django
from django.db import connections, transaction
from psycopg import sql

PROCESSES = multiprocessing.get_context("fork")
ROLLBACKS = 0.10
WORK = "CREATE TABLE IF NOT EXISTS {} (id bigserial PRIMARY KEY, name text, amount numeric)"
NAIVE = "CREATE TABLE IF NOT EXISTS {} (id bigserial PRIMARY KEY, seq bigint, prev bytea, hash bytea)"


class Rolled(Exception):
    """The writer changed its mind."""


def business(cursor: Any, table: sql.Identifier) -> None:
    """Three inserts: the change that the entry is about."""
    for number in range(3):
        cursor.execute(sql.SQL("INSERT INTO {} (name, amount) VALUES (%s, %s)").format(table), ["a lead", number])


def writer(ref: Any, audit: bool, seconds: float, seed: int, answer: Connection) -> None:
    """Commit transactions for `seconds`; send the ids of the entries that were committed."""
    from apps.audit import ledger
    from apps.core.actor import SYSTEM
    from apps.core.scope import tenant_scope

    chance, table = random.Random(seed), sql.Identifier(ref.schema, "bench_work")
    kept: list[UUID | None] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        entry = None
        try:
            with tenant_scope(ref), connections["default"].cursor() as cursor:
                business(cursor, table)
                if audit:
                    number = len(kept)
                    after = {"name": "a lead", "amount": number, "status": "new"}
                    entry = ledger.record("lead.created", by=SYSTEM, target=f"lead:{seed}-{number}", after=after)
                if chance.random() < ROLLBACKS:
                    raise Rolled
            kept.append(entry)
        except Rolled:
            continue
    connections.close_all()
    answer.send(kept)


def naive_writer(ref: Any, seconds: float, answer: Connection) -> None:
    """The append everybody writes first: read the last entry, link to it. No lock."""
    from apps.core.scope import tenant_scope

    name = sql.Identifier(ref.schema, "bench_naive")
    until, kept = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        with tenant_scope(ref), connections["default"].cursor() as cursor:
            business(cursor, sql.Identifier(ref.schema, "bench_work"))
            cursor.execute(sql.SQL("SELECT seq, hash FROM {} ORDER BY seq DESC, id DESC LIMIT 1").format(name))
            seq, prev = cursor.fetchone() or (0, bytes(32))
            row = [seq + 1, prev, hashlib.sha256(bytes(prev) + os.urandom(8)).digest()]
            cursor.execute(sql.SQL("INSERT INTO {} (seq, prev, hash) VALUES (%s, %s, %s)").format(name), row)
        kept += 1
    connections.close_all()
    answer.send(kept)


def sequencer() -> None:
    """Link until killed."""
    from apps.audit.sequencer import Sequencer

    Sequencer().run_forever(threading.Event())


def sampler(stop: Any, answer: Connection) -> None:
    """Sample the age of the oldest waiting entry, in seconds."""
    from apps.audit import queries
    from apps.core.scope import platform_scope

    samples = []
    while not stop.wait(0.05):
        with platform_scope("bench: lag"):
            samples.append(queries.lag().seconds)
    connections.close_all()
    answer.send(samples)


def started(target: Any, *args: Any) -> tuple[Any, Connection]:
    """Start a process that answers through a pipe."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=target, args=(*args, there), daemon=True)
    process.start()
    there.close()
    return process, here


def crowd(target: Any, writers: int, *args: Any, seeded: bool = False, kills: int = 0) -> tuple[list[Any], float]:
    """Run `writers` processes; meanwhile kill the sequencer `kills` times. Return answers and seconds."""
    seconds = args[-1]
    link = _sequencer() if kills else None
    begin = time.monotonic()
    running = [started(target, *args, *([seed] if seeded else [])) for seed in range(writers)]
    for _ in range(kills):
        time.sleep(seconds / (kills + 1))
        os.kill(link.pid, signal.SIGKILL)
        link.join()
        link = _sequencer()
    answers = [pipe.recv() for _, pipe in running]
    elapsed = time.monotonic() - begin
    for process, _ in running:
        process.join()
    if link is not None:
        drain()
        os.kill(link.pid, signal.SIGKILL)
        link.join()
    return answers, elapsed


def _sequencer() -> Any:
    process = PROCESSES.Process(target=sequencer, daemon=True)
    process.start()
    return process


def drain() -> None:
    """Wait until nothing waits for the sequencer."""
    from apps.audit import queries
    from apps.core.scope import platform_scope

    while True:
        with platform_scope("bench: drain"):
            if not queries.lag().waiting:
                break
        time.sleep(0.02)
    connections.close_all()


def measure(ref: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Run all rounds and return the figures."""
    off: list[float] = []
    on: list[float] = []
    committed: set[UUID] = set()
    samples: list[float] = []
    share = args.seconds / args.rounds
    for number in range(args.rounds):
        done, took = crowd(writer, args.writers, ref, False, share, seeded=True)
        off.append(sum(map(len, done)) / took)
        stop = PROCESSES.Event()
        watch, heard = started(sampler, stop)
        done, took = crowd(writer, args.writers, ref, True, share, seeded=True, kills=-(-args.kills // args.rounds))
        on.append(sum(map(len, done)) / took)
        committed |= {entry for kept in done for entry in kept}
        stop.set()
        samples += heard.recv()
        watch.join()
        print(f"round {number + 1}: {off[-1]:.0f} tx/s without audit, {on[-1]:.0f} with", flush=True)
    naive, _ = crowd(naive_writer, args.writers, ref, min(share, 3.0))
    samples.sort()
    return {
        "writers": args.writers,
        "kills": args.rounds * -(-args.kills // args.rounds),
        "off_tx_s": round(statistics.median(off)),
        "on_tx_s": round(statistics.median(on)),
        "share": round(statistics.median(on) / statistics.median(off), 3),
        "lag_p99_s": round(samples[int(len(samples) * 0.99)], 3) if samples else None,
        "lag_max_s": round(samples[-1], 3) if samples else None,
        **judge(ref, committed),
        "naive_entries": sum(naive),
        "naive_forked": forks(ref, "bench_naive"),
    }


def judge(ref: Any, committed: set[UUID]) -> dict[str, Any]:
    """Compare the chain with what was committed, and verify it."""
    from apps.audit.verify import verify
    from apps.core.scope import tenant_scope

    with tenant_scope(ref), connections["default"].cursor() as cursor:
        cursor.execute("SELECT id FROM audit_entry WHERE action = 'lead.created' AND target LIKE 'lead:%%'")
        chained = {row[0] for row in cursor.fetchall()}
    verdict = verify(ref)
    return {
        "committed": len(committed),
        "chained": len(chained),
        "lost": len(committed - chained),
        "phantom": len(chained - committed),
        "forked": forks(ref, "audit_entry"),
        "verified": verdict.ok,
        "verify_entries": verdict.entries,
        "verify_entries_s": round(verdict.entries / verdict.seconds) if verdict.seconds else 0,
        "bad": None if verdict.bad is None else verdict.bad.message,
    }


def forks(ref: Any, table: str) -> int:
    """Return how many entries share their predecessor with another one."""
    from apps.core.scope import tenant_scope

    statement = "SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM {} GROUP BY prev HAVING count(*) > 1) x"
    with tenant_scope(ref), connections["default"].cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(ref.schema, table)))
        return int(cursor.fetchone()[0])


def prepare(slug: str) -> Any:
    """Return the tenant with the bench's own tables in it; made when it does not exist."""
    from apps.core.actor import SYSTEM
    from apps.core.db.owner import owner_session
    from apps.core.scope import platform_scope, tenant_scope
    from apps.tenants.models import Tenant
    from apps.tenants.provision import Order, create_tenant

    with platform_scope("bench"):
        tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        tenant = create_tenant(by=SYSTEM, wanted=Order(slug=slug, name=slug), default_host=f"{slug}.localhost")
    ref = tenant.ref
    with owner_session(), tenant_scope(ref), connections["default"].cursor() as cursor:
        for name, statement in (("bench_work", WORK), ("bench_naive", NAIVE)):
            cursor.execute(sql.SQL(statement).format(sql.Identifier(ref.schema, name)))
        transaction.on_commit(connections["default"].close)
    connections.close_all()
    return ref


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each kind, over all rounds")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--tenant", default="", help="use this tenant of DATABASE_URL")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    made = ""
    if not args.tenant:
        from tests import databases

        made, app, owner = databases.create(os.environ["DATABASE_ADMIN_URL"])
        os.environ |= {"DATABASE_URL": app, "DATABASE_OWNER_URL": owner}
    try:
        django.setup()
        figures = measure(prepare(args.tenant or "bench"), args)
        connections.close_all()
    finally:
        if made:
            databases.drop(os.environ["DATABASE_ADMIN_URL"], made)
    print(json.dumps(figures) if args.json else "\n".join(f"{key:>18}  {value}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
