"""Workers that are gone without a word: on the sweeper's own machine the system knows it before their leases end."""

import os

from django.db import connections

from apps.events.jobs.history import place

RUNNING = """
SELECT id, worker FROM public.events_job
WHERE state = 'running' AND worker LIKE '%%:' || %s AND lease_until >= clock_timestamp()
FOR UPDATE SKIP LOCKED
"""
END_LEASE = """
UPDATE public.events_job SET lease_until = clock_timestamp() - interval '1 millisecond'
WHERE id = %s
"""


def end_leases() -> int:
    """End the leases of this machine's processes that no longer exist; return how many. Needs the platform's scope.

    A number that another process has got since counts as alive: its lease ends by itself. Whatever is decided
    here, the fence guards the effects.
    """
    if not place():
        return 0
    ended = 0
    with connections["default"].cursor() as cursor:
        cursor.execute(RUNNING, [place()])
        for job_id, worker in cursor.fetchall():
            if not _lives(int(worker.split(":")[-3])):
                cursor.execute(END_LEASE, [job_id])
                ended += 1
    return ended


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True
