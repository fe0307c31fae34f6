"""Counts the statements that reach the database, whoever sends them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from apps.core.scope import ENTER


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect every statement of this thread; entering a scope, which travels with the first one, is left out.

    Bells of other threads ring beside the request.
    """
    here = threading.get_ident()
    seen: list[str] = []
    real = psycopg.Cursor.execute

    def execute(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        if query is not ENTER and threading.get_ident() == here:
            seen.append(query if isinstance(query, str) else repr(query)[:2000])
        return real(self, query, *args, **more)

    psycopg.Cursor.execute = execute  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        psycopg.Cursor.execute = real  # type: ignore[method-assign]
