"""Reading what was signed: the newest checkpoint of a ledger, the one of a size, all of them, and how old they are.

Everything here runs in the scope in force; a tenant's shows its own checkpoints alone.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.audit.models import ROOTS
from apps.core.db import fast

SELECT = "SELECT tenant_id, size, root, note, at, position FROM public.audit_checkpoint WHERE tenant_id = %s "
LATEST = SELECT + "ORDER BY size DESC LIMIT 1"
AT_LEAST = SELECT + "AND size >= %s ORDER BY size LIMIT 1"
EXACT = SELECT + "AND size = %s"
BEFORE = SELECT + "AND size < %s ORDER BY size DESC LIMIT %s"
AFTER = SELECT + "AND size > %s AND size <= %s ORDER BY size LIMIT 500"
PLACED = SELECT + "AND position IS NOT NULL ORDER BY size DESC LIMIT 1"
# Entries are only due once they have waited: a ledger at rest needs no new checkpoint, however old its last one is.
STANDING = """
SELECT count(*) FILTER (WHERE h.seq > coalesce(t.size, 0)),
       coalesce(max(extract(epoch FROM clock_timestamp() - coalesce(t.moved_at, h.moved_at)))
                FILTER (WHERE h.seq > coalesce(t.size, 0)), 0),
       coalesce(sum(h.seq - coalesce(t.size, 0)) FILTER (WHERE h.seq > coalesce(t.size, 0)), 0),
       (SELECT max(at) FROM public.audit_checkpoint WHERE tenant_id = %s)
FROM public.audit_head h LEFT JOIN public.audit_tree t USING (tenant_id)
"""
ERRORS = "SELECT tenant_id, error FROM public.audit_tree WHERE error <> '' ORDER BY tenant_id LIMIT 20"


@dataclass(frozen=True)
class Signed:
    """A stored checkpoint: `note` is the signed text, `position` its leaf (from 0) in the platform's tree or None."""

    ledger: UUID
    size: int
    root: bytes
    note: str
    at: dt.datetime
    position: int | None


@dataclass(frozen=True)
class Standing:
    """How far signing is behind: ledgers with unsigned entries, the longest wait in seconds, entries unsigned.

    `last` is the time of the platform's newest signature (None in a tenant's scope or before the first);
    `errors` are the ledgers whose checkpoints are refused, with the reason.
    """

    behind: int
    seconds: float
    entries: int
    last: dt.datetime | None
    errors: tuple[tuple[UUID, str], ...]


def latest(ledger: UUID) -> Signed | None:
    """Return the newest checkpoint of a ledger, None before its first."""
    return _one(LATEST, ledger)


def of_size(ledger: UUID, size: int) -> Signed | None:
    """Return the checkpoint over exactly `size` entries."""
    return _one(EXACT, ledger, size)


def covering(ledger: UUID, seq: int) -> Signed | None:
    """Return the first checkpoint that covers entry `seq`; the entry cannot be changed unseen since its time."""
    return _one(AT_LEAST, ledger, seq)


def gathered(ledger: UUID) -> Signed | None:
    """Return the newest checkpoint of a ledger that is a leaf of the platform's tree."""
    return _one(PLACED, ledger)


def browse(ledger: UUID, before: int | None = None, limit: int = 50) -> list[Signed]:
    """Return checkpoints, newest first, those below `before` entries."""
    with fast.cursor() as cursor:
        rows = cursor.execute(BEFORE, [ledger, before if before is not None else 2**62, limit]).fetchall()
    return [_signed(row) for row in rows]


def every(ledger: UUID, after: int = 0, until: int = 2**62) -> Iterator[Signed]:
    """Return all checkpoints over more than `after` and at most `until` entries, oldest first, in constant memory."""
    while True:
        with fast.cursor() as cursor:
            rows = cursor.execute(AFTER, [ledger, after, until]).fetchall()
        yield from map(_signed, rows)
        if len(rows) < 500:
            return
        after = rows[-1][1]


def standing() -> Standing:
    """Return how far signing is behind, over all ledgers in the platform's scope, of its own in a tenant's."""
    with fast.cursor() as cursor:
        behind, seconds, entries, last = cursor.execute(STANDING, [ROOTS]).fetchone() or (0, 0, 0, None)
        errors = tuple(cursor.execute(ERRORS).fetchall())
    return Standing(behind, max(0.0, float(seconds)), int(entries), last, errors)


def origin_of(ledger: UUID) -> str:
    """Return the name a new tree is signed under: the setting LEDGER_ORIGIN and the ledger's id."""
    return f"{settings.LEDGER_ORIGIN}/{'checkpoints' if ledger == ROOTS else ledger}"


def _one(statement: str, *params: Any) -> Signed | None:
    with fast.cursor() as cursor:
        row = cursor.execute(statement, list(params)).fetchone()
    return _signed(row) if row else None


def _signed(row: tuple[Any, ...]) -> Signed:
    return Signed(row[0], row[1], bytes(row[2]), row[3], row[4], row[5])
