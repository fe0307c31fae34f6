"""The connection of AI-BOS: no statement outside a scope, and no setting that outlives its transaction.

django-tenants sets the search path for the whole session, which hands one tenant's rows to another behind a
transaction pooler. Here the application's login never sets anything for the session; the owner's login
(migrations and DDL) keeps django-tenants' way outside scopes.
"""

import select
from typing import Any
from uuid import UUID

import psycopg
from django.db.backends.postgresql import base as postgresql
from django.utils.functional import cached_property
from django_tenants.postgresql_backend import base as django_tenants

from apps.core.scope import Scope, ScopeMissing


class DatabaseWrapper(django_tenants.DatabaseWrapper):
    """A connection that carries a stack of scopes (innermost last)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.scopes: list[Scope] = []
        self._writer: psycopg.Cursor[Any] | None = None
        self.moved_clocks: set[UUID] = set()  # by the transaction under way
        super().__init__(*args, **kwargs)

    @property
    def is_owner(self) -> bool:
        """Whether this login may run DDL and may work outside a scope."""
        return bool(self.settings_dict.get("OWNER"))

    @cached_property
    def pg_version(self) -> int:
        """The server's version; asked of the handshake, since a statement would need a scope."""
        self.ensure_connection()
        return self.connection.info.server_version

    def _cursor(self, name: str | None = None) -> Any:
        if not self.scopes and self.is_owner:
            return super()._cursor(name)
        if not self.scopes:
            msg = (
                "A query outside any scope: wrap the work in tenant_scope(tenant) or platform_scope(reason)."
            )
            raise ScopeMissing(msg)
        if not self.in_atomic_block:
            msg = "The scope's transaction is over; a query now would see no tenant."
            raise ScopeMissing(msg)
        return postgresql.DatabaseWrapper._cursor(self, name)  # type: ignore[attr-defined]  # noqa: SLF001

    def raw_cursor(self) -> psycopg.Cursor[Any]:
        """Return psycopg's own cursor: parameters bound by the server, statements prepared.

        It passes the scope check by: only `scope`, `db.fast` and the health checks may take it. Outside a
        transaction nobody tells Django of a connection that is gone, so it is looked at here.
        """
        self.drop_if_ended()
        self.ensure_connection()
        return psycopg.Cursor(self.connection)

    def writer(self) -> psycopg.Cursor[Any]:
        """Return the connection's one cursor for statements inside a transaction whose answer is only a count."""
        if self._writer is None or self._writer.connection is not self.connection:
            self._writer = psycopg.Cursor(self.connection)
        return self._writer

    def drop_if_ended(self) -> None:
        """Give up an idle connection whose other end is gone, so that the next statement opens another.

        One system call: on an idle connection nothing arrives but its end (or a word of the server, and then
        the server is asked). Inside a transaction it does nothing, since that is lost with its connection.
        """
        if self.connection is None or self.in_atomic_block:
            return
        if self.connection.closed or (_readable(self.connection.fileno()) and not self.is_usable()):
            self.close()

    def close(self) -> None:
        if not self.in_atomic_block:
            self.scopes = []
        super().close()


def _readable(descriptor: int) -> bool:
    waiting = select.poll()  # unlike select(), for any number of open files
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))
