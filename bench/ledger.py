"""What the ledger costs, and whether it holds: many writers on one tenant while the sequencer is killed.

    python -m bench.ledger [--seconds 20] [--writers 16] [--kills 10] [--json]

Prints transactions/s without and with audit in slices of half a second by turns, the chain's lag, and compares what was
committed with what was chained. The naive append (read the last entry, add one) runs as negative control. Uses
DATABASE_URL and DATABASE_OWNER_URL with `--tenant`, else makes a database on DATABASE_ADMIN_URL.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID

import django
from django.db import connections
from psycopg import sql

PROCESSES = multiprocessing.get_context("fork")
ROLLBACKS = 0.10
SLICE = 0.5  # seconds; short, so that whatever else runs on the machine disturbs both alike
WORK = "CREATE TABLE IF NOT EXISTS {} (id bigserial PRIMARY KEY, name text, amount numeric)"
NAIVE = "CREATE TABLE IF NOT EXISTS {} (id bigserial PRIMARY KEY, seq bigint, prev bytea, hash bytea)"


class Rolled(Exception):
    """The writer changed its mind."""


def business(cursor: Any, table: sql.Identifier) -> None:
    """Three inserts: the change that the entry is about."""
    for number in range(3):
        cursor.execute(
            sql.SQL("INSERT INTO {} (name, amount) VALUES (%s, %s)").format(table), ["a lead", number]
        )


def writer(ref: Any, seconds: float, begin: float, seed: int, answer: Connection) -> None:
    """Commit transactions for `seconds`, slices without and with audit in turn (all writers at the same time).

    Sends how many were committed without, and the ids of the entries that were committed.
    """
    from apps.audit import ledger
    from apps.core.actor import SYSTEM
    from apps.core.scope import tenant_scope

    chance, table = random.Random(seed), sql.Identifier(ref.schema, "bench_work")
    plain, kept = 0, []
    connections["default"].ensure_connection()
    time.sleep(max(0.0, begin - time.monotonic()))
    while (elapsed := time.monotonic() - begin) < seconds:
        entry = None
        try:
            with tenant_scope(ref), connections["default"].cursor() as cursor:
                business(cursor, table)
                if audited := bool(int(elapsed / SLICE) % 2):
                    number = len(kept)
                    after = {"name": "a lead", "amount": number, "status": "new"}
                    entry = ledger.record(
                        "lead.created", by=SYSTEM, target=f"lead:{seed}-{number}", after=after
                    )
                if chance.random() < ROLLBACKS:
                    raise Rolled
            if audited:
                kept.append(entry)
            else:
                plain += 1
        except Rolled:
            continue
    connections.close_all()
    answer.send((plain, kept))


def naive_writer(ref: Any, seconds: float, begin: float, _seed: int, answer: Connection) -> None:
    """The append everybody writes first: read the last entry, link to it. No lock."""
    from apps.core.scope import tenant_scope

    name = sql.Identifier(ref.schema, "bench_naive")
    until, kept = begin + seconds, 0
    while time.monotonic() < until:
        with tenant_scope(ref), connections["default"].cursor() as cursor:
            business(cursor, sql.Identifier(ref.schema, "bench_work"))
            cursor.execute(
                sql.SQL("SELECT seq, hash FROM {} ORDER BY seq DESC, id DESC LIMIT 1").format(name)
            )
            seq, prev = cursor.fetchone() or (0, bytes(32))
            row = [seq + 1, prev, hashlib.sha256(bytes(prev) + os.urandom(8)).digest()]
            cursor.execute(sql.SQL("INSERT INTO {} (seq, prev, hash) VALUES (%s, %s, %s)").format(name), row)
        kept += 1
    connections.close_all()
    answer.send(kept)


def sequencer() -> None:
    """Link until killed, and sign and tell an anchor beside it, as the pump does."""
    from apps.audit.anchors.file import FileAnchor
    from apps.audit.anchors.push import Pusher
    from apps.audit.merkle.maker import Checkpointer
    from apps.audit.sequencer import Sequencer

    folder = Path(tempfile.gettempdir()) / f"aibos-bench-anchor-{os.getppid()}"
    for loop in (Checkpointer().run_forever, Pusher([FileAnchor(folder)]).run_forever):
        threading.Thread(target=loop, args=[threading.Event()], daemon=True).start()
    Sequencer().run_forever(threading.Event())


def sampler(stop: Any, answer: Connection) -> None:
    """Sample the age of the oldest waiting entry, in seconds."""
    from apps.audit import queries
    from apps.core.scope import platform_scope

    samples = []
    while not stop.wait(0.1):
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


def crowd(target: Any, writers: int, ref: Any, seconds: float, kills: int = 0) -> list[Any]:
    """Run `writers` processes; meanwhile kill the sequencer `kills` times. Return their answers."""
    link, begin = _sequencer(), time.monotonic() + 1.0
    running = [started(target, ref, seconds, begin, seed) for seed in range(writers)]
    time.sleep(1.0)
    for _ in range(kills):
        time.sleep(seconds / (kills + 1))
        os.kill(link.pid, signal.SIGKILL)
        link.join()
        link = _sequencer()
    answers = [pipe.recv() for _, pipe in running]
    for process, _ in running:
        process.join()
    drain(ref)
    os.kill(link.pid, signal.SIGKILL)
    link.join()
    return answers


def _sequencer() -> Any:
    process = PROCESSES.Process(target=sequencer, daemon=True)
    process.start()
    return process


def drain(ref: Any) -> None:
    """Wait until nothing of the tenant waits for the sequencer; at most a minute."""
    from apps.audit import queries
    from apps.core.scope import tenant_scope

    until = time.monotonic() + 60
    while time.monotonic() < until:
        with tenant_scope(ref):
            if not queries.lag().waiting:
                break
        time.sleep(0.02)
    connections.close_all()


def measure(ref: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Run the writers, then the negative control, and return the figures."""
    stop = PROCESSES.Event()
    watch, heard = started(sampler, stop)
    answers = crowd(writer, args.writers, ref, args.seconds, args.kills)
    stop.set()
    samples = sorted(heard.recv())
    watch.join()
    naive = crowd(naive_writer, args.writers, ref, min(args.seconds, 3.0))
    off = sum(plain for plain, _ in answers)
    committed = {entry for _, kept in answers for entry in kept}
    return {
        "writers": args.writers,
        "kills": args.kills,
        "off_tx_s": round(off / args.seconds * 2),
        "on_tx_s": round(len(committed) / args.seconds * 2),
        "share": round(len(committed) / off, 3),
        "lag_p50_s": round(samples[len(samples) // 2], 3),
        "lag_p99_s": round(samples[int(len(samples) * 0.99)], 3),
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
        "signed": verdict.proven.signed,
        "checkpoints": verdict.proven.checkpoints,
    }


def forks(ref: Any, table: str) -> int:
    """Return how many entries share their predecessor with another one."""
    from apps.core.scope import tenant_scope

    statement = (
        "SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM {} GROUP BY prev HAVING count(*) > 1) x"
    )
    with tenant_scope(ref), connections["default"].cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(ref.schema, table)))
        return int(cursor.fetchone()[0])


def prepare(slug: str) -> Any:
    """Return the tenant with the bench's own tables in it; made when it does not exist."""
    from apps.core.actor import SYSTEM
    from apps.core.db.owner import owner_session
    from apps.core.db.walls import build_walls
    from apps.core.scope import platform_scope, tenant_scope
    from apps.tenants.models import Tenant
    from apps.tenants.provision import Order, create_tenant

    with platform_scope("bench"):
        tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        tenant = create_tenant(
            by=SYSTEM, wanted=Order(slug=slug, name=slug), default_host=f"{slug}.localhost"
        )
    ref = tenant.ref
    with owner_session(), tenant_scope(ref), connections["default"].cursor() as cursor:
        for name, statement in (("bench_work", WORK), ("bench_naive", NAIVE)):
            cursor.execute(sql.SQL(statement).format(sql.Identifier(ref.schema, name)))
        build_walls(ref.schema, ref.id)
    connections.close_all()
    return ref


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="half of them with audit")
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
        shutil.rmtree(Path(tempfile.gettempdir()) / f"aibos-bench-anchor-{os.getpid()}", ignore_errors=True)
        if made:
            databases.drop(os.environ["DATABASE_ADMIN_URL"], made)
    print(
        json.dumps(figures)
        if args.json
        else "\n".join(f"{key:>18}  {value}" for key, value in figures.items())
    )


if __name__ == "__main__":
    main()
