"""The chain: each entry's own hash, its place, its columns, and its link to the one before it."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aibos_verify.findings import Report
from aibos_verify.hashes import GENESIS, link_of
from aibos_verify.notes import Checkpoint
from aibos_verify.opening import once

NIL = UUID(int=0)


@dataclass
class Chain:
    """Takes entries in order. With `whole`, none between the first and the last may be missing."""

    ledger: UUID
    whole: bool
    pruned: tuple[int, bytes]
    report: Report
    count: int = 0
    last: int | None = None
    hash: bytes = GENESIS
    removals: set[tuple[int, str]] = field(default_factory=set)

    def take(self, entry: dict[str, Any]) -> bytes | None:
        """Check one entry and return its body; None when it has none that can be read."""
        seq, prev, digest = int(entry["seq"]), bytes.fromhex(entry["prev"]), bytes.fromhex(entry["hash"])
        body = base64.b64decode(entry["body64"]) if "body64" in entry else entry["body"].encode()
        self.count += 1
        if self._placed(seq) and self._linked(seq, prev):
            if link_of(self.ledger.bytes, seq, prev, body) != digest:
                self.report.add("altered-entry", f"The content of entry {seq} is not what was hashed.", seq)
            self._columns(seq, body, entry.get("columns") or {})
        self.last, self.hash = seq, digest
        return body

    def finish(self, head: dict[str, Any], said: Checkpoint | None) -> None:
        """The last entry of a whole ledger must be the one the head names, and not before what was signed.

        What retention removed at the beginning must be owned up to by an entry that is still there.
        """
        if self.pruned[0] and (self.pruned[0], self.pruned[1].hex()) not in self.removals:
            message = f"No entry says that retention removed the first {self.pruned[0]} entries."
            self.report.add("unlawful-pruning", message, 1)
        last, end = self.last or self.pruned[0], int(head["seq"])
        signed = said.size if said else 0
        if last < max(end, signed):
            message = f"The ledger ends at entry {last}; its head says {end}, {signed} were signed."
            self.report.add("rolled-back", message, last + 1)
        elif last > end:
            self.report.add("beyond-the-head", f"Entry {end + 1} stands where the ledger had ended.", end + 1)
        elif last and self.hash.hex() != head["hash"]:
            self.report.add("wrong-head", f"Entry {last} is not the one the head names.", last)

    def _placed(self, seq: int) -> bool:
        """Whether the entry stands where one is expected."""
        if self.last is None:
            expected = self.pruned[0] + 1 if self.whole and seq <= self.pruned[0] + 1 else seq
            if seq >= 1 and seq == expected:
                return True
        elif (seq == self.last + 1) if self.whole else (seq > self.last):
            return True
        expected = (self.last if self.last is not None else self.pruned[0]) + 1
        self.report.add("gap", f"Entry {expected} is missing; {seq} stands in its place.", expected)
        return False

    def _linked(self, seq: int, prev: bytes) -> bool:
        """Whether the entry names the one before it, where that is known."""
        known = None
        if self.last is not None and seq == self.last + 1:
            known = self.hash
        elif seq == 1:
            known = GENESIS
        elif seq == self.pruned[0] + 1:
            known = self.pruned[1]
        if known is None or known == prev:
            return True
        self.report.add("broken-link", f"Entry {seq} does not name entry {seq - 1} as its predecessor.", seq)
        return False

    def _columns(self, seq: int, body: bytes, columns: dict[str, Any]) -> None:
        try:
            said = json.loads(body, object_pairs_hook=once)
            actor = said["actor"]
            facts = {
                "id": said["id"],
                "action": said["action"],
                "target": said.get("target"),
                "actor": f"{actor['kind']}:{actor['id']}",
                "at": said["at"],
            }
            owner = said.get("tenant") or str(NIL)
        except (ValueError, KeyError, TypeError):
            self.report.add("altered-entry", f"The content of entry {seq} is not readable as an entry.", seq)
            return
        if said["action"] == "ledger.pruned":
            details = said.get("details") or {}
            self.removals.add((details.get("until", 0), details.get("hash", "")))
        if owner != str(self.ledger):
            self.report.add("wrong-log", f"Entry {seq} belongs to the ledger {owner}.", seq)
        for name, value in columns.items():
            if facts.get(name) != value:
                message = f"Entry {seq}: the column {name} says {value!r}, the content {facts.get(name)!r}."
                self.report.add("altered-column", message, seq)
