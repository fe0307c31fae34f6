"""What an anchor is: a place outside the database that keeps checkpoints, and gives them back where it can."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from apps.core.registry import Registry

Leaves = Callable[[int, int], bytes]


class AnchorBroken(RuntimeError):
    """The place holds something else than was put there, or refuses what does not follow from it."""


@dataclass(frozen=True)
class Pushed:
    """One tree's checkpoint on its way out. `leaves(first, end)` gives leaf hashes, 32 bytes each, joined."""

    ledger: UUID
    origin: str
    size: int
    note: str
    leaves: Leaves


@dataclass(frozen=True)
class Batch:
    """What is told at once: new checkpoints, oldest first, and the platform's own above them."""

    signed: Sequence[Pushed]
    top: Pushed

    def newest(self) -> list[Pushed]:
        """Return the last checkpoint of each tree, the platform's at the end."""
        return list({item.origin: item for item in (*self.signed, self.top)}.values())


@dataclass(frozen=True)
class Held:
    """What a place gives back of one tree: its notes, oldest first, and leaf hashes where it keeps them.

    `leaves(first, end)` may return fewer than asked for.
    """

    notes: Iterable[str]
    leaves: Leaves | None = None


class Anchor(Protocol):
    """A place. `readable`: whether it gives back what it was told; `every` is the least pause in seconds."""

    name: str
    readable: bool
    every: float

    def push(self, batch: Batch) -> None:
        """Keep the batch durably before returning; told twice, it keeps once. Raises on anything else."""

    def held(self, origin: str) -> Held | None:
        """Return what is kept of the tree signed as `origin`, None when nothing is. Raises when it cannot say."""


Maker = Callable[[str], Anchor]


@dataclass(frozen=True)
class Kind:
    """A kind of anchor: what makes one of the text behind `kind:` in LEDGER_ANCHORS."""

    make: Maker


kinds: Registry[Kind] = Registry("kinds of anchors", Kind)
