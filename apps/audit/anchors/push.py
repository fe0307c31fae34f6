"""Telling the anchors: what was signed since each was last told, without a transaction open while they answer.

Two that push at once do no harm: a place keeps what it is told twice only once, and the position only moves on.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Sequence

from apps.audit.anchors import places
from apps.audit.anchors.contract import Anchor, Batch, Pushed
from apps.audit.merkle import checkpoints, note, tiles
from apps.audit.merkle.checkpoints import Signed
from apps.audit.models import ROOTS, AnchorState
from apps.core.db import fast, loss
from apps.core.ids import NIL
from apps.core.scope import platform_scope

logger = logging.getLogger("aibos.ledger")

PAUSE = 1.0
MOST = 500
LONGEST = 300.0
NEW = """
SELECT tenant_id, size, root, note, at, position FROM public.audit_checkpoint
WHERE position >= %s ORDER BY position LIMIT %s
"""
TOLD = """
INSERT INTO public.audit_anchor (tenant_id, name, position, pushed_at) VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (tenant_id, name) DO UPDATE SET position = greatest(audit_anchor.position, excluded.position),
  pushed_at = excluded.pushed_at, failing_since = NULL, failures = 0, error = ''
"""
HOLDS = """
UPDATE public.audit_tree t SET anchored = t.anchored || jsonb_build_object(%s::text, w.size)
FROM unnest(%s::uuid[], %s::bigint[]) AS w(tenant_id, size)
WHERE t.tenant_id = w.tenant_id AND coalesce((t.anchored->>%s)::bigint, 0) < w.size
"""
FAILED = """
INSERT INTO public.audit_anchor (tenant_id, name, error, failing_since, failures)
VALUES (%s, %s, %s, clock_timestamp(), 1)
ON CONFLICT (tenant_id, name) DO UPDATE SET error = excluded.error, failures = audit_anchor.failures + 1,
  failing_since = coalesce(audit_anchor.failing_since, excluded.failing_since)
"""


class Pusher:
    """Tells every configured anchor; one that fails is asked again after a growing pause, the others go on."""

    def __init__(self, anchors: Sequence[Anchor] | None = None) -> None:
        self._anchors = anchors
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    def run_once(self) -> int:
        """Tell every anchor that is due what it does not know yet; return how many checkpoints were told."""
        return sum(self._tell(anchor) for anchor in self._configured() if self._is_due(anchor))

    def run_forever(self, stop: threading.Event) -> None:
        """Look every second until `stop` is set."""
        while not stop.is_set():
            try:
                self.run_once()
            except loss.ERRORS:
                logger.warning("The pusher of checkpoints lost its database; it tries again.", exc_info=True)
                loss.reset()
            stop.wait(PAUSE)

    def _configured(self) -> Sequence[Anchor]:
        return places.configured() if self._anchors is None else self._anchors

    def _is_due(self, anchor: Anchor) -> bool:
        return self._due.get(anchor.name, 0.0) <= time.monotonic()

    def _tell(self, anchor: Anchor) -> int:
        done = 0
        while batch := _batch(anchor.name):
            new, position = batch
            try:
                anchor.push(new)
            except Exception as error:  # noqa: BLE001 - a place may fail in any way; it is asked again
                self._failed(anchor, error)
                return done
            with platform_scope("ledger: an anchor was told"), fast.cursor() as cursor:
                cursor.execute(TOLD, [NIL, anchor.name, position])
                newest = new.newest()
                held = [[item.ledger for item in newest], [item.size for item in newest]]
                cursor.execute(HOLDS, [anchor.name, *held, anchor.name])
            done += len(new.signed)
            self._failures.pop(anchor.name, None)
            self._due[anchor.name] = time.monotonic() + anchor.every
            if anchor.every:
                break
        return done

    def _failed(self, anchor: Anchor, error: Exception) -> None:
        times = self._failures[anchor.name] = self._failures.get(anchor.name, 0) + 1
        self._due[anchor.name] = time.monotonic() + min(LONGEST, 2.0**times)
        logger.warning("The anchor %s does not take checkpoints: %s", anchor.name, error)
        reason = f"{type(error).__name__}: {error}"[:500]
        with platform_scope("ledger: an anchor failed"), fast.cursor() as cursor:
            cursor.execute(FAILED, [NIL, anchor.name, reason])


def states() -> dict[str, AnchorState]:
    """Return what the platform's anchors have been told, by name; in the platform's scope."""
    return {state.name: state for state in AnchorState.objects.filter(tenant_id=NIL)}


def _batch(name: str) -> tuple[Batch, int] | None:
    """Return what an anchor has not been told, and the position it stands at afterwards; None when it knows all."""
    with platform_scope("ledger: what an anchor does not know"), fast.cursor() as cursor:
        state = AnchorState.objects.filter(tenant_id=NIL, name=name).first()
        position = state.position if state else 0
        rows = cursor.execute(NEW, [position, MOST]).fetchall()
        if not rows:
            return None
        after = rows[-1][5] + 1  # the checkpoints of a closed ledger are gone; their leaves are not
        top = _above(after)
    signed = [Signed(row[0], row[1], bytes(row[2]), row[3], row[4], row[5]) for row in rows]
    return Batch([_pushed(item) for item in signed], _pushed(top)), after


def _above(position: int) -> Signed:
    """Return the first checkpoint of the platform's tree that covers `position` leaves."""
    found = checkpoints.covering(ROOTS, position)
    if found is None:
        msg = f"No checkpoint of the platform's tree covers {position} leaves."
        raise tiles.TilesDamaged(msg)
    return found


def _pushed(item: Signed) -> Pushed:
    def leaves(first: int, end: int) -> bytes:
        with platform_scope("ledger: leaves for an anchor"):
            return b"".join(tiles.leaf_hashes(item.ledger, first, end))

    return Pushed(item.ledger, note.unchecked(item.note).origin, item.size, item.note, leaves)


def age(state: AnchorState, now: dt.datetime) -> float:
    """Return for how many seconds an anchor has been failing; 0 when its last push went well."""
    return (now - state.failing_since).total_seconds() if state.failing_since else 0.0
