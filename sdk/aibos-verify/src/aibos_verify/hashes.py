"""RFC 6962's hashes, roots and proofs; written anew here, so that this program shares no code with the product."""

import hashlib
from collections.abc import Sequence

SIZE = 32
EMPTY = hashlib.sha256(b"").digest()
GENESIS = bytes(32)


def leaf_of(body: bytes) -> bytes:
    """Return SHA-256(0x00 || body)."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_of(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def link_of(ledger: bytes, seq: int, prev: bytes, body: bytes) -> bytes:
    """Return the chain's hash of entry `seq`: SHA-256(0x00 || ledger id || seq, 8 bytes || prev || body)."""
    return hashlib.sha256(b"\x00" + ledger + seq.to_bytes(8, "big") + prev + body).digest()


class Growing:
    """A tree that grows leaf by leaf and knows its root at any moment."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []  # (height, root) of the full subtrees, left to right

    def add(self, leaf: bytes) -> None:
        """Append a leaf hash."""
        height, value = 0, leaf
        while self._peaks and self._peaks[-1][0] == height:
            value = node_of(self._peaks.pop()[1], value)
            height += 1
        self._peaks.append((height, value))
        self.size += 1

    def root(self) -> bytes:
        """Return the root of what was added."""
        if not self._peaks:
            return EMPTY
        value = self._peaks[-1][1]
        for _, peak in self._peaks[-2::-1]:
            value = node_of(peak, value)
        return value


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` leads from `leaf` at `index` (from 0) to the root of a tree of `size`."""
    if not 0 <= index < size or any(len(item) != SIZE for item in (leaf, root, *proof)):
        return False
    value, rest = _climb(leaf, index, size, list(proof))
    return not rest and value == root


def _climb(leaf: bytes, index: int, size: int, proof: list[bytes]) -> tuple[bytes | None, list[bytes]]:
    """Recompute the root over `size` leaves by RFC 6962's definition, taking the other half from the proof's end."""
    if size == 1:
        return leaf, proof
    if not proof:
        return None, [b""]
    middle = 1 << ((size - 1).bit_length() - 1)
    other = proof.pop()
    if index < middle:
        mine, rest = _climb(leaf, index, middle, proof)
        return (node_of(mine, other), rest) if mine is not None else (None, rest)
    mine, rest = _climb(leaf, index - middle, size - middle, proof)
    return (node_of(other, mine), rest) if mine is not None else (None, rest)


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether the tree of `new` leaves begins with the one of `old` (1 or more)."""
    if not 1 <= old <= new or any(len(item) != SIZE for item in proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    rest = list(proof)
    pair = _both(old, new, old_root, rest, whole=True)
    return pair is not None and not rest and pair == (old_root, new_root)


def _both(
    old: int, new: int, old_root: bytes, proof: list[bytes], *, whole: bool
) -> tuple[bytes, bytes] | None:
    """Return the roots of the first `old` and of all `new` leaves of a subtree, as RFC 6962's SUBPROOF tells them."""
    if old == new:
        if whole:
            return old_root, old_root
        return (proof[-1], proof.pop()) if proof else None
    if not proof:
        return None
    middle = 1 << ((new - 1).bit_length() - 1)
    other = proof.pop()
    if old <= middle:
        below = _both(old, middle, old_root, proof, whole=whole)
        return (below[0], node_of(below[1], other)) if below else None
    below = _both(old - middle, new - middle, old_root, proof, whole=False)
    return (node_of(other, below[0]), node_of(other, below[1])) if below else None
