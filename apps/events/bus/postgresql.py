"""The bus that needs no other server: the log is read where it was written."""

import threading
from collections.abc import Sequence
from typing import ClassVar

from django.db import connections

from apps.core.health import Finding
from apps.core.scope import platform_scope
from apps.events import reader
from apps.events.bus.contract import Handle, Lag, Message
from apps.events.reader import Reader
from apps.events.wake import bell

PUBLISH = """
INSERT INTO public.events_outbox (id, tenant_id, type, subject, body) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


class PostgresBus:
    """Reads the log; a group is a named position in it."""

    name: ClassVar[str] = "postgresql"
    is_log: ClassVar[bool] = True

    def publish(self, batch: Sequence[Message]) -> None:
        """Write what the log does not hold yet; events that were emitted here are in it already."""
        rows = [(item.id, item.tenant_id, item.type, item.subject, item.body) for item in batch]
        with platform_scope("events: publish"), connections["default"].cursor() as cursor:
            cursor.executemany(PUBLISH, rows)
        bell.ring()

    def consume(self, group: str, handle: Handle, stop: threading.Event) -> None:
        """Hand every event to the group until `stop` is set; any number of processes may, one does at a time."""
        Reader(group, handle, bus=self.name).run(stop)

    def drain(self, group: str, handle: Handle) -> int:
        """Hand over what is settled now."""
        return Reader(group, handle, bus=self.name).drain()

    def lag(self, group: str) -> Lag:
        """Return how far the group is behind."""
        return reader.lag(group, bus=self.name)

    def health(self) -> Finding:
        """The log is as healthy as the database that holds it."""
        with platform_scope("events: health of the bus"), connections["default"].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM public.events_position WHERE bus = %s", [self.name])
            (groups,) = cursor.fetchone()
        return Finding("ok", f"PostgreSQL carries the events to {groups} groups.", {"bus_groups": groups})

    def close(self) -> None:
        """Nothing is kept open between calls."""
