"""What proofs of the ledger cost: growing the tree, verifying a ledger with it, proofs, evidence and its checking.

    python -m bench.proofs [--entries 1000000] [--json]

Fills a tenant's ledger with linked entries (COPY, not through the product's writers), signs it in steps, then times what
the product and aibos-verify do with it. `…_cpu_s` counts this process' own seconds of work, whatever else runs. Makes its database on DATABASE_ADMIN_URL and drops it.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import django
import psycopg
from django.db import connections
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
STEP = 50_000


def fill(url: str, ref: Any, count: int) -> float:
    """Append `count` linked entries to the tenant's ledger; return the seconds it took."""
    from apps.audit.chain import link, prefix_of
    from apps.core.canonical import dumps
    from apps.core.ids import uuid7

    start, prefix = time.perf_counter(), prefix_of(ref.id)
    columns = "seq, hash, prev, body, id, action, target, actor, at"
    entry = sql.Identifier(ref.schema, "audit_entry")
    with psycopg.connect(url) as admin:
        head = admin.execute(
            "SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s", [ref.id]
        ).fetchone()
        seq, prev = head or (0, bytes(32))
        target = sql.SQL("COPY {} ({}) FROM STDIN").format(entry, sql.SQL(columns))
        with admin.cursor().copy(target) as copy:
            for number in range(count):
                seq += 1
                key, at = uuid7(), "2026-01-01T00:00:00.000Z"
                actor = {"kind": "member", "id": str(ref.id), "label": "Ada Lovelace", "via": "session"}
                body = dumps(
                    {
                        "id": key, "at": at, "action": "lead.updated", "actor": actor, "tenant": ref.id,
                        "request": str(key), "ip": "192.0.2.7", "target": f"crm_lead:{number % 1000}",
                        "before": {"status": "new", "amount": "10.00"}, "after": {"status": "won", "amount": "12.50"},
                    }
                )  # fmt: skip
                digest = link(prefix, seq, prev, body)
                row = (
                    seq,
                    digest,
                    prev,
                    body,
                    key,
                    "lead.updated",
                    f"crm_lead:{number % 1000}",
                    f"member:{ref.id}",
                    at,
                )
                copy.write_row(row)
                prev = digest
        admin.execute(
            "INSERT INTO public.audit_head (tenant_id, seq, hash) VALUES (%s, %s, %s)"
            " ON CONFLICT (tenant_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
            [ref.id, seq, prev],
        )
        admin.execute(sql.SQL("ANALYZE {}").format(entry))
    return time.perf_counter() - start


def timed(work: Callable[[int], Any], rounds: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of one call, in milliseconds."""
    taken = []
    for number in range(rounds):
        start = time.perf_counter()
        work(number)
        taken.append((time.perf_counter() - start) * 1000)
    taken.sort()
    return round(taken[rounds // 2], 3), round(taken[int(rounds * 0.99)], 3)


def measure(ref: Any, url: str, count: int) -> dict[str, Any]:
    """Return the figures."""
    from apps.audit.merkle import checkpoints, tree
    from apps.audit.merkle.maker import Checkpointer
    from apps.audit.verify import verify
    from apps.core.scope import tenant_scope

    figures: dict[str, Any] = {"entries": count, "filled_s": round(fill(url, ref, count), 1)}
    start, cpu = time.perf_counter(), time.process_time()
    size = Checkpointer(batch=STEP).advance(ref.id, ref)
    figures["tree_entries_s"] = round(size / (time.perf_counter() - start))
    figures["tree_entries_cpu_s"] = round(size / (time.process_time() - cpu))
    cpu = time.process_time()
    verdict = verify(ref)
    figures |= {"verified": verdict.ok, "verify_entries_s": round(verdict.entries / verdict.seconds)}
    figures["verify_entries_cpu_s"] = round(verdict.entries / (time.process_time() - cpu))
    figures["checkpoints_compared"] = verdict.proven.checkpoints
    chance = random.Random(1)
    with tenant_scope(ref):
        sizes = [item.size for item in checkpoints.every(ref.id)]
        longest = max(len(tree.inclusion(ref.id, chance.randint(1, size), size)) for _ in range(200))
        figures["inclusion_hashes_most"] = longest
        p50, p99 = timed(lambda _: tree.inclusion(ref.id, chance.randint(1, size), size), 300)
        figures |= {"inclusion_p50_ms": p50, "inclusion_p99_ms": p99}
        p50, p99 = timed(lambda n: tree.consistency(ref.id, sizes[n % len(sizes)], size), 100)
        figures |= {"consistency_p50_ms": p50, "consistency_p99_ms": p99}
    return figures | evidence(ref)


def evidence(ref: Any) -> dict[str, Any]:
    """Return what exporting evidence and checking it with the separate program costs."""
    sys.path.insert(0, str(ROOT / "sdk" / "aibos-verify" / "src"))
    from aibos_verify import Pins, judge

    from apps.audit.evidence.choose import Selection
    from apps.audit.evidence.gather import gather
    from apps.audit.evidence.write import as_zip
    from apps.audit.merkle import note
    from apps.core.actor import SYSTEM

    figures: dict[str, Any] = {}
    chosen = {"record": Selection("record", target="crm_lead:7"), "ledger": Selection("ledger")}
    for kind, selection in chosen.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "evidence.zip"
            start = time.perf_counter()
            with as_zip(gather(tenant=ref, chosen=selection, by=SYSTEM)) as file, path.open("wb") as out:
                while chunk := file.read(1 << 20):
                    out.write(chunk)
            written = time.perf_counter()
            report = judge(path, Pins(note.keys(), UUID(str(ref.id))))
            figures |= {
                f"{kind}_evidence_entries": report.facts["entries"],
                f"{kind}_evidence_mb": round(path.stat().st_size / 1e6, 2),
                f"{kind}_export_s": round(written - start, 2),
                f"{kind}_aibos_verify_s": round(time.perf_counter() - written, 2),
                f"{kind}_holds": report.ok,
            }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    os.environ["DATABASE_STATEMENT_TIMEOUT"] = "0"
    from tests import databases

    admin = os.environ["DATABASE_ADMIN_URL"]
    made, app, owner = databases.create(admin)
    os.environ |= {"DATABASE_URL": app, "DATABASE_OWNER_URL": owner}
    try:
        django.setup()
        from bench.ledger import prepare

        figures = measure(prepare("bench"), databases.as_superuser(admin, made), args.entries)
        connections.close_all()
    finally:
        databases.drop(admin, made)
    print(json.dumps(figures) if args.json else "\n".join(f"{k:>26}  {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
