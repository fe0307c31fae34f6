"""Plain values of the ledger, as pages and services read them."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from django.utils.translation import gettext as _

Flaw = Literal[
    "altered body",
    "broken link",
    "gap",
    "missing tail",
    "beyond the head",
    "columns disagree",
    "wrong head",
    "unreadable",
    "forged history",
    "rolled back",
    "tiles disagree",
    "bad signature",
    "anchor set back",
    "unlawful pruning",
]
AnchorSays = Literal["good", "altered", "unreachable"]


@dataclass(frozen=True)
class ActorValue:
    """Who acted, as the entry says."""

    kind: str
    id: str
    label: str


@dataclass(frozen=True)
class FieldChange:
    """One field's value before and after; a side that did not exist is None, and so is one that was erased."""

    field: str
    before: Any
    after: Any
    erased: bool = False


@dataclass(frozen=True)
class LedgerEntry:
    """One entry; `seq` and `hash` are None until it is chained."""

    id: UUID
    seq: int | None
    hash: str | None
    at: dt.datetime
    action: str
    actor: ActorValue
    target: str | None
    tenant_id: UUID | None
    request_id: str | None
    ip: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    details: Mapping[str, Any]
    changes: tuple[FieldChange, ...] = field(default=())
    erased: frozenset[str] = frozenset()

    @property
    def chained(self) -> bool:
        """Whether the entry is part of the chain already."""
        return self.seq is not None


@dataclass(frozen=True)
class Page:
    """Entries, newest first, and the cursor of the next page (None: this was the last)."""

    entries: tuple[LedgerEntry, ...]
    next: str | None


@dataclass(frozen=True)
class BadEntry:
    """The first entry that does not hold: what is wrong, where, and in words."""

    seq: int
    flaw: Flaw
    message: str


@dataclass(frozen=True)
class AnchorVerdict:
    """What a place outside the database says of a ledger: up to how many entries it holds checkpoints."""

    name: str
    says: AnchorSays
    size: int
    message: str


@dataclass(frozen=True)
class Proven:
    """What the signatures prove: entries under one, checkpoints compared, the root recomputed, the anchors asked."""

    signed: int = 0
    checkpoints: int = 0
    root: str = ""
    anchors: tuple[AnchorVerdict, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What recomputing a ledger found; `bad` is None when every link and every signed root holds.

    `pruned` of the `entries` have lost their content by retention; of them the leaves were checked.
    """

    ledger: str
    tenant_id: UUID | None
    entries: int
    head: str
    pending: int
    seconds: float
    bad: BadEntry | None
    pruned: int = 0
    proven: Proven = Proven()

    @property
    def ok(self) -> bool:
        """Whether the whole chain holds."""
        return self.bad is None


def read_entry(values: Mapping[str, Any], seq: int | None, digest: bytes | None) -> LedgerEntry:
    """Return the value of a stored body, its boxes opened; raises ValueError or KeyError when it is no entry."""
    actor = values["actor"]
    before, after = values.get("before"), values.get("after")
    erased = frozenset(values.get("erased", ()))
    label = _("Erased person") if "actor.label" in erased else actor["label"]
    return LedgerEntry(
        id=UUID(values["id"]),
        seq=seq,
        hash=bytes(digest).hex() if digest is not None else None,
        at=dt.datetime.fromisoformat(values["at"]),
        action=values["action"],
        actor=ActorValue(actor["kind"], actor["id"], label),
        target=values.get("target"),
        tenant_id=UUID(values["tenant"]) if values.get("tenant") else None,
        request_id=values.get("request"),
        ip=values.get("ip"),
        before=before,
        after=after,
        details=values.get("details", {}),
        changes=_changes(before or {}, after or {}, erased),
        erased=erased,
    )


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], erased: frozenset[str]
) -> tuple[FieldChange, ...]:
    sides = (name.partition(".") for name in erased)
    gone = {name for side, _dot, name in sides if side in ("before", "after")}
    names = sorted(before.keys() | after.keys() | gone)
    return tuple(FieldChange(name, before.get(name), after.get(name), name in gone) for name in names)
