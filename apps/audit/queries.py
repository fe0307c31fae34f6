"""Reading the ledger: history of one thing, the browser's pages, and lag."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql

from apps.audit.sealing import opened
from apps.audit.types import LedgerEntry, Page, read_entry
from apps.core.db import fast
from apps.core.errors import Invalid
from apps.core.scope import current_scope

MOST = 200
SLACK = dt.timedelta(seconds=1)
# One statement, so one snapshot: an entry that is being chained shows up exactly once.
READ = sql.SQL("""
SELECT body, seq, hash FROM (
  (SELECT body, seq, hash, id AS entry_id FROM {entry} WHERE {chained} ORDER BY id DESC LIMIT {limit})
  UNION ALL
  (SELECT body, NULL, NULL, entry_id FROM public.audit_pending WHERE {pending} ORDER BY entry_id DESC LIMIT {limit})
) AS both_kinds ORDER BY entry_id DESC LIMIT {limit}
""")
LAG = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0) FROM public.audit_pending
"""
BROKEN = "SELECT tenant_id, error FROM public.audit_head WHERE error <> '' ORDER BY tenant_id LIMIT 20"


@dataclass(frozen=True)
class Filters:
    """What the ledger browser may ask for; all given ones must hold. `action` may end with `.*`."""

    action: str = ""
    actor: str = ""
    target: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None


@dataclass(frozen=True)
class Lag:
    """How far the chain is behind the facts: rows waiting, age of the oldest in seconds, ledgers at rest."""

    waiting: int
    seconds: float
    broken: tuple[tuple[UUID, str], ...] = ()


def history(target: str, limit: int = 50, before: str | None = None) -> tuple[LedgerEntry, ...]:
    """Return what happened to `target` in the scope's ledger, newest first; `before` is the id of an entry."""
    return browse(Filters(target=target), cursor=before, limit=limit).entries


def browse(filters: Filters, cursor: str | None = None, limit: int = 50) -> Page:
    """Return a page of the scope's ledger, chained and waiting entries, newest first.

    `cursor` is what the page before gave as `next`.
    """
    limit = max(1, min(limit, MOST))
    rows = _read(filters, cursor, limit + 1)
    entries = _entries(rows[:limit])
    return Page(entries, str(entries[-1].id) if len(rows) > limit else None)


def entry(entry_id: UUID) -> LedgerEntry | None:
    """Return one entry of the scope's ledger, chained or waiting."""
    name = _table()
    statement = sql.SQL(
        "SELECT body, seq, hash FROM {entry} WHERE id = %s UNION ALL"
        " SELECT body, NULL, NULL FROM public.audit_pending WHERE entry_id = %s AND {ours}"
    ).format(entry=name, ours=_ours())
    with fast.cursor() as cursor:
        row = cursor.execute(statement, [entry_id, entry_id]).fetchone()
    return _entries([row])[0] if row else None


def lag() -> Lag:
    """Return the lag of all ledgers in the platform's scope, of the tenant's own in a tenant's."""
    with fast.cursor() as cursor:
        waiting, seconds = cursor.execute(LAG).fetchone() or (0, 0)
        broken = cursor.execute(BROKEN).fetchall()
    return Lag(waiting, max(0.0, float(seconds)), tuple((key, error) for key, error in broken))


def _entries(rows: Sequence[tuple[Any, ...]]) -> tuple[LedgerEntry, ...]:
    """Return the entries of (body, seq, hash), what is sealed opened as far as its keys still exist."""
    values = opened([bytes(row[0]) for row in rows])
    return tuple(read_entry(value, row[1], row[2]) for value, row in zip(values, rows, strict=True))


def _read(filters: Filters, cursor: str | None, limit: int) -> Sequence[tuple[Any, ...]]:
    chained = _Where("id", "actor", "at")
    pending = _Where("entry_id", None, None)
    statement = READ.format(
        entry=_table(),
        chained=chained.clause(filters, cursor, sql.SQL("TRUE")),
        pending=pending.clause(filters, cursor, _ours()),
        limit=sql.Literal(limit),
    )
    with fast.cursor() as db:
        return db.execute(statement, [*chained.params, *pending.params]).fetchall()


class _Where:
    """The conditions on one of the two tables; what a table has no column for is taken from the body."""

    def __init__(self, key: str, actor: str | None, at: str | None) -> None:
        self.params: list[Any] = []
        self._key = sql.Identifier(key)
        body = "convert_from(body, 'UTF8')::json"
        self._actor = sql.SQL(actor or f"({body}->'actor'->>'kind') || ':' || ({body}->'actor'->>'id')")
        self._at = sql.SQL(at or f"({body}->>'at')::timestamptz")

    def clause(self, filters: Filters, cursor: str | None, first: sql.Composable) -> sql.Composed:
        parts = [first]
        if filters.target:
            parts.append(self._is(sql.SQL("target = %s"), filters.target))
        if filters.action.endswith(".*"):
            parts.append(self._is(sql.SQL("starts_with(action, %s)"), filters.action[:-1]))
        elif filters.action:
            parts.append(self._is(sql.SQL("action = %s"), filters.action))
        if filters.actor:
            parts.append(self._is(sql.SQL("{} = %s").format(self._actor), filters.actor))
        if filters.since:
            parts.append(self._is(sql.SQL("{} >= %s").format(self._key), _floor(filters.since, -SLACK)))
            parts.append(self._is(sql.SQL("{} >= %s").format(self._at), filters.since))
        if filters.until:
            parts.append(self._is(sql.SQL("{} < %s").format(self._key), _floor(filters.until, SLACK)))
            parts.append(self._is(sql.SQL("{} < %s").format(self._at), filters.until))
        if cursor:
            parts.append(self._is(sql.SQL("{} < %s").format(self._key), _cursor(cursor)))
        return sql.SQL(" AND ").join(parts)

    def _is(self, condition: sql.Composable, value: Any) -> sql.Composable:
        self.params.append(value)
        return condition


def _floor(at: dt.datetime, slack: dt.timedelta) -> UUID:
    """Return the smallest UUIDv7 of that time, so that the index on ids narrows a range of time."""
    return UUID(int=max(0, int((at + slack).timestamp() * 1000)) << 80)


def _cursor(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid("The cursor is not one this list gave out.", code="INVALID_CURSOR") from error


def _table() -> sql.Identifier:
    tenant = current_scope().tenant
    return sql.Identifier(tenant.schema if tenant else "public", "audit_entry")


def _ours() -> sql.Composable:
    tenant = current_scope().tenant
    return (
        sql.SQL("tenant_id = {}").format(sql.Literal(tenant.id)) if tenant else sql.SQL("tenant_id IS NULL")
    )
