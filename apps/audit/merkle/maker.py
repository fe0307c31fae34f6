"""Making checkpoints: reads what was chained, checks it once more, grows the tree and signs its root.

It never works in a writer's or the sequencer's transaction. What does not follow from the last signed state is
not signed: the ledger's tree stands still with the reason, the others go on.
"""

import datetime as dt
import logging
import threading
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections
from psycopg import sql

from apps.audit import directory
from apps.audit.chain import link, prefix_of
from apps.audit.merkle import note, tiles
from apps.audit.merkle.checkpoints import origin_of
from apps.audit.merkle.hashing import EMPTY, leaf_hash
from apps.audit.merkle.restart import restart_if_restored
from apps.audit.models import ROOTS
from apps.core.db import fast, loss
from apps.core.ids import NIL
from apps.core.scope import TenantRef, platform_scope, tenant_scope

logger = logging.getLogger("aibos.ledger")

BATCH = 20_000
PAUSE = 1.0
DUE = """
SELECT h.tenant_id FROM public.audit_head h LEFT JOIN public.audit_tree t USING (tenant_id)
WHERE h.seq > coalesce(t.size, 0) AND (t.tenant_id IS NULL OR h.seq - t.size >= %s
      OR t.moved_at <= clock_timestamp() - make_interval(secs => %s))
ORDER BY t.moved_at NULLS FIRST
"""
FIRST = "INSERT INTO public.audit_tree (tenant_id, origin, size, root, link) VALUES (%s, %s, 0, %s, %s) ON CONFLICT DO NOTHING"
LOCK = "SELECT origin, size, link FROM public.audit_tree WHERE tenant_id = %s FOR UPDATE"
HEAD = "SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s"
READ = sql.SQL(
    "SELECT seq, hash, prev, body FROM {entry} WHERE seq > %s AND seq <= %s ORDER BY seq LIMIT {batch}"
)
MOVE = """
UPDATE public.audit_tree SET size = %s, root = %s, link = %s, error = '', moved_at = clock_timestamp()
WHERE tenant_id = %s
"""
KEEP = "INSERT INTO public.audit_checkpoint (tenant_id, size, root, note, at) VALUES (%s, %s, %s, %s, %s)"
FAILED = """
INSERT INTO public.audit_tree (tenant_id, origin, size, root, link, error) VALUES (%s, %s, 0, %s, %s, %s)
ON CONFLICT (tenant_id) DO UPDATE SET error = excluded.error, moved_at = clock_timestamp()
"""
UNGATHERED = """
SELECT tenant_id, size, note FROM public.audit_checkpoint WHERE position IS NULL AND tenant_id <> %s
ORDER BY at, tenant_id, size LIMIT {batch}
"""
PLACE = """
UPDATE public.audit_checkpoint c SET position = p.position
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS p(tenant_id, size, position)
WHERE c.tenant_id = p.tenant_id AND c.size = p.size AND c.position IS NULL
"""


class NotSound(RuntimeError):
    """What stands in the ledger does not follow from what was signed last; it is not signed."""


STOPS: tuple[type[Exception], ...] = (*loss.ERRORS, NotSound, tiles.TilesDamaged)


class Checkpointer:
    """Signs ledgers that have grown, then their checkpoints together in the platform's tree."""

    def __init__(self, batch: int = BATCH) -> None:
        self._batch = batch

    def run_once(self, *, now: bool = False) -> int:
        """Sign every ledger that is due (with `now`: every one that has grown); return how many were signed."""
        entries = 1 if now else settings.LEDGER_CHECKPOINT_ENTRIES
        seconds = 0 if now else settings.LEDGER_CHECKPOINT_SECONDS
        with platform_scope("ledger: which trees are behind"), connections["default"].cursor() as cursor:
            cursor.execute(DUE, [entries, seconds])
            due = [row[0] for row in cursor.fetchall()]
            refs = {key: directory.find(key) for key in due if key != NIL}
        signed = sum(self._sign(key, refs.get(key)) for key in due if key == NIL or refs.get(key))
        self.gather()
        return signed

    def run_forever(self, stop: threading.Event) -> None:
        """Look every second until `stop` is set; a ledger is due by age or by number of entries."""
        while not stop.is_set():
            try:
                restart_if_restored()
                self.run_once()
            except loss.ERRORS:
                logger.warning("The signer of checkpoints lost its database; it tries again.", exc_info=True)
                loss.reset()
            stop.wait(PAUSE)

    def advance(self, ledger: UUID, tenant: TenantRef | None) -> int:
        """Grow one ledger's tree to its end and sign it; return its size. Raises NotSound.

        In steps of one transaction each, every one signed; waits for another signer of the same ledger.
        """
        while True:
            scope = tenant_scope(tenant) if tenant else platform_scope("ledger: checkpoint")
            with scope, fast.cursor() as cursor:
                size, read = self._step(cursor, ledger, tenant)
            if read < self._batch:
                return size

    def gather(self) -> int:
        """Append new checkpoints to the platform's tree and sign it; return how many were new."""
        done = 0
        with platform_scope("ledger: gather checkpoints"), fast.cursor() as cursor:
            origin, size, _ = _locked(cursor, ROOTS)
            rows = cursor.execute(
                sql.SQL(UNGATHERED).format(batch=sql.Literal(self._batch)), [ROOTS]
            ).fetchall()
            if rows:
                leaves = [leaf_hash(note.unchecked(row[2]).text().encode()) for row in rows]
                places = list(range(size, size + len(rows)))
                cursor.execute(PLACE, [[row[0] for row in rows], [row[1] for row in rows], places])
                done = len(rows)
                tiles.append(ROOTS, size, leaves)
                _keep(cursor, ROOTS, origin, size + done, b"")
        return done

    def _sign(self, ledger: UUID, tenant: TenantRef | None) -> int:
        try:
            self.advance(ledger, tenant)
        except STOPS as error:
            if loss.is_lost(error):
                raise
            logger.error("The ledger %s is not signed: %s", ledger, error)  # noqa: TRY400 - the text says all
            with platform_scope("ledger: report what is not signed"), fast.cursor() as cursor:
                reason = f"{type(error).__name__}: {error}"[:500]
                cursor.execute(FAILED, [ledger, origin_of(ledger), EMPTY, bytes(32), reason])
            return 0
        return 1

    def _step(self, cursor: Any, ledger: UUID, tenant: TenantRef | None) -> tuple[int, int]:
        origin, size, last = _locked(cursor, ledger)
        entry = sql.Identifier(tenant.schema if tenant else "public", "audit_entry")
        end, digest = cursor.execute(HEAD, [ledger]).fetchone() or (0, bytes(32))
        if end < size:
            raise NotSound(f"The head says {end} entries, {size} were signed: the end was cut off.")
        rows = cursor.execute(
            READ.format(entry=entry, batch=sql.Literal(self._batch)), [size, end], binary=True
        ).fetchall()
        if len(rows) < min(self._batch, end - size):
            raise NotSound(f"Of the entries {size + 1} to {end} some are missing.")
        if not rows:
            return size, 0
        leaves, last = _checked(ledger, rows, size, last)
        if size + len(rows) == end and last != bytes(digest):
            raise NotSound(f"Entry {end} is not the one the head names.")
        tiles.append(ledger, size, leaves)
        _keep(cursor, ledger, origin, size + len(rows), last)
        return size + len(rows), len(rows)


def _locked(cursor: Any, ledger: UUID) -> tuple[str, int, bytes]:
    row = cursor.execute(LOCK, [ledger]).fetchone()
    if row is None:
        cursor.execute(FIRST, [ledger, origin_of(ledger), EMPTY, bytes(32)])
        row = cursor.execute(LOCK, [ledger]).fetchone()
    return row[0], row[1], bytes(row[2])


def _checked(ledger: UUID, rows: list[Any], size: int, last: bytes) -> tuple[list[bytes], bytes]:
    """Return the leaves of rows that continue the chain from `last`; refuse to vouch for anything else."""
    prefix, leaves = prefix_of(ledger), []
    for expected, (seq, digest, prev, body) in enumerate(rows, size + 1):
        if seq != expected:
            raise NotSound(f"Entry {expected} is missing; {seq} stands in its place.")
        if prev != last or link(prefix, seq, prev, body) != digest:
            raise NotSound(f"Entry {seq} does not follow from what was signed before it.")
        leaves.append(leaf_hash(body))
        last = digest
    return leaves, last


def _keep(cursor: Any, ledger: UUID, origin: str, size: int, last: bytes) -> None:
    root = tiles.roots(ledger, [(0, size)])[0]
    made = note.Checkpoint(origin, size, root, dt.datetime.now(dt.UTC), last)
    cursor.execute(KEEP, [ledger, size, root, note.sign(made), made.at])
    cursor.execute(MOVE, [size, root, last or bytes(32), ledger])


def sign_now(tenant: TenantRef | None) -> int:
    """Sign one ledger (None: the platform's) as it stands and gather it; return its size. Outside any scope.

    Raises NotSound when it does not follow from what was signed last.
    """
    maker = Checkpointer()
    size = maker.advance(directory.key_of(tenant), tenant)
    maker.gather()
    return size
