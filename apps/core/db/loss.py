"""Telling a lost database from a refused statement; both come as errors of psycopg or of Django."""

from typing import Any

import psycopg
from django import db

ERRORS: tuple[type[Exception], ...] = (db.Error, psycopg.Error)


def is_lost() -> bool:
    """Return whether this thread's connection is gone, rather than one statement refused."""
    raw: Any = db.connections["default"].connection
    return raw is None or bool(raw.closed)


def reset() -> None:
    """Give up a broken connection, so that the next scope opens another."""
    db.connections["default"].close()
