"""Reads of one statement in one round trip: scope, clock and query share one implicit transaction.

Measured on one connection: BEGIN + settings + query + COMMIT takes 766 µs, this 194 µs. The settings end at
the pipeline's sync, so the connection is clean again, behind a transaction pooler as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql

from apps.core.ids import NIL
from apps.core.scope import ENTER, PLATFORM, ScopeConflict, ScopeMissing, TenantRef, search_path


@dataclass(frozen=True)
class FastRead:
    """The rows and the clocks they were read at; with a newer clock than the caller's caches, ask again."""

    rows: list[tuple[Any, ...]]
    clock: int
    platform_clock: int


def read(
    tenant: TenantRef,
    query: sql.Composed | sql.SQL | str | bytes,
    params: Sequence[Any] = (),
    *,
    writes: bool = False,
) -> FastRead:
    """Run one statement for `tenant`; outside a transaction in one round trip, inside it as it is.

    A connection the server closed in the meantime is opened anew. One that breaks under way is asked once more,
    unless the statement writes: nobody knows then whether it was committed.
    """
    connection: Any = connections["default"]
    if connection.in_atomic_block:
        return _inside(connection, tenant, query, params)
    connection.drop_if_ended()
    try:
        return _pipelined(connection, tenant, query, params)
    except psycopg.OperationalError:
        if connection.connection is not None and not connection.connection.closed:
            raise
        connection.close()
        if writes:
            raise
        return _pipelined(connection, tenant, query, params)


def read_platform(query: sql.Composed | sql.SQL | str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one reading statement for the platform in one round trip, outside any transaction; return its rows.

    For those who ask again and again, mostly in vain. Raises ScopeConflict inside a transaction.
    """
    connection: Any = connections["default"]
    if connection.in_atomic_block:
        msg = "A transaction is open: read in its scope."
        raise ScopeConflict(msg)
    connection.drop_if_ended()
    connection.ensure_connection()
    raw = connection.connection
    statement = psycopg.Cursor(raw)
    prepare = settings.DATABASE_PREPARE
    with raw.pipeline():
        psycopg.Cursor(raw).execute(ENTER, [search_path(None), PLATFORM, NIL], prepare=prepare)
        statement.execute(query, params, prepare=prepare)
    return statement.fetchall()


def write(statement: sql.Composed | sql.SQL | str, params: Sequence[Any]) -> int:
    """Run one writing statement in the scope in force, prepared and without Django's cursor; return its row count.

    Raises ScopeMissing outside a scope, and Django's exceptions for the database's.
    """
    connection: Any = connections["default"]
    _belongs(connection)
    with connection.wrap_database_errors:
        return connection.writer().execute(statement, params, prepare=settings.DATABASE_PREPARE).rowcount


def cursor() -> psycopg.Cursor[Any]:
    """Return psycopg's own cursor in the scope in force; it is a context manager.

    Raises ScopeMissing outside a scope, and psycopg's exceptions for the database's.
    """
    connection: Any = connections["default"]
    _belongs(connection)
    raw: psycopg.Cursor[Any] = connection.raw_cursor()
    return raw


def _belongs(connection: Any) -> None:
    if not connection.in_atomic_block or not connection.scopes:
        msg = "A statement outside any scope: there is no transaction it could belong to."
        raise ScopeMissing(msg)


def _pipelined(connection: Any, tenant: TenantRef, query: Any, params: Sequence[Any]) -> FastRead:
    connection.ensure_connection()
    raw = connection.connection
    enter, statement = psycopg.Cursor(raw), psycopg.Cursor(raw)
    prepare = settings.DATABASE_PREPARE
    with raw.pipeline():
        enter.execute(ENTER, [search_path(tenant), str(tenant.id), tenant.id], prepare=prepare)
        statement.execute(query, params, prepare=prepare)
    _, _, clock, platform_clock = enter.fetchone() or (None, None, 0, 0)
    return FastRead(statement.fetchall(), clock, platform_clock)


def _inside(connection: Any, tenant: TenantRef, query: Any, params: Sequence[Any]) -> FastRead:
    scope = connection.scopes[-1] if connection.scopes else None
    if scope is None or scope.tenant is None or scope.tenant.id != tenant.id:
        msg = f"A read for {tenant.slug} inside a transaction that belongs to another scope."
        raise ScopeConflict(msg)
    with connection.raw_cursor() as cursor:
        rows = cursor.execute(query, params).fetchall()
    return FastRead(rows, scope.clock, scope.platform_clock)
