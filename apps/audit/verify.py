"""Recomputing a ledger: every link, the columns beside it and the end against the head; the first flaw is named."""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
from psycopg import sql

from apps.audit import directory
from apps.audit.chain import GENESIS, link, prefix_of
from apps.audit.types import BadEntry, Verdict
from apps.core.canonical import instant
from apps.core.db import fast
from apps.core.scope import TenantRef, platform_scope, tenant_scope

STEP = 5000
HEAD = "SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s"
WAITING = "SELECT count(*) FROM public.audit_pending WHERE tenant_id IS NOT DISTINCT FROM %s"
READ = sql.SQL("""
SELECT seq, hash, prev, body, id, action, target, actor, at FROM {entry}
WHERE seq > %s AND seq <= %s ORDER BY seq LIMIT {step}
""")
OUTSIDE = sql.SQL("""
SELECT e.seq FROM {entry} e JOIN public.audit_head h ON h.tenant_id = %s
WHERE e.seq > h.seq OR e.seq < 1 ORDER BY e.seq LIMIT 1
""")
EXISTS = sql.SQL("SELECT min(seq) FROM {entry}")

Row = tuple[int, bytes, bytes, bytes, UUID, str, str | None, str, dt.datetime]


class LedgerTampered(RuntimeError):
    """A ledger does not hold: somebody changed it outside the product."""


def verify(tenant: TenantRef | None) -> Verdict:
    """Recompute the ledger of `tenant` (None: the platform's), entry by entry, in constant memory.

    Works while entries are being added: it checks up to the head it saw first, then that nothing lies beyond
    the head. Enters its own scope.
    """
    start = time.perf_counter()
    scope = tenant_scope(tenant) if tenant else platform_scope("ledger: verify")
    key = directory.key_of(tenant)
    entry = sql.Identifier(tenant.schema if tenant else "public", "audit_entry")
    with scope, fast.cursor() as cursor:
        cursor.execute(HEAD, [key])
        seq, digest = cursor.fetchone() or (0, GENESIS)
        checked, bad = _walk(_stream(cursor, entry, seq), key, seq, digest)
        bad = bad or _outside(cursor, entry, key, seq)
        cursor.execute(WAITING, [tenant.id if tenant else None])
        pending = (cursor.fetchone() or (0,))[0]
    name = tenant.slug if tenant else "platform"
    return Verdict(
        ledger=name,
        tenant_id=tenant.id if tenant else None,
        entries=checked,
        head=bytes(digest).hex(),
        pending=pending,
        seconds=round(time.perf_counter() - start, 3),
        bad=bad,
    )


def verify_all() -> Iterator[Verdict]:
    """Verify the platform's ledger, then every tenant's, one after the other."""
    yield verify(None)
    with platform_scope("ledger: which ledgers to verify"):
        refs = directory.every()
    for ref in refs:
        yield verify(ref)


def verify_nightly() -> str:
    """Verify every ledger; raise `LedgerTampered` when one does not hold, so that its job fails for all to see."""
    verdicts = list(verify_all())
    bad = [f"{item.ledger}: {item.bad}" for item in verdicts if item.bad]
    if bad:
        raise LedgerTampered("; ".join(bad))
    return f"{len(verdicts)} ledgers, {sum(item.entries for item in verdicts)} entries"


def _stream(cursor: Any, entry: sql.Identifier, until: int) -> Iterator[Row]:
    statement = READ.format(entry=entry, step=sql.Literal(STEP))
    after = -(2**63)
    while True:
        rows = cursor.execute(statement, [after, until], binary=True).fetchall()
        yield from rows
        if len(rows) < STEP:
            return
        after = rows[-1][0]


def _walk(rows: Iterator[Row], key: UUID, until: int, head: bytes) -> tuple[int, BadEntry | None]:
    prefix, expected, prev = prefix_of(key), 0, GENESIS
    for row in rows:
        expected += 1
        bad = _check(row, prefix, expected, prev)
        if bad:
            return expected - 1, bad
        prev = row[1]
    if expected < until:
        message = f"Entry {expected + 1} is missing: the head says {until} entries, {expected} are present."
        return expected, BadEntry(expected + 1, "missing tail", message)
    if prev != head:
        return expected, BadEntry(expected, "wrong head", f"Entry {expected} is not the one the head names.")
    return expected, None


def _check(row: Row, prefix: bytes, expected: int, prev: bytes) -> BadEntry | None:
    seq, digest, said_prev, body = row[:4]
    if seq != expected:
        return BadEntry(expected, "gap", f"Entry {expected} is missing; {seq} stands in its place.")
    if said_prev != prev:
        return BadEntry(seq, "broken link", f"Entry {seq} does not name entry {seq - 1} as its predecessor.")
    if link(prefix, seq, prev, body) != digest:
        return BadEntry(seq, "altered body", f"The content of entry {seq} is not what was hashed.")
    return _compare(row)


def _compare(row: Row) -> BadEntry | None:
    seq, _, _, body, entry_id, action, target, actor, at = row
    try:
        values = orjson.loads(body)
        said = values["actor"]
        pairs = (
            ("id", str(entry_id), values["id"]),
            ("action", action, values["action"]),
            ("target", target, values.get("target")),
            ("actor", actor, f"{said['kind']}:{said['id']}"),
            ("at", at, dt.datetime.fromisoformat(values["at"])),
        )
    except (ValueError, KeyError, TypeError):
        return BadEntry(seq, "columns disagree", f"The content of entry {seq} is not readable as an entry.")
    for name, column, body_value in pairs:
        if column != body_value:
            shown = instant(column) if isinstance(column, dt.datetime) else column
            return BadEntry(
                seq,
                "columns disagree",
                f"Entry {seq}: the column {name} says {shown!r}, the content {body_value!r}.",
            )
    return None


def _outside(cursor: Any, entry: sql.Identifier, key: UUID, seen: int) -> BadEntry | None:
    cursor.execute(OUTSIDE.format(entry=entry), [key])
    row = cursor.fetchone()
    if row is None and seen == 0:
        cursor.execute(HEAD, [key])
        if cursor.fetchone() is None:
            cursor.execute(EXISTS.format(entry=entry))
            found = cursor.fetchone()
            row = found if found and found[0] is not None else None
    if row is None:
        return None
    return BadEntry(row[0], "beyond the head", f"Entry {row[0]} lies outside what the head vouches for.")
