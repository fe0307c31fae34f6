"""Reading the log of one tenant's events from a place, in the order of commits, bounded by what is settled.

    here = log.now(tenant)                        # the place after everything that is settled
    page = log.after(tenant, here, limit=100)     # page.events, page.place (where to go on), page.more

A place is `(xid, id)`. Nothing of a transaction still under way is passed over: reading ends at the snapshot's
xmin, and so does the place of a page that found nothing more.
"""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from psycopg.sql import SQL

from apps.core.db import fast
from apps.core.ids import NIL
from apps.core.scope import TenantRef
from apps.events.types import Event

MOST = 500
LAST = (1 << 74) - 1  # the random bits of a UUIDv7, all set
EDGE = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text, clock_timestamp()"
AFTER = SQL("""
WITH edge AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS low)
SELECT edge.low::text, clock_timestamp(), found.xid::text, found.id, found.body
FROM edge LEFT JOIN LATERAL (
  SELECT o.xid, o.id, o.body FROM public.events_outbox o
  WHERE o.tenant_id = %s AND (o.xid, o.id) > (%s::text::xid8, %s) AND o.xid < edge.low
    AND (%s::text IS NULL OR o.subject = %s) AND (%s::text IS NULL OR starts_with(o.subject, %s))
  ORDER BY o.xid, o.id LIMIT %s) found ON true
ORDER BY found.xid, found.id
""")
NEWS = """
WITH edge AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS low)
SELECT edge.low::text, ARRAY(
  SELECT DISTINCT o.tenant_id FROM public.events_outbox o
  WHERE (o.xid, o.id) >= (%s::text::xid8, %s) AND o.xid < edge.low AND o.tenant_id IS NOT NULL)
FROM edge
"""


@dataclass(frozen=True, order=True)
class Place:
    """Between two events of the log; `id` is the event before it, or stands for a moment."""

    xid: int
    id: UUID

    @property
    def time(self) -> dt.datetime:
        """When the event before this place was written."""
        return dt.datetime.fromtimestamp((self.id.int >> 80) / 1000, dt.UTC)


@dataclass(frozen=True)
class Page:
    """Events after a place, each with its own place. `more` tells that the page is full."""

    events: tuple[Event, ...]
    places: tuple[Place, ...]
    place: Place
    more: bool


def settled(xmin: int, moment: dt.datetime) -> Place:
    """Return the place after everything below `xmin`, as seen at `moment`."""
    millis = int(moment.timestamp() * 1000)
    return Place(xmin - 1, UUID(int=(millis << 80) | (7 << 76) | LAST))


def now(tenant: TenantRef) -> Place:
    """Return the place after everything that is settled; what is committed later lies behind it."""
    xmin, moment = fast.read(tenant, EDGE).rows[0]
    return settled(int(xmin), moment)


def lowest_since(moment: dt.datetime) -> int | None:
    """Return the lowest transaction among the events written since then; None when there are none.

    Needs the platform's scope.
    """
    edge = UUID(int=int(moment.timestamp() * 1000) << 80)
    with fast.cursor() as cursor:
        found = cursor.execute("SELECT min(xid)::text FROM public.events_outbox WHERE id >= %s", [edge])
        lowest = (found.fetchone() or (None,))[0]
    return None if lowest is None else int(lowest)


def news(floor: int) -> tuple[int, set[UUID]]:
    """Return the tenants with settled events of transactions from `floor` on, and the floor to ask from next.

    Needs the platform's scope.
    """
    with fast.cursor() as cursor:
        low, tenants = cursor.execute(NEWS, [str(floor), NIL]).fetchone() or ("0", [])
    return int(low), set(tenants)


def after(
    tenant: TenantRef, place: Place, *, limit: int, subject: str | None = None, prefix: str | None = None
) -> Page:
    """Return at most `limit` settled events after `place`; `subject` names one thing, `prefix` begins its name.

    In one round trip outside a scope.
    """
    wanted = min(limit, MOST)
    params = [tenant.id, str(place.xid), place.id, subject, subject, prefix, prefix, wanted]
    rows = fast.read(tenant, AFTER, params).rows
    found = [row for row in rows if row[2] is not None]
    places = tuple(Place(int(row[2]), row[3]) for row in found)
    more = len(found) == wanted
    end = places[-1] if more else max(place, settled(int(rows[0][0]), rows[0][1]))
    return Page(tuple(Event.read(bytes(row[4])) for row in found), places, end, more)
