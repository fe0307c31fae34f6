"""Telling a lost database from a refused statement; both come as errors of psycopg or of Django."""

from typing import Any

import psycopg
from django import db

ERRORS: tuple[type[Exception], ...] = (db.Error, psycopg.Error)
# The server ends the connection: an administrator, a crash, a start under way, an idle transaction or session.
ENDED = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"})
CONNECTION = "08"  # the class of SQLSTATEs about connections


def is_lost(error: BaseException) -> bool:
    """Return whether the error is that this thread's connection is gone, rather than one statement refused.

    The error is asked first: when it arrives here, Django may have opened another connection already.
    """
    found = error if isinstance(error, psycopg.Error) else error.__cause__
    if isinstance(found, psycopg.Error):
        state = found.sqlstate
        if state is None and isinstance(found, psycopg.OperationalError):
            return True  # the driver's own: nobody answered, or the line is broken
        if state is not None and (state in ENDED or state.startswith(CONNECTION)):
            return True
    raw: Any = db.connections["default"].connection
    return raw is None or bool(raw.closed)


def reset() -> None:
    """Give up a broken connection, so that the next scope opens another."""
    db.connections["default"].close()
