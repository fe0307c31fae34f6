"""Where each reader of the log stands: after a transaction id and, within that transaction, an event's id.

Transaction ids belong to one cluster. A database restored elsewhere carries ids that mean nothing there: the first
reader that notices gives all kept events the lowest id (they keep their order, which is in their own ids) and sends
every reader back to the start; what has been handled is passed over by the inbox.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import connections

from apps.core.ids import NIL

FIND = """
SELECT xid::text, id, cluster, (SELECT system_identifier FROM pg_control_system())
FROM public.events_position WHERE consumer = %s
"""
START = """
INSERT INTO public.events_position (consumer, bus, xid, id, cluster)
SELECT %s, %s, %s::xid8, %s, system_identifier FROM pg_control_system() ON CONFLICT DO NOTHING
"""
# Whoever lost its lock in the meantime must not move the position of its successor.
MOVE = """
UPDATE public.events_position SET xid = %s::xid8, id = %s, moved_at = clock_timestamp()
WHERE consumer = %s AND xid = %s::xid8 AND id = %s
"""
RENUMBER = "UPDATE public.events_outbox SET xid = '3' WHERE xid <> '3'"
REWIND = """
UPDATE public.events_position SET xid = '0', id = %s, cluster = (SELECT system_identifier FROM pg_control_system())
"""
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('events:another cluster', 0))"


@dataclass(frozen=True, order=True)
class Position:
    """A place in the log; what comes after it is greater."""

    xid: int
    id: UUID


BEGINNING = Position(0, NIL)


def of(consumer: str, *, bus: str) -> Position:
    """Return where `consumer` stands, at the beginning when it is new; needs the platform's scope."""
    with connections["default"].cursor() as cursor:
        cursor.execute(FIND, [consumer])
        row = cursor.fetchone()
        if row is None:
            cursor.execute(START, [consumer, bus, "0", NIL])
            return BEGINNING
        xid, event_id, cluster, here = row
        if cluster == here:
            return Position(int(xid), event_id)
        cursor.execute(ONE_AT_A_TIME)
        cursor.execute(FIND, [consumer])
        if cursor.fetchone()[2] != here:
            cursor.execute(RENUMBER)
            cursor.execute(REWIND, [NIL])
    return of(consumer, bus=bus)


def move(consumer: str, *, since: Position, to: Position) -> bool:
    """Move `consumer` on; return False when somebody else has moved it. Needs the platform's scope.

    Not waiting for the disk: a position that is lost in a crash is an earlier one, and the inbox knows the rest.
    """
    with connections["default"].cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(MOVE, [str(to.xid), to.id, consumer, str(since.xid), since.id])
        return bool(cursor.rowcount)


def forget(consumer: str) -> bool:
    """Remove a reader that will not come back, so that the log need not keep events for it."""
    with connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM public.events_position WHERE consumer = %s", [consumer])
        return bool(cursor.rowcount)
