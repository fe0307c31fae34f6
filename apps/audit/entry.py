"""The body of a ledger entry: RFC 8785 bytes, stored as written and never rebuilt."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.audit import sealing
from apps.audit.sealing import Key
from apps.core import canonical, context
from apps.core.actor import Actor
from apps.core.ids import uuid7

ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_known: set[str] = set()

Values = Mapping[str, Any]
Personal = Mapping[str, Iterable[str]] | None


@dataclass(frozen=True)
class Draft:
    """An entry ready to be written: its id, its ledger (None is the platform's), its bytes, and keys to write with it."""

    id: UUID
    tenant_id: UUID | None
    action: str
    target: str | None
    body: bytes
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Plain:
    """An entry whose personal parts are not sealed yet: `body` in clear, and who acts and whose fields are whose."""

    id: UUID
    tenant_id: UUID | None
    body: dict[str, Any]
    actor: str | None
    personal: Personal

    def text(self) -> bytes:
        """Return the entry as the log keeps it when the ledger cannot."""
        return canonical.dumps(self.body)


def draft(
    action: str,
    *,
    by: Actor,
    tenant: UUID | None,
    target: str | None,
    before: Values | None,
    after: Values | None,
    details: Values | None,
    personal: Personal = None,
    clock: int | None = None,
) -> Draft:
    """Return the entry for one act; with both `before` and `after` only the fields that differ are kept.

    `action` is `noun.verbed`; raises ValueError for another form and TypeError for a float anywhere. `personal`
    names, by subject, the fields to seal; the actor's label and address are sealed for the person who acts.
    """
    return sealed(
        plain_draft(
            action,
            by=by,
            tenant=tenant,
            target=target,
            before=before,
            after=after,
            details=details,
            personal=personal,
        ),
        clock,
    )


def plain_draft(
    action: str,
    *,
    by: Actor,
    tenant: UUID | None,
    target: str | None,
    before: Values | None,
    after: Values | None,
    details: Values | None,
    personal: Personal = None,
) -> Plain:
    """Return the entry with everything in clear."""
    if action not in _known:
        if not ACTION.fullmatch(action):
            msg = f"A ledger action is written noun.verbed in lower case, not {action!r}."
            raise ValueError(msg)
        _known.add(action)
    if before is not None and after is not None:
        before, after = changed(before, after)
    entry_id = uuid7()
    actor = {"kind": by.kind, "id": by.id, "label": by.label}
    if by.via:
        actor["via"] = by.via
    body = {
        "id": entry_id,
        "at": dt.datetime.now(dt.UTC),
        "action": action,
        "actor": actor,
        "tenant": tenant,
        "request": context.request_id.get(),
        "ip": context.ip.get(),
        "target": target,
        "before": before,
        "after": after,
        "details": details or None,
    }
    written = {key: value for key, value in body.items() if value is not None}
    return Plain(entry_id, tenant, written, sealing.subject_of(by), personal)


def sealed(entry: Plain, clock: int | None = None) -> Draft:
    """Seal the personal parts of an entry; `clock` as in `sealing.keys.take`."""
    body = dict(entry.body)
    new: list[Key] = []
    if entry.actor is not None or entry.personal:
        body["actor"] = dict(body["actor"])
        parts = sealing.parted(body, entry.actor, entry.personal)
        if parts:
            body["sealed"], new = sealing.sealed(parts, entry.tenant_id, entry.id, clock)
    return Draft(
        entry.id, entry.tenant_id, body["action"], body.get("target"), canonical.dumps(body), tuple(new)
    )


def changed(before: Values, after: Values) -> tuple[Values, Values]:
    """Return both sides reduced to the fields whose values differ or that only one side has."""
    names = [
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name] != after[name]
    ]
    return (
        {name: before[name] for name in names if name in before},
        {name: after[name] for name in names if name in after},
    )
