"""Collecting evidence: the entries, their proofs under one signed checkpoint, and where that checkpoint is kept.

What cannot be proven, because somebody touched the proofs, is left out and the bundle says so; it is for the
verifier to judge. Works outside any scope, or in the platform's.
"""

import base64
import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql

from apps.audit import directory, ledger
from apps.audit.evidence.choose import MOST, Selection, condition
from apps.audit.merkle import checkpoints, note, tiles, tree
from apps.audit.merkle.checkpoints import Signed
from apps.audit.merkle.maker import STOPS, sign_now
from apps.audit.models import ROOTS
from apps.core.actor import Actor
from apps.core.canonical import instant
from apps.core.db import fast, loss
from apps.core.errors import Conflict, Invalid
from apps.core.scope import Scope, TenantRef, platform_scope, tenant_scope

FORMAT = "aibos-evidence/1"
STEP = 2000
HEAD = "SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s"
PRUNED = "SELECT pruned_seq, pruned_hash FROM public.audit_retention WHERE tenant_id = %s"
COUNT = sql.SQL("SELECT count(*), min(seq), max(seq) FROM {entry} WHERE ({chosen}) AND seq <= %s")
READ = sql.SQL("""
SELECT seq, hash, prev, body, id, action, target, actor, at FROM {entry}
WHERE ({chosen}) AND seq > %s AND seq <= %s ORDER BY seq LIMIT {step}
""")


@dataclass(frozen=True)
class Evidence:
    """A bundle: `header` is small, `entries` come one by one, `leaves` are the whole tree's or empty."""

    header: dict[str, Any]
    entries: Iterator[dict[str, Any]]
    leaves: bytes
    count: int


def gather(
    *, tenant: TenantRef | None, chosen: Selection, by: Actor, since_sizes: Sequence[int] = ()
) -> Evidence:
    """Return the evidence for a selection from one ledger (None: the platform's) and record that it was taken.

    `since_sizes` are sizes of checkpoints the reader holds: the proofs that the log grew from them come along.
    Raises Conflict before the first checkpoint, Invalid when nothing or too much is chosen.
    """
    key = directory.key_of(tenant)
    try:
        sign_now(tenant)
    except STOPS as error:
        if loss.is_lost(error):
            raise
    with _scope(tenant):
        header, leaves, last = _header(tenant, key, chosen, since_sizes)
        count = header["entries"]
        ledger.record("ledger.exported", by=by, details={"evidence": chosen.told(), "entries": count})
    header["platform"] = _above(key, header["origin"])
    proven = 0 if leaves else note.unchecked(header["checkpoint"]).size
    return Evidence(header, _entries(tenant, key, chosen, (last, proven)), leaves, count)


def _scope(tenant: TenantRef | None) -> AbstractContextManager[Scope]:
    return tenant_scope(tenant) if tenant else platform_scope("ledger: evidence")


def _header(
    tenant: TenantRef | None, key: UUID, chosen: Selection, since_sizes: Sequence[int]
) -> tuple[dict[str, Any], bytes, int]:
    """Return the header, the leaves where they serve as proofs, and the number of the last entry that may come.

    Entries behind the newest checkpoint are evidence of nothing yet; only a whole ledger shows them.
    """
    entry = _entry(tenant)
    wanted, params = condition(chosen, entry)
    with fast.cursor() as cursor:
        newest = checkpoints.latest(key)
        seq, digest = cursor.execute(HEAD, [key]).fetchone() or (0, bytes(32))
        pruned, last = cursor.execute(PRUNED, [key]).fetchone() or (0, bytes(32))
        if newest is None:
            message = "Nothing of this ledger is signed yet."
            raise Conflict(message, code="NOT_SIGNED", cure="The first checkpoint follows within seconds.")
        until = 2**62 if chosen.kind == "ledger" else newest.size
        row = cursor.execute(COUNT.format(entry=entry, chosen=wanted), [*params, until]).fetchone()
    count, first, end = row or (0, None, None)
    if not count and chosen.kind != "ledger":
        raise Invalid("No entry of the ledger fits.", code="NOTHING_FOUND")
    if count > MOST and chosen.kind != "ledger":
        raise Invalid(f"More than {MOST:,} entries fit; choose a shorter period.", code="TOO_MANY_ENTRIES")
    as_leaves = chosen.kind == "ledger" or count * newest.size.bit_length() > newest.size
    leaves = _leaves(key, newest.size) if as_leaves else b""
    state = tree.state(key)
    header = {
        "format": FORMAT,
        "made": instant(dt.datetime.now(dt.UTC)),
        "ledger": str(key),
        "origin": note.unchecked(newest.note).origin,
        "selection": chosen.told(),
        "complete": chosen.whole,
        "entries": count,
        "keys": [note.verifier_key(note.unchecked(newest.note).origin, item) for item in note.keys()],  # noqa: SIM118 - a module, not a mapping
        "checkpoint": newest.note,
        "checkpoints": _older(key, newest, [first or 1, end or 1], since_sizes),
        "head": {"seq": seq, "hash": bytes(digest).hex()},
        "pruned": {"entries": pruned, "hash": bytes(last).hex()} if pruned else None,
        "proofs": "leaves" if leaves else "inclusion",
        "anchors": dict(state.anchored) if state else {},
    }
    return header, leaves, end or 0


def _leaves(key: UUID, size: int) -> bytes:
    try:
        return b"".join(tree.leaf_hashes(key, 0, size))
    except tiles.TilesDamaged:
        return b""


def _older(key: UUID, newest: Signed, seqs: list[int], since_sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Return the checkpoints since which the first and last entry are fixed, and proofs from the sizes asked for.

    Whoever asks holds the note of that size; it may have been thinned here.
    """
    found = {item.size: item for seq in seqs if (item := checkpoints.covering(key, seq))}
    origin = note.unchecked(newest.note).origin
    notes: dict[int, str | None] = {
        size: item.note for size, item in found.items() if note.unchecked(item.note).origin == origin
    }
    notes |= {size: None for size in since_sizes if 0 < size < newest.size and size not in notes}
    notes.pop(newest.size, None)
    return [
        {"size": size, "note": text, "proof": _grown(key, size, newest.size)}
        for size, text in sorted(notes.items())
    ]


def _grown(key: UUID, old: int, new: int) -> list[str]:
    try:
        return [_b64(item) for item in tree.consistency(key, old, new)]
    except (tiles.TilesDamaged, Invalid):
        return []


def _above(key: UUID, origin: str) -> dict[str, Any] | None:
    """Return the proof that the platform's tree holds the ledger's newest gathered checkpoint."""
    with platform_scope("ledger: evidence of the platform's tree"):
        mine, top = checkpoints.gathered(key), checkpoints.latest(ROOTS)
        if mine is None or mine.position is None or top is None or mine.position >= top.size:
            return None
        if note.unchecked(mine.note).origin != origin:  # the tree was restarted a moment ago
            return None
        try:
            proof = tree.inclusion(ROOTS, mine.position + 1, top.size)
        except (tiles.TilesDamaged, Invalid):
            return None
    return {
        "checkpoint": top.note,
        "leaf": mine.note,
        "index": mine.position,
        "proof": [_b64(item) for item in proof],
    }


def _entries(
    tenant: TenantRef | None, key: UUID, chosen: Selection, ends: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    """Yield the entries in order; `ends` are the last one, and the size of the tree to prove each in (0: none)."""
    entry, after, (last, proven) = _entry(tenant), -(2**62), ends
    wanted, params = condition(chosen, entry)
    statement = READ.format(entry=entry, chosen=wanted, step=sql.Literal(STEP))
    while True:
        with _scope(tenant), fast.cursor() as cursor:
            rows = cursor.execute(statement, [*params, after, last], binary=True).fetchall()
            proofs = _proofs(key, [row[0] for row in rows if 1 <= row[0] <= proven], proven)
        yield from (_told(row, proofs.get(row[0])) for row in rows)
        if len(rows) < STEP:
            return
        after = rows[-1][0]


def _proofs(key: UUID, seqs: list[int], size: int) -> dict[int, list[bytes]]:
    try:
        return tree.inclusions(key, seqs, size) if seqs else {}
    except tiles.TilesDamaged:
        return {}


def _told(row: tuple[Any, ...], proof: list[bytes] | None) -> dict[str, Any]:
    seq, digest, prev, body, entry_id, action, target, actor, at = row
    told: dict[str, Any] = {"seq": seq, "hash": digest.hex(), "prev": prev.hex()}
    try:
        told["body"] = body.decode()
    except UnicodeDecodeError:
        told["body64"] = _b64(body)
    told["columns"] = {
        "id": str(entry_id),
        "action": action,
        "target": target,
        "actor": actor,
        "at": instant(at),
    }
    if proof is not None:
        told["proof"] = [_b64(item) for item in proof]
    return told


def _entry(tenant: TenantRef | None) -> sql.Identifier:
    return sql.Identifier(tenant.schema if tenant else "public", "audit_entry")


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()
