"""A ledger's tree: its size, its leaves and its proofs. The leaf of entry `seq` is SHA-256(0x00 || body), at seq - 1.

Leaves stay when retention removes the bodies, so proofs about the remaining entries keep holding.
Everything here runs in the scope in force: the tenant's own, or the platform's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import orjson

from apps.audit.merkle import ranges, tiles
from apps.audit.merkle.hashing import EMPTY
from apps.core.db import fast
from apps.core.errors import Invalid
from apps.core.ids import NIL
from apps.core.scope import current_scope

STATE = "SELECT origin, size, root, link, error, anchored::text FROM public.audit_tree WHERE tenant_id = %s"


@dataclass(frozen=True)
class TreeState:
    """How far a tree has grown; `link` is the chain's hash of the last entry in it.

    `anchored` says of each place outside the database how many entries its newest checkpoint covers.
    """

    origin: str
    size: int
    root: bytes
    link: bytes
    error: str
    anchored: Mapping[str, int]


def here() -> UUID:
    """Return the ledger of the scope in force: the tenant's id, or the nil UUID for the platform."""
    tenant = current_scope().tenant
    return tenant.id if tenant else NIL


def state(ledger: UUID) -> TreeState | None:
    """Return the state of a ledger's tree; None before its first checkpoint."""
    with fast.cursor() as cursor:
        row = cursor.execute(STATE, [ledger]).fetchone()
    return (
        TreeState(row[0], row[1], bytes(row[2]), bytes(row[3]), row[4], orjson.loads(row[5])) if row else None
    )


def root_at(ledger: UUID, size: int) -> bytes:
    """Return the root that the tree had when it held `size` entries, from the tiles."""
    return tiles.roots(ledger, [(0, size)])[0] if size else EMPTY


def inclusion(ledger: UUID, seq: int, size: int) -> list[bytes]:
    """Return the proof that entry `seq` (from 1) is in the tree of `size` entries; at most log2(size) hashes.

    Raises Invalid when the tree is smaller than `size` or has no such entry.
    """
    _within(ledger, size)
    if not 1 <= seq <= size:
        raise Invalid(f"There is no entry {seq} in a tree of {size}.", code="NOT_IN_TREE")
    return tiles.roots(ledger, ranges.inclusion(seq - 1, size))


def inclusions(ledger: UUID, seqs: list[int], size: int) -> dict[int, list[bytes]]:
    """Return the inclusion proofs of several entries, read with one query."""
    spans = {seq: ranges.inclusion(seq - 1, size) for seq in seqs}
    hashes = iter(tiles.roots(ledger, [span for found in spans.values() for span in found]))
    return {seq: [next(hashes) for _ in found] for seq, found in spans.items()}


def consistency(ledger: UUID, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `new` entries begins with the tree of `old` ones."""
    _within(ledger, new)
    if not 0 <= old <= new:
        raise Invalid(f"A tree of {new} cannot begin with one of {old}.", code="NOT_IN_TREE")
    return tiles.roots(ledger, ranges.consistency(old, new))


def leaf_hashes(ledger: UUID, first: int, end: int) -> list[bytes]:
    """Return the leaf hashes of the entries `first + 1` to `end`, pruned ones included.

    Raises TilesDamaged when the tiles do not hold them (the tree may not have grown that far yet).
    """
    return tiles.leaf_hashes(ledger, first, end)


def _within(ledger: UUID, size: int) -> None:
    found = state(ledger)
    if found is None or size > found.size:
        grown = found.size if found else 0
        raise Invalid(f"The tree holds {grown} entries, not {size}.", code="NOT_IN_TREE")
