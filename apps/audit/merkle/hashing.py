"""Hashes of RFC 6962: leaves and nodes start with different bytes, so that neither can pass for the other."""

import hashlib
from collections.abc import Sequence

SIZE = 32
RUN = 256
EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256(0x00 || body)."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over `hashes`, which are the roots of subtrees of equal size; their number may be any.

    Of leaf hashes it is RFC 6962's MTH; of none it is the hash of nothing.
    """
    if not hashes:
        return EMPTY
    sha, level = hashlib.sha256, list(hashes)
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [sha(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)] + odd
    return level[0]


class Frontier:
    """A growing tree that remembers only the roots of its full subtrees: append leaves, ask for the root."""

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        self.size = size
        self._roots = list(roots)  # of the full subtrees, largest first

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self._push(leaf, 1)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes; runs of `RUN` that lie on a boundary are folded at once, at a third of the cost."""
        at, end = 0, len(leaves)
        while at < end:
            if self.size % RUN == 0 and end - at >= RUN:
                self._push(fold(leaves[at : at + RUN]), RUN)
                at += RUN
            else:
                self._push(leaves[at], 1)
                at += 1

    def _push(self, root: bytes, count: int) -> None:
        """Add a full subtree of `count` leaves, a power of two that divides the size."""
        sha, number = hashlib.sha256, self.size // count
        while number & 1:
            root = sha(b"\x01" + self._roots.pop() + root).digest()
            number >>= 1
        self._roots.append(root)
        self.size += count

    def root(self) -> bytes:
        """Return the root of what has been appended so far."""
        if not self._roots:
            return EMPTY
        result = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            result = node_hash(left, result)
        return result
