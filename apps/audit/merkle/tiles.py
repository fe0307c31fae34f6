"""Tiles: a tree's hashes in rows of 256, from which any proof about any past size is read with one query.

Everything here runs in the scope in force: a tenant's own, or the platform's.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from apps.audit.merkle.hashing import SIZE, fold, node_hash
from apps.audit.merkle.ranges import Node, Range, cover
from apps.core.db import fast

HEIGHT = 8
WIDTH = 1 << HEIGHT

READ = """
SELECT t.level, t.number, t.hashes FROM public.audit_tile t
JOIN unnest(%s::smallint[], %s::bigint[]) AS w(level, number) USING (level, number) WHERE t.tenant_id = %s
"""
WRITE = """
INSERT INTO public.audit_tile (tenant_id, level, number, hashes)
SELECT %s, w.level, w.number, w.hashes FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[]) AS w(level, number, hashes)
ON CONFLICT (tenant_id, level, number) DO UPDATE SET hashes = excluded.hashes
"""
LEAVES = """
SELECT number, hashes FROM public.audit_tile
WHERE tenant_id = %s AND level = 0 AND number >= %s AND number <= %s ORDER BY number
"""

Place = tuple[int, int]  # (level, number) of a tile


class TilesDamaged(RuntimeError):
    """A tile is missing or shorter than the tree's size says: somebody touched the tiles."""


def read(ledger: UUID, places: Iterable[Place]) -> dict[Place, bytes]:
    """Return the tiles at these places, those that exist."""
    wanted = sorted(set(places))
    if not wanted:
        return {}
    params = [[level for level, _ in wanted], [number for _, number in wanted], ledger]
    with fast.cursor() as cursor:
        rows = cursor.execute(READ, params, binary=True).fetchall()
    return {(level, number): bytes(hashes) for level, number, hashes in rows}


def roots(ledger: UUID, spans: Sequence[Range]) -> list[bytes]:
    """Return the root over each range of leaves, read from the tiles in one query.

    Raises TilesDamaged when a hash that must be there is not.
    """
    covers = [cover(span) for span in spans]
    tiles = read(ledger, {_place(node) for nodes in covers for node in nodes})
    return [_joined([_subtree(tiles, node) for node in nodes]) for nodes in covers]


def leaf_hashes(ledger: UUID, first: int, end: int) -> list[bytes]:
    """Return the leaf hashes of the entries number `first + 1` to `end`, those of pruned entries too."""
    if first >= end:
        return []
    with fast.cursor() as cursor:
        params = [ledger, first // WIDTH, (end - 1) // WIDTH]
        rows = cursor.execute(LEAVES, params, binary=True).fetchall()
    expected = list(range(first // WIDTH, (end - 1) // WIDTH + 1))
    blob = b"".join(bytes(hashes) for _, hashes in rows)
    low = (first % WIDTH) * SIZE
    high = low + (end - first) * SIZE
    if [number for number, _ in rows] != expected or len(blob) < high:
        msg = f"The tiles of {ledger} do not hold the leaves {first} to {end}."
        raise TilesDamaged(msg)
    return [blob[at : at + SIZE] for at in range(low, high, SIZE)]


def append(ledger: UUID, size: int, leaves: Sequence[bytes]) -> None:
    """Add `leaves` behind the first `size` ones; the caller holds the tree's row and moves its size itself."""
    changed: dict[Place, bytes] = {}
    tails = read(ledger, {(level, (size >> HEIGHT * level) // WIDTH) for level in range(8)})
    level, start, hashes = 0, size, list(leaves)
    while hashes:
        number, filled = divmod(start, WIDTH)
        tail = tails.get((level, number), b"")[: filled * SIZE]
        if len(tail) != filled * SIZE:
            msg = (
                f"The tile {level}/{number} of {ledger} holds {len(tail) // SIZE} hashes instead of {filled}."
            )
            raise TilesDamaged(msg)
        row = [tail[at : at + SIZE] for at in range(0, len(tail), SIZE)] + hashes
        full: list[bytes] = []
        for offset in range(0, len(row), WIDTH):
            chunk = row[offset : offset + WIDTH]
            changed[level, number + offset // WIDTH] = b"".join(chunk)
            if len(chunk) == WIDTH:
                full.append(fold(chunk))
        level, start, hashes = level + 1, start >> HEIGHT, full
    if changed:
        places = list(changed)
        params = [ledger, [at[0] for at in places], [at[1] for at in places], list(changed.values())]
        with fast.cursor() as cursor:
            cursor.execute(WRITE, params)


def _place(node: Node) -> Place:
    level, index = node
    return level // HEIGHT, (index << level % HEIGHT) // WIDTH


def _subtree(tiles: dict[Place, bytes], node: Node) -> bytes:
    level, index = node
    count = 1 << level % HEIGHT
    low = (index * count) % WIDTH * SIZE
    blob = tiles.get(_place(node), b"")[low : low + count * SIZE]
    if len(blob) != count * SIZE:
        msg = f"The tiles do not hold the subtree {level}/{index}."
        raise TilesDamaged(msg)
    return fold([blob[at : at + SIZE] for at in range(0, len(blob), SIZE)])


def _joined(parts: Sequence[bytes]) -> bytes:
    if not parts:
        return fold(())
    result = parts[-1]
    for left in reversed(parts[:-1]):
        result = node_hash(left, result)
    return result
