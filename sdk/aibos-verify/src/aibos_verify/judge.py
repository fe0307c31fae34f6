"""Judging evidence: every signature, every proof, every link, and everything against what was pinned."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from aibos_verify import anchors, notes
from aibos_verify.chain import Chain
from aibos_verify.findings import Report
from aibos_verify.hashes import SIZE, Growing, consistent, included, leaf_of
from aibos_verify.notes import Checkpoint
from aibos_verify.opening import Bundle, Unreadable, read


@dataclass(frozen=True)
class Pins:
    """What the reader trusts: keys, perhaps the ledger's id, and checkpoints kept elsewhere (files, folders)."""

    keys: list[bytes]
    ledger: UUID | None = None
    checkpoints: list[Path] = field(default_factory=list)
    anchors: list[Path] = field(default_factory=list)


def judge(path: Path, pins: Pins) -> Report:
    """Return what checking the evidence in a file found; never raises for what is in the file."""
    report = Report()
    try:
        bundle = read(path)
        _Judge(bundle, pins, report).run()
    except (Unreadable, KeyError, ValueError, TypeError, AttributeError) as error:
        report.add("malformed", f"The evidence cannot be read: {type(error).__name__}: {error}")
    return report


class _Judge:
    def __init__(self, bundle: Bundle, pins: Pins, report: Report) -> None:
        self.bundle, self.pins, self.report = bundle, pins, report
        self.header = bundle.header
        self.ledger = UUID(self.header["ledger"])
        self.origin = str(self.header["origin"])
        self.outside: list[anchors.Anchor] = []
        self.claims: list[tuple[str, Checkpoint]] = []

    def run(self) -> None:
        said = self._note(self.header["checkpoint"], "the evidence's checkpoint")
        if self.pins.ledger and self.pins.ledger != self.ledger:
            self.report.add(
                "wrong-log", f"The evidence is of the ledger {self.ledger}, not {self.pins.ledger}."
            )
        if self.origin.split("/")[1:2] != [str(self.ledger)]:
            self.report.add("wrong-log", f"The checkpoint is of {self.origin}, the ledger is {self.ledger}.")
        self._outside()
        if said is None:
            self._entries(None)
            return
        if self.bundle.leaves:
            self._leaves(said)
        self._entries(said)
        self._grown(said)
        self._platform()
        self._pinned(said)
        self.report.facts |= {
            "ledger": str(self.ledger),
            "origin": self.origin,
            "selection": self.header.get("selection"),
            "signed": said.size,
            "root": said.root.hex(),
            "time": said.time,
        }

    def _note(self, text: str, place: str, origin: str = "") -> Checkpoint | None:
        """Open a checkpoint of this log; what is wrong with it is a finding."""
        try:
            said = notes.opened(text, self.pins.keys)
        except notes.UnknownKey as error:
            self.report.add("unknown-key", f"{place}: {error}")
        except notes.BadSignature as error:
            self.report.add("bad-signature", f"{place}: {error}")
        except notes.NotANote as error:
            self.report.add("malformed", f"{place}: {error}")
        else:
            wanted = origin or self.origin
            if said.origin == wanted or (origin and said.origin.startswith(f"{origin}/")):
                return said
            self.report.add("wrong-log", f"{place} is of {said.origin}, not {origin or self.origin}.")
        return None

    def _outside(self) -> None:
        """Read what was kept outside before the entries are judged against it."""
        for path in self.pins.anchors:
            found = anchors.folder(path, self.origin, self.pins.keys, self.report)
            told = max((int(size) for size in self.header.get("anchors", {}).values()), default=0)
            size = found.checkpoints[-1].size if found and found.checkpoints else 0
            if size < told:
                message = f"{path.name} was told {told} entries and holds {size}."
                self.report.add("anchor-set-back", message, size + 1)
            if found:
                self.outside.append(found)
                self.claims += [(found.name, said) for said in found.checkpoints]
        for path in self.pins.checkpoints:
            mine = anchors.single(path, self.pins.keys, self.report)
            if mine and mine.origin == self.origin:
                self.claims.append((path.name, mine))
            elif mine:
                self.report.add("wrong-log", f"{path.name} is a checkpoint of {mine.origin}.")

    def _leaves(self, said: Checkpoint) -> None:
        """The leaves must give the signed root, and be those kept outside."""
        leaves = self.bundle.leaves
        if len(leaves) != said.size * SIZE:
            message = f"There are {len(leaves) // SIZE} leaves for {said.size} entries."
            self.report.add("bad-proof", message, min(len(leaves) // SIZE, said.size) + 1)
            return
        wanted: dict[int, list[tuple[str, Checkpoint]]] = {}
        for place, claim in [*self.claims, ("the evidence", said)]:
            wanted.setdefault(claim.size, []).append((place, claim))
        tree, good = Growing(), 0
        for at in range(0, len(leaves), SIZE):
            tree.add(leaves[at : at + SIZE])
            for place, claim in wanted.get(tree.size, []):
                if tree.root() != claim.root:
                    code = "bad-proof" if claim is said else "forged-history"
                    message = f"The first {claim.size} entries are not those that were signed ({place})."
                    self.report.add(code, message, self._first_other(good, leaves) or good + 1)
                else:
                    good = claim.size

    def _first_other(self, good: int, leaves: bytes) -> int | None:
        """Return the first entry whose leaf is another one outside; None where nobody kept leaves."""
        for anchor in self.outside:
            for at in range(good * SIZE, min(len(leaves), len(anchor.leaves)), SIZE):
                if leaves[at : at + SIZE] != anchor.leaves[at : at + SIZE]:
                    return at // SIZE + 1
        return None

    def _entries(self, said: Checkpoint | None) -> None:
        pruned = self.header.get("pruned") or {}
        chain = Chain(
            ledger=self.ledger,
            whole=bool(self.header.get("complete")),
            pruned=(int(pruned.get("entries", 0)), bytes.fromhex(pruned.get("hash", "00" * 32))),
            report=self.report,
        )
        for entry in self.bundle.entries():
            body = chain.take(entry)
            if body is not None:
                self._proven(entry, leaf_of(body), said)
        if self.header.get("selection", {}).get("kind") == "ledger":
            chain.finish(self.header["head"], said)
        self.report.facts["entries"] = chain.count

    def _proven(self, entry: dict[str, Any], leaf: bytes, said: Checkpoint | None) -> None:
        seq = int(entry["seq"])
        for anchor in self.outside:
            kept = anchor.leaves[(seq - 1) * SIZE : seq * SIZE] if seq > 0 else b""
            if kept and kept != leaf:
                message = f"Entry {seq} is not the one that {anchor.name} was told."
                self.report.add("forged-history", message, seq)
        if said is None or seq > said.size or seq < 1:
            return
        if self.bundle.leaves:
            if self.bundle.leaves[(seq - 1) * SIZE : seq * SIZE] != leaf:
                self.report.add("altered-entry", f"Entry {seq} is not the one in the tree.", seq)
        elif "proof" not in entry:
            self.report.add("bad-proof", f"Entry {seq} has no proof.", seq)
        elif not included(leaf, seq - 1, said.size, _hashes(entry["proof"]), said.root):
            self.report.add("bad-proof", f"The proof of entry {seq} does not lead to the signed root.", seq)

    def _grown(self, said: Checkpoint) -> None:
        """Each older checkpoint in the evidence must be signed, and the newest must begin with it."""
        for item in self.header.get("checkpoints", []):
            if item["note"] is None:
                continue  # a proof for whoever holds the note
            old = self._note(item["note"], f"the checkpoint over {item['size']} entries")
            if old and not consistent(old.size, said.size, old.root, said.root, _hashes(item["proof"])):
                message = f"The log does not begin with what was signed over {old.size} entries."
                self.report.add("bad-proof", message, None)

    def _platform(self) -> None:
        """The platform's tree must hold the checkpoint that the evidence says it holds."""
        above = self.header.get("platform")
        if not above:
            self.report.notices.append("The platform's tree does not hold a checkpoint of this ledger yet.")
            return
        top = self._note(
            above["checkpoint"], "the platform's checkpoint", f"{self.origin.split('/')[0]}/checkpoints"
        )
        mine = self._note(above["leaf"], "the checkpoint in the platform's tree")
        if top and mine:
            proof, leaf = _hashes(above["proof"]), leaf_of(mine.text)
            if not included(leaf, int(above["index"]), top.size, proof, top.root):
                self.report.add("bad-proof", "The platform's tree does not hold the ledger's checkpoint.")

    def _pinned(self, said: Checkpoint) -> None:
        """What the reader holds must be a beginning of what the evidence shows."""
        proofs = {int(item["size"]): item for item in self.header.get("checkpoints", [])}
        for place, claim in self.claims:
            if claim.size > said.size:
                message = f"{claim.size} entries were signed ({place}), the evidence knows {said.size}."
                self.report.add("rolled-back", message, said.size + 1)
            elif claim.size == said.size and claim.root != said.root:
                self._forged(place, claim)
            elif claim.size < said.size and not self.bundle.leaves:
                item = proofs.get(claim.size)
                if item is None:
                    self.report.notices.append(
                        f"Nothing here proves that the log grew from {claim.size} entries ({place});"
                        f" ask for evidence with from={claim.size}."
                    )
                elif not consistent(claim.size, said.size, claim.root, said.root, _hashes(item["proof"])):
                    self._forged(place, claim)

    def _forged(self, place: str, claim: Checkpoint) -> None:
        message = f"The first {claim.size} entries are not those that were signed ({place})."
        self.report.add("forged-history", message, self._first_other(0, self.bundle.leaves))


def _hashes(texts: Iterable[str]) -> list[bytes]:
    return [base64.b64decode(text, validate=True) for text in texts]
