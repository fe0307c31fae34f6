"""Jobs of later: kept apart from those that are due, and woken when their moment has come."""

import time

from django.db import connections

AT_ONCE = 200
WAKE = """
UPDATE public.events_job SET asleep = FALSE
WHERE id IN (SELECT id FROM public.events_job
             WHERE state = 'queued' AND asleep AND run_at <= clock_timestamp()
             ORDER BY run_at LIMIT %s FOR UPDATE SKIP LOCKED)
"""
NEXT = """
SELECT extract(epoch FROM min(run_at) - clock_timestamp())::float8
FROM public.events_job WHERE state = 'queued' AND asleep
"""


def wake() -> int:
    """Make due what rested until now, some hundreds at once; return how many. Needs the platform's scope."""
    with connections["default"].cursor() as cursor:
        cursor.execute(WAKE, [AT_ONCE])
        return int(cursor.rowcount)


def seconds_to_next() -> float | None:
    """Return how long the next resting job rests, or None without one. Needs the platform's scope."""
    with connections["default"].cursor() as cursor:
        cursor.execute(NEXT)
        found = cursor.fetchone()[0]
    return None if found is None else max(float(found), 0.0)


class Alarm:
    """Says at most every `pause` seconds that a busy process shall look for resting jobs, too."""

    def __init__(self, pause: float = 0.25) -> None:
        self.pause = pause
        self._last = 0.0

    def rings(self) -> bool:
        """Return whether it is time again."""
        now = time.monotonic()
        if now - self._last < self.pause:
            return False
        self._last = now
        return True
