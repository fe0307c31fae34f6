"""The second half of a verification: the entries against everything that was signed, here and outside.

While the chain is walked, each entry's leaf is added to a tree of our own. Its root must be the signed one at
the size of every checkpoint, of the database and of every anchor, and its leaves those of the tiles and of the
anchors that keep leaves. What is missing at the end, what a place has lost, and who did not sign comes out too.
"""

import heapq
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from apps.audit.anchors import places
from apps.audit.anchors.contract import Anchor, AnchorBroken, Held, Leaves
from apps.audit.merkle import checkpoints, note, tiles, tree
from apps.audit.merkle.checkpoints import Signed, origin_of
from apps.audit.merkle.hashing import SIZE, Frontier, leaf_hash
from apps.audit.types import AnchorVerdict, BadEntry, Proven

logger = logging.getLogger("aibos.ledger")

CHUNK = 4096
HERE = "database"


@dataclass(frozen=True, order=True)
class Claim:
    """What one place says: the tree of `size` entries has this root."""

    size: int
    root: bytes
    link: bytes
    place: str


@dataclass
class _Place:
    """A place that keeps leaf hashes, and up to where it does."""

    name: str
    read: Leaves
    until: int


@dataclass
class Proving:
    """Takes the entries one by one; `flaw` is the first that does not hold, `finish` gives the sum of it.

    Make it in the ledger's scope before the head is read: then no checkpoint it knows can be beyond the head.
    """

    ledger: UUID
    anchors: Iterable[Anchor] | None = None
    flaw: BadEntry | None = None
    compared: int = 0
    _frontier: Frontier = field(default_factory=Frontier)
    _fresh: list[bytes] = field(default_factory=list)
    _good: int = 0
    _count: int = 0
    _stop: int = 0

    def __post_init__(self) -> None:
        state = tree.state(self.ledger)
        self._origin = state.origin if state else origin_of(self.ledger)
        # What is signed while the entries are read is left to the next time.
        newest = checkpoints.latest(self.ledger)
        self._size = max(state.size if state else 0, newest.size if newest else 0)
        self._verdicts: dict[str, AnchorVerdict] = {}
        self._leaves: list[_Place] = []
        self._told = state.anchored if state else {}
        if self._size:
            self._leaves.append(_Place(HERE, self._tiles, self._size))
        claims: list[Iterator[Claim]] = [self._signed()]
        asked = places.configured() if self.anchors is None else self.anchors
        claims += [iter(self._anchored(anchor)) for anchor in asked]
        self._claims = heapq.merge(*claims)
        self._next = next(self._claims, None)
        self._aim()

    def take(self, body: bytes, link: bytes) -> None:
        """Add the next entry, whose hash in the chain is `link`."""
        self.add(leaf_hash(body), link)

    def add(self, leaf: bytes, link: bytes) -> None:
        """Add the leaf of the next entry; an empty `link` is one that cannot be known any more."""
        self._fresh.append(leaf)
        self._count += 1
        if self._count == self._stop:
            self._reach(link)

    def _reach(self, link: bytes) -> None:
        """Work off what was added: the leaves, then the claims about exactly this size."""
        self._work_off()
        while self._next and self._next.size == self._count and not self.flaw:
            self._compare_root(self._next, link)
            self._next = next(self._claims, None)
        self._aim()

    def _aim(self) -> None:
        """Say at which size there is something to do again."""
        claim = self._next.size if self._next and self._next.size > self._count else self._count + CHUNK
        self._stop = min(claim, self._count + CHUNK)

    def _work_off(self) -> None:
        self._frontier.extend(self._fresh)
        self._compare_leaves()

    def finish(self) -> Proven:
        """Compare what is left and return what was proven; `flaw` holds the first thing that did not."""
        self._work_off()
        while self._next and not self.flaw:
            self._claim(self._next)
            self._next = next(self._claims, None)
        size = self._frontier.size
        if not self.flaw and self._size > size:
            self._bad(size + 1, "rolled back", f"{self._size} entries were signed, {size} are present.")
        return Proven(
            signed=min(self._size, size),
            checkpoints=self.compared,
            root=self._frontier.root().hex(),
            anchors=tuple(self._verdicts.values()),
        )

    def _signed(self) -> Iterator[Claim]:
        known = note.keys()
        for mine in checkpoints.every(self.ledger, until=self._size):
            try:
                said = note.opened(mine.note, known=known)
            except note.NoteInvalid as error:
                self._bad(mine.size, "bad signature", f"The checkpoint over {mine.size} entries: {error}")
                continue
            if not self._is_ours(said, mine):
                message = (
                    f"The checkpoint over {mine.size} entries says something else than the row beside it."
                )
                self._bad(mine.size, "bad signature", message)
                continue
            yield Claim(said.size, said.root, said.link, HERE)

    def _is_ours(self, said: note.Checkpoint, row: Signed) -> bool:
        return (said.size, said.root) == (row.size, row.root) and _same_log(said.origin, self._origin)

    def _anchored(self, anchor: Anchor) -> list[Claim]:
        """Return what an anchor says of this tree; one that cannot be asked says nothing, and that is reported."""
        if not anchor.readable:
            return []
        try:
            held = anchor.held(self._origin)
            claims = self._opened(anchor, held) if held else []
        except (note.NoteInvalid, AnchorBroken) as error:
            self._anchor(anchor.name, "altered", 0, str(error))
            self._bad(1, "anchor set back", f"The anchor {anchor.name} was altered: {error}")
            return []
        except Exception as error:  # noqa: BLE001 - a place may fail in any way; the ledger is judged without it
            logger.warning("The anchor %s cannot be asked: %s", anchor.name, error)
            self._anchor(anchor.name, "unreachable", 0, f"{type(error).__name__}: {error}")
            return []
        size, told = claims[-1].size if claims else 0, self._told.get(anchor.name, 0)
        if size < told:
            message = f"The anchor {anchor.name} was told {told} entries and holds {size}: it was set back."
            self._anchor(anchor.name, "altered", size, message)
            self._bad(size + 1, "anchor set back", message)
        else:
            self._anchor(anchor.name, "good", size, "")
        if held and held.leaves and size:
            self._leaves.append(_Place(anchor.name, held.leaves, size))
        return claims

    def _opened(self, anchor: Anchor, held: Held) -> list[Claim]:
        known = note.keys()
        claims: list[Claim] = []
        for text in held.notes:
            said = note.opened(text, known=known)
            if said.origin != self._origin or (claims and said.size < claims[-1].size):
                raise note.NoteInvalid("It holds a checkpoint of another ledger, or out of order.")
            claims.append(Claim(said.size, said.root, said.link, anchor.name))
        return claims

    def _anchor(self, name: str, state: str, size: int, message: str) -> None:
        self._verdicts[name] = AnchorVerdict(name, state, size, message)  # type: ignore[arg-type]

    def _compare_root(self, claim: Claim, link: bytes) -> None:
        self.compared += 1
        root = self._frontier.root()
        if root == claim.root and (not link or not claim.link or claim.link == link):
            self._good = claim.size
            return
        if not self.flaw:
            first = self._good + 1
            message = (
                f"The entries {first} to {claim.size} are not those that were signed ({claim.place}):"
                " somebody recomputed the ledger."
            )
            self._bad(first, "forged history", message)

    def _claim(self, claim: Claim) -> None:
        """A claim about more entries than there are."""
        size = self._frontier.size
        message = f"{claim.size} entries were signed ({claim.place}), {size} are present: the ledger was cut or set back."
        self._bad(size + 1, "rolled back", message)

    def _compare_leaves(self) -> None:
        end = self._frontier.size
        first = end - len(self._fresh)
        for place in self._leaves:
            until = min(end, place.until)
            if until <= first or self.flaw:
                continue
            try:
                kept = place.read(first, until)
            except tiles.TilesDamaged as error:
                self._bad(first + 1, "tiles disagree", str(error))
                continue
            mine = b"".join(self._fresh[: until - first])
            if kept != mine:
                self._differs(place, first, mine, kept)
        self._fresh.clear()

    def _differs(self, place: _Place, first: int, mine: bytes, kept: bytes) -> None:
        at = next(at for at in range(0, len(mine), SIZE) if mine[at : at + SIZE] != kept[at : at + SIZE])
        seq = first + at // SIZE + 1
        if len(kept) < at + SIZE:
            message = f"The leaves of {place.name} end before entry {seq}, which it said to hold."
            self._bad(seq, "tiles disagree", message)
        else:
            message = f"Entry {seq} is not the one that was put into the tree ({place.name})."
            self._bad(seq, "forged history", message)

    def _tiles(self, first: int, end: int) -> bytes:
        return b"".join(tiles.leaf_hashes(self.ledger, first, end))

    def _bad(self, seq: int, flaw: str, message: str) -> None:
        if self.flaw is None or seq < self.flaw.seq:
            self.flaw = BadEntry(seq, flaw, message)  # type: ignore[arg-type]


def _same_log(said: str, ours: str) -> bool:
    """Return whether a checkpoint's origin is this log's, at an earlier generation perhaps (`…/2` follows `…`)."""
    return ours == said or ours.startswith(said + "/")
