"""The history of a job's attempts: one value per claim, kept in the job's own row."""

import hashlib
import os
import socket
import threading
from functools import cache
from pathlib import Path

from psycopg import sql

KEPT = 50
CAUSE_ROOM = 2000
# Inside an UPDATE of events_job: columns mean the row before. The oldest give way, so that no row grows for ever.
_APPEND = sql.SQL("""
attempts = CASE WHEN jsonb_array_length({job}attempts) >= {kept} THEN {job}attempts - 0 ELSE {job}attempts END
  || jsonb_build_object('number', {job}fence, 'started', {job}started_at, 'ended', clock_timestamp(),
                        'state', {state}::text, 'cause', left({cause}, {room}), 'worker', {job}worker)
""")


def append(*, state: str, cause: str, job: str = "") -> sql.Composed:
    """Return the assignment that adds the attempt that ends now; the arguments are SQL expressions.

    The value: `{number (the claim's fence), started, ended, state (what the job became), cause, worker}`.
    """
    words = {"job": sql.SQL(job), "state": sql.SQL(state), "cause": sql.SQL(cause)}
    return _APPEND.format(kept=sql.Literal(KEPT), room=sql.Literal(CAUSE_ROOM), **words)


def me() -> str:
    """Return who works here, as `host:process:thread:place`."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}:{place()}"


@cache
def place() -> str:
    """Return where numbers of processes mean the same: this boot of this machine and this container, else nothing."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        inside = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
    return hashlib.sha256(f"{boot}{inside}".encode()).hexdigest()[:12]
