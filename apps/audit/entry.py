"""The body of a ledger entry: RFC 8785 bytes, stored as written and never rebuilt."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core import canonical, context
from apps.core.actor import Actor
from apps.core.ids import uuid7

ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_known: set[str] = set()

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Draft:
    """An entry ready to be written: its id, its ledger (None is the platform's) and its bytes."""

    id: UUID
    tenant_id: UUID | None
    action: str
    target: str | None
    body: bytes


def draft(
    action: str,
    *,
    by: Actor,
    tenant: UUID | None,
    target: str | None,
    before: Values | None,
    after: Values | None,
    details: Values | None,
) -> Draft:
    """Return the entry for one act; with both `before` and `after` only the fields that differ are kept.

    `action` is `noun.verbed`; raises ValueError for another form and TypeError for a float anywhere.
    """
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
    return Draft(entry_id, tenant, action, target, canonical.dumps(written))


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
