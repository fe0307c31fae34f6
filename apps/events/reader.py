"""Reading the log: one reader per name, in the order of transactions, nothing passed over.

A row may be read once no transaction with a lower id can still appear: `xid < xmin` of the snapshot. A reader that
goes by the events' ids loses those of slow transactions.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from django.db import connections

from apps.core.db import loss
from apps.core.scope import platform_scope
from apps.events import positions
from apps.events.bus.contract import Lag, Message
from apps.events.positions import Position
from apps.events.wake import Ear

logger = logging.getLogger("aibos.events")

BATCH = 500
FAST, SLOW = 0.02, 0.25
ROOM = 100_000  # lag is counted no further

SETTLED = """
SELECT xid::text, id, tenant_id, type, subject, body FROM public.events_outbox
WHERE (xid, id) > (%s::xid8, %s) AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xid, id LIMIT %s
"""
BEHIND = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0) FROM (
  SELECT written_at FROM public.events_outbox WHERE (xid, id) > (%s::xid8, %s) ORDER BY xid, id LIMIT %s) AS behind
"""


class Reader:
    """Hands the log to `handle` in batches; the position moves when `handle` has returned."""

    def __init__(
        self, name: str, handle: Callable[[Sequence[Message]], None], *, bus: str, batch: int = BATCH
    ) -> None:
        self.name = name
        self._handle = handle
        self._bus = bus
        self._batch = batch
        self._ear = Ear()

    def turn(self) -> int:
        """Hand over one batch; return how many events it had, 0 also while another process reads."""
        with self._ear.alone(self.name) as mine:
            return self._advance() if mine else 0

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set: at once when the bell rings, every 20 to 250 ms without it."""
        pause = FAST
        try:
            while not stop.is_set():
                try:
                    done = self.turn()
                    pause = FAST if done else min(max(pause, FAST) * 2, SLOW)
                    pause = 0.0 if done >= self._batch else pause
                except loss.ERRORS as error:
                    if not loss.is_lost(error):
                        raise
                    logger.warning("%s lost its database; it tries again.", self.name, exc_info=True)
                    loss.reset()
                    self._ear.close()
                    pause = 1.0
                if pause and self._ear.wait(pause, stop):
                    pause = 0.0
        finally:
            self.close()

    def drain(self) -> int:
        """Read until nothing more is settled; return how many events were handed over."""
        total = 0
        try:
            while done := self.turn():
                total += done
        finally:
            self.close()
        return total

    def close(self) -> None:
        """Give the reader's own connection back; the next turn opens another."""
        self._ear.close()

    def _advance(self) -> int:
        with platform_scope("events: read the log"), connections["default"].cursor() as cursor:
            since = positions.of(self.name, bus=self._bus)
            cursor.execute(SETTLED, [str(since.xid), since.id, self._batch])
            rows = cursor.fetchall()
        if not rows:
            return 0
        self._handle([Message(row[1], row[2], row[3], row[4], bytes(row[5])) for row in rows])
        with platform_scope("events: move the position"):
            positions.move(self.name, since=since, to=Position(int(rows[-1][0]), rows[-1][1]))
        return len(rows)


def lag(name: str, *, bus: str) -> Lag:
    """Return how far the reader is behind what has been written; needs no scope."""
    with platform_scope("events: lag"), connections["default"].cursor() as cursor:
        since = positions.of(name, bus=bus)
        cursor.execute(BEHIND, [str(since.xid), since.id, ROOM])
        events, seconds = cursor.fetchone()
    return Lag(events, max(0.0, float(seconds)))
