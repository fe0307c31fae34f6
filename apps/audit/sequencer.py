"""The sequencer: links what has been committed, ledger by ledger, in the order of transactions.

A row may be linked once no transaction with a lower id can still appear: `xid < xmin` of the snapshot. So no
writer waits for another, nothing is skipped, and the order is the same for whoever looks. Reading, linking,
deleting and moving the head are one transaction under the head's lock: killed anywhere, it leaves nothing.
A waiting row never moves (nobody may update it), so it is removed by its place and needs no key of its own.
"""

import datetime as dt
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connections
from psycopg import sql

from apps.audit import directory
from apps.audit.chain import link, prefix_of
from apps.core.db import fast, loss
from apps.core.ids import NIL
from apps.core.scope import TenantRef, platform_scope, tenant_scope

logger = logging.getLogger("aibos.ledger")

BATCH = 2000
FAST, SLOW, REST = 0.02, 0.25, 4
PENANCE = 5.0

WAITING = """
WITH RECURSIVE ledger AS (
  (SELECT tenant_id FROM public.audit_pending WHERE tenant_id IS NOT NULL ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT p.tenant_id FROM public.audit_pending p WHERE p.tenant_id > ledger.tenant_id
          ORDER BY p.tenant_id LIMIT 1)
  FROM ledger WHERE ledger.tenant_id IS NOT NULL)
SELECT tenant_id FROM ledger WHERE tenant_id IS NOT NULL
UNION ALL
SELECT NULL WHERE EXISTS (SELECT 1 FROM public.audit_pending WHERE tenant_id IS NULL)
"""
HEAD = "SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s FOR UPDATE SKIP LOCKED"
FIRST_HEAD = "INSERT INTO public.audit_head (tenant_id, seq, hash) VALUES (%s, 0, %s) ON CONFLICT DO NOTHING"
# A visible row from beyond the snapshot can only come from another cluster (a restored dump): nothing to wait for.
SETTLED = sql.SQL("""
SELECT ctid::text, body, written_at FROM public.audit_pending
WHERE tenant_id {is_ledger} AND (xid < pg_snapshot_xmin(pg_current_snapshot())
                                 OR xid >= pg_snapshot_xmax(pg_current_snapshot()))
ORDER BY xid, id LIMIT {batch}
""")
MOVE = sql.SQL("""
WITH link AS (
  SELECT * FROM unnest(%s::tid[], %s::bigint[], %s::bytea[], %s::bytea[], %s::text[], %s::timestamptz[])
           AS link(place, seq, hash, prev, actor, at)),
gone AS (
  DELETE FROM public.audit_pending WHERE ctid = ANY(%s::tid[])
  RETURNING ctid AS place, entry_id, action, target, body)
INSERT INTO {entry} (seq, hash, prev, body, id, action, target, actor, at)
SELECT link.seq, link.hash, link.prev, gone.body, gone.entry_id, gone.action, gone.target, link.actor, link.at
FROM link JOIN gone USING (place)
""")
NEW_HEAD = """
UPDATE public.audit_head SET seq = %s, hash = %s, error = '', moved_at = clock_timestamp() WHERE tenant_id = %s
"""
BROKEN = """
INSERT INTO public.audit_head (tenant_id, seq, hash, error) VALUES (%s, 0, %s, %s)
ON CONFLICT (tenant_id) DO UPDATE SET error = excluded.error
"""


class LedgerBroken(RuntimeError):
    """A ledger that cannot be continued; the others go on."""


STOPS: tuple[type[Exception], ...] = (*loss.ERRORS, LedgerBroken)


@dataclass
class Links:
    """The columns of one batch, in order, as the statement wants them."""

    places: list[str]
    seqs: list[int]
    hashes: list[bytes]
    prevs: list[bytes]
    actors: list[str]
    times: list[dt.datetime]


class Sequencer:
    """Links all ledgers; keeps broken ones aside for `PENANCE` seconds so that they cost the others nothing."""

    def __init__(self, batch: int = BATCH) -> None:
        self._batch = batch
        self._shunned: dict[UUID, float] = {}

    def run_once(self) -> int:
        """Give every waiting ledger one turn of at most `batch` entries; return how many were linked."""
        now = time.monotonic()
        with platform_scope("ledger: which ledgers wait"), connections["default"].cursor() as cursor:
            cursor.execute(WAITING)
            waiting = [row[0] for row in cursor.fetchall()]
            refs = {key: directory.find(key) for key in waiting if key is not None}
        done = 0
        for tenant_id in waiting:
            key = tenant_id or NIL
            if self._shunned.get(key, 0.0) > now:
                continue
            try:
                done += self._advance(tenant_id, refs.get(tenant_id))
                self._shunned.pop(key, None)
            except STOPS as error:
                if loss.is_lost(error):
                    raise
                self._shunned[key] = now + PENANCE
                self._report(key, error)
        return done

    def run_forever(self, stop: threading.Event) -> None:
        """Link until `stop` is set, asking every 20 to 250 ms.

        It rests four times as long as it worked, so that larger portions come together under load and the
        writers keep the machine; a full portion means a backlog, and there is no rest.
        """
        pause = FAST
        while not stop.is_set():
            start = time.monotonic()
            try:
                done = self.run_once()
                worked = time.monotonic() - start
                pause = min(max(FAST, REST * worked), SLOW) if done else min(pause * 2, SLOW)
                pause = 0.0 if done >= self._batch else pause
            except loss.ERRORS:
                logger.warning("The sequencer lost its database; it tries again.", exc_info=True)
                loss.reset()
                pause = 1.0
            stop.wait(pause)

    def _advance(self, tenant_id: UUID | None, ref: TenantRef | None) -> int:
        if tenant_id is not None and ref is None:
            msg = f"Entries wait for the ledger of {tenant_id}, but there is no such tenant."
            raise LedgerBroken(msg)
        scope = tenant_scope(ref) if ref else platform_scope("ledger: sequencer")
        with scope, fast.cursor() as cursor:
            head = self._lock_head(cursor, tenant_id or NIL)
            if head is None:
                return 0
            rows = cursor.execute(_settled(tenant_id, self._batch)).fetchall()
            if not rows:
                return 0
            links = _chain(tenant_id or NIL, head, rows)
            columns = [
                links.places,
                links.seqs,
                links.hashes,
                links.prevs,
                links.actors,
                links.times,
                links.places,
            ]
            cursor.execute(
                MOVE.format(entry=sql.Identifier(ref.schema if ref else "public", "audit_entry")), columns
            )
            if cursor.rowcount != len(rows):
                msg = f"{len(rows)} entries were to be linked, {cursor.rowcount} were."
                raise LedgerBroken(msg)
            cursor.execute(NEW_HEAD, [links.seqs[-1], links.hashes[-1], tenant_id or NIL])
        return len(rows)

    def _lock_head(self, cursor: Any, key: UUID) -> tuple[int, bytes] | None:
        head = cursor.execute(HEAD, [key]).fetchone()
        if head is None:
            cursor.execute(FIRST_HEAD, [key, bytes(32)])
            if cursor.rowcount:
                head = cursor.execute(HEAD, [key]).fetchone()
        return head

    def _report(self, key: UUID, error: Exception) -> None:
        logger.error("The ledger %s stands still: %s", key, error)
        with platform_scope("ledger: report a broken ledger"), connections["default"].cursor() as cursor:
            cursor.execute(BROKEN, [key, bytes(32), f"{type(error).__name__}: {error}"[:500]])


def _settled(tenant_id: UUID | None, batch: int) -> sql.Composed:
    is_ledger = sql.SQL("IS NULL") if tenant_id is None else sql.SQL("= {}").format(sql.Literal(tenant_id))
    return SETTLED.format(is_ledger=is_ledger, batch=sql.Literal(batch))


def _chain(ledger: UUID, head: tuple[int, bytes], rows: list[tuple[str, bytes, dt.datetime]]) -> Links:
    links = Links([], [], [], [], [], [])
    prefix = prefix_of(ledger)
    seq, prev = head
    for place, body, written_at in rows:
        seq += 1
        digest = link(prefix, seq, prev, body)
        actor, at = _columns(body, written_at)
        links.places.append(place)
        links.seqs.append(seq)
        links.hashes.append(digest)
        links.prevs.append(prev)
        links.actors.append(actor)
        links.times.append(at)
        prev = digest
    return links


def _columns(body: bytes, written_at: dt.datetime) -> tuple[str, dt.datetime]:
    """Return actor and time as the body says; bytes that say neither are linked too and found by `verify`."""
    try:
        values = orjson.loads(body)
        actor = values["actor"]
        return f"{actor['kind']}:{actor['id']}", dt.datetime.fromisoformat(values["at"])
    except (ValueError, KeyError, TypeError):
        return "unreadable", written_at


_here = Sequencer()


def run_once() -> int:
    """Give every waiting ledger one turn; return how many entries were linked."""
    return _here.run_once()


def run_until_empty(limit: int = 1000) -> int:
    """Take turns until nothing more can be linked now; return how many entries were."""
    total = 0
    for _ in range(limit):
        done = _here.run_once()
        total += done
        if not done:
            break
    return total
