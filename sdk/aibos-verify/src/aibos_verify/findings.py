"""What a check found, as values."""

from dataclasses import dataclass, field
from typing import Any

# What each code means, in the order in which a reader cares.
CODES = {
    "malformed": "the file is not evidence, or parts of it contradict each other",
    "unknown-key": "a checkpoint is signed by a key that was not pinned",
    "bad-signature": "a signature does not fit what it signs",
    "wrong-log": "a checkpoint or an entry belongs to another ledger",
    "altered-entry": "an entry is not what was hashed",
    "altered-column": "a column beside an entry says something else than the entry",
    "broken-link": "an entry does not follow from the one before it",
    "gap": "an entry is missing",
    "beyond-the-head": "an entry stands where the ledger had ended",
    "wrong-head": "the end of the ledger is not the one its head names",
    "bad-proof": "a proof does not lead to the signed root",
    "forged-history": "the ledger is not the one that was signed before",
    "rolled-back": "more entries were signed than the ledger holds now",
    "unlawful-pruning": "entries lack their content, and no entry of retention says why",
    "anchor-set-back": "a place outside has lost or altered what it was told",
}


@dataclass(frozen=True)
class Finding:
    """Something that does not hold; `seq` is the first entry concerned, None when it concerns no single one."""

    code: str
    message: str
    seq: int | None = None


@dataclass
class Report:
    """All findings, and what was checked. Evidence holds when there is no finding."""

    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def add(self, code: str, message: str, seq: int | None = None) -> None:
        """Note a finding; the same code for the same entry is noted once."""
        if code not in CODES:
            raise ValueError(code)
        if not any((item.code, item.seq) == (code, seq) for item in self.findings):
            self.findings.append(Finding(code, message, seq))

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.findings

    @property
    def first_bad(self) -> int | None:
        """The first entry that does not hold, None when no finding names one."""
        return min((item.seq for item in self.findings if item.seq is not None), default=None)
