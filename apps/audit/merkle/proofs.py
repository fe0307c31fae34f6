"""Checking proofs as RFC 9162 (2.1.3.2, 2.1.4.2) says; a proof that is too short or too long fails as well."""

from collections.abc import Sequence

from apps.audit.merkle.hashing import SIZE, node_hash


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` shows leaf hash `leaf` at `index` (from 0) in the tree of `size` under `root`."""
    if not 0 <= index < size or any(len(item) != SIZE for item in (leaf, root, *proof)):
        return False
    number, last, result = index, size - 1, leaf
    for item in proof:
        if last == 0:
            return False
        if number & 1 or number == last:
            result = node_hash(item, result)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            result = node_hash(result, item)
        number >>= 1
        last >>= 1
    return last == 0 and result == root


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that the tree of `new` leaves begins with the tree of `old` leaves.

    An empty tree (`old` 0) is refused: everything begins with it, so nothing would be shown.
    """
    if not 1 <= old <= new or any(len(item) != SIZE for item in proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    if not proof:
        return False
    return _grown(old, new, old_root, new_root, list(proof))


def _grown(old: int, new: int, old_root: bytes, new_root: bytes, path: list[bytes]) -> bool:
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    number, last = old - 1, new - 1
    while number & 1:
        number >>= 1
        last >>= 1
    before = after = path[0]
    for item in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            before, after = node_hash(item, before), node_hash(item, after)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            after = node_hash(after, item)
        number >>= 1
        last >>= 1
    return last == 0 and before == old_root and after == new_root
