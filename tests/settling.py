"""Waiting until what is committed may be read: transactions anywhere in the cluster hold the edge of the log back."""

from django.db import connections

from apps.core.scope import platform_scope
from tests.events.working import until


def settled() -> None:
    """Wait until everything committed by now is below the edge."""
    here = _number("SELECT pg_current_xact_id()::text")
    until(lambda: _number("SELECT pg_snapshot_xmin(pg_current_snapshot())::text") > here)


def _number(statement: str) -> int:
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])
