"""Recomputing a ledger: every link, the columns beside it, the end against the head, and all against what was signed.

The first flaw is named. Entries whose content retention removed are checked by the leaves that stayed.
"""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
from psycopg import sql

from apps.audit import directory
from apps.audit.chain import GENESIS, link, prefix_of
from apps.audit.merkle import tiles
from apps.audit.proving import CHUNK, Proving
from apps.audit.types import BadEntry, Proven, Verdict
from apps.core.canonical import instant
from apps.core.db import fast
from apps.core.scope import TenantRef, platform_scope, tenant_scope

STEP = 5000
HEAD = "SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s"
WAITING = "SELECT count(*) FROM public.audit_pending WHERE tenant_id IS NOT DISTINCT FROM %s"
PRUNED = "SELECT pruned_seq, pruned_hash FROM public.audit_retention WHERE tenant_id = %s"
REMOVALS = sql.SQL("""
SELECT body FROM {entry} WHERE action = 'ledger.pruned'
UNION ALL
SELECT body FROM public.audit_pending WHERE action = 'ledger.pruned' AND tenant_id IS NOT DISTINCT FROM %s
""")
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
        proving = Proving(key)
        seq, digest = cursor.execute(HEAD, [key]).fetchone() or (0, GENESIS)
        pruned, last = cursor.execute(PRUNED, [key]).fetchone() or (0, GENESIS)
        _take_pruned(proving, key, pruned)
        checked, bad = _walk(_stream(cursor, entry, seq), key, (pruned, bytes(last)), (seq, digest), proving)
        bad = bad or _outside(cursor, entry, key, seq)
        proven = proving.finish() if bad is None or bad.flaw == "missing tail" else Proven()
        bad = _first(bad, proving.flaw) or _unlawful(cursor, entry, tenant, (pruned, bytes(last)))
        cursor.execute(WAITING, [tenant.id if tenant else None])
        pending = (cursor.fetchone() or (0,))[0]
    return Verdict(
        ledger=tenant.slug if tenant else "platform",
        tenant_id=tenant.id if tenant else None,
        entries=checked,
        head=bytes(digest).hex(),
        pending=pending,
        seconds=round(time.perf_counter() - start, 3),
        bad=bad,
        pruned=pruned,
        proven=proven,
    )


def _take_pruned(proving: Proving, key: UUID, pruned: int) -> None:
    """Let the leaves stand for the entries that retention removed; the signed roots vouch for them."""
    try:
        for first in range(0, pruned, CHUNK):
            for leaf in tiles.leaf_hashes(key, first, min(first + CHUNK, pruned)):
                proving.add(leaf, b"")
    except tiles.TilesDamaged as error:
        proving.flaw = BadEntry(1, "tiles disagree", str(error))


def _unlawful(
    cursor: Any, entry: sql.Identifier, tenant: TenantRef | None, pruned: tuple[int, bytes]
) -> BadEntry | None:
    """Return a flaw when entries lack their content and none of those left says that retention removed them."""
    if not pruned[0]:
        return None
    rows = cursor.execute(REMOVALS.format(entry=entry), [tenant.id if tenant else None]).fetchall()
    for (body,) in rows:
        details = orjson.loads(body).get("details", {})
        if (details.get("until"), details.get("hash")) == (pruned[0], pruned[1].hex()):
            return None
    message = f"The entries 1 to {pruned[0]} have lost their content, and no entry of retention says so."
    return BadEntry(1, "unlawful pruning", message)


def _first(chain: BadEntry | None, proof: BadEntry | None) -> BadEntry | None:
    """Return the flaw that comes first; of two at one entry the chain's says more."""
    if chain and proof:
        return proof if proof.seq < chain.seq else chain
    return chain or proof


def verify_all() -> Iterator[Verdict]:
    """Verify the platform's ledger, then every tenant's, one after the other."""
    yield verify(None)
    with platform_scope("ledger: which ledgers to verify"):
        refs = directory.every()
    for ref in refs:
        yield verify(ref)


def _stream(cursor: Any, entry: sql.Identifier, until: int) -> Iterator[Row]:
    statement = READ.format(entry=entry, step=sql.Literal(STEP))
    after = -(2**63)
    while True:
        rows = cursor.execute(statement, [after, until], binary=True).fetchall()
        yield from rows
        if len(rows) < STEP:
            return
        after = rows[-1][0]


def _walk(
    rows: Iterator[Row], key: UUID, begin: tuple[int, bytes], end: tuple[int, bytes], proving: Proving
) -> tuple[int, BadEntry | None]:
    prefix, (expected, prev), (until, head) = prefix_of(key), begin, end
    take = proving.take
    for row in rows:
        expected += 1
        bad = _check(row, prefix, expected, prev)
        if bad:
            return expected - 1, bad
        prev = row[1]
        take(row[3], prev)
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
