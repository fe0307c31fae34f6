"""The connection of the current thread, with the type of our back end."""

from typing import TYPE_CHECKING, cast

from django.db import connections

if TYPE_CHECKING:
    from apps.core.db.base import DatabaseWrapper


def here(alias: str = "default") -> "DatabaseWrapper":
    """Return the connection of this thread by its alias."""
    return cast("DatabaseWrapper", connections[alias])
