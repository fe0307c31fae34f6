"""The one door into a tenant: `tenant_scope`. Everything it sets ends with the transaction.

A scope lives on the database connection of the current thread. Each entry reads, in the same round trip,
the tenant's and the platform's clock, by which the process caches know whether they are stale.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.core import context
from apps.core.db.here import here
from apps.core.ids import NIL

PLATFORM = "*"
ENTER = """
SELECT set_config('search_path', %s, true), set_config('app.tenant', %s, true),
       coalesce((SELECT ticks FROM public.tenant_clock WHERE key = %s), 0),
       coalesce((SELECT ticks FROM public.tenant_clock WHERE key = '00000000-0000-0000-0000-000000000000'), 0)
"""
LEAVE = "SELECT set_config('search_path', %s, true), set_config('app.tenant', %s, true)"


class ScopeMissing(RuntimeError):
    """Work touched the database, a cache or a file outside any scope."""


class ScopeConflict(RuntimeError):
    """Work for one tenant was about to run in the scope of another."""


@dataclass(frozen=True)
class TenantRef:
    """What is needed to enter a tenant: nothing that changes during its life."""

    id: UUID
    slug: str
    schema: str


@dataclass(frozen=True)
class Scope:
    """The scope in force. `clock` moves when the tenant's cached facts do, `platform_clock` for shared ones."""

    kind: Literal["tenant", "platform"]
    tenant: TenantRef | None
    clock: int
    platform_clock: int
    reason: str = ""

    @property
    def search_path(self) -> str:
        return search_path(self.tenant)

    @property
    def wall(self) -> str:
        return str(self.tenant.id) if self.tenant else PLATFORM


def search_path(tenant: TenantRef | None) -> str:
    """Return the search path of a tenant (its schema, then the shared one) or of the platform."""
    return f'"{tenant.schema}", public' if tenant else "public"


def scope_of(alias: str = "default") -> Scope | None:
    """Return the scope of this thread's connection, or None."""
    stack = here(alias).scopes
    return stack[-1] if stack else None


def current_scope() -> Scope:
    """Return the scope in force; raise `ScopeMissing` outside one."""
    scope = scope_of()
    if scope is None:
        msg = "No scope: wrap the work in tenant_scope(tenant) or platform_scope(reason)."
        raise ScopeMissing(msg)
    return scope


def current_tenant() -> TenantRef:
    """Return the tenant in force; raise `ScopeMissing` outside a tenant scope."""
    scope = current_scope()
    if scope.tenant is None:
        msg = "This work belongs to a tenant; enter tenant_scope(tenant) first."
        raise ScopeMissing(msg)
    return scope.tenant


def tenant_key(*parts: object) -> str:
    """Return a key for caches, files, locks and limits that starts with the tenant in force."""
    return ":".join([str(current_tenant().id), *map(str, parts)])


@contextmanager
def tenant_scope(tenant: TenantRef) -> Iterator[Scope]:
    """Open a transaction (or savepoint) in which only `tenant` exists.

    Raises `ScopeConflict` inside the scope of another tenant.
    """
    outer = scope_of()
    if outer and outer.tenant and outer.tenant.id != tenant.id:
        msg = f"The scope of {outer.tenant.slug} is open; it must end before {tenant.slug} begins."
        raise ScopeConflict(msg)
    with _scope("tenant", tenant, "") as scope, context.carrying(tenant_slug=tenant.slug):
        yield scope


@contextmanager
def platform_scope(reason: str) -> Iterator[Scope]:
    """Open a transaction in which the shared rows of all tenants are visible, and no tenant's records.

    The escape hatch of operators, sign-in and pumps: `reason` says which. Refused inside a tenant's scope.
    """
    outer = scope_of()
    if outer and outer.tenant:
        msg = f"The scope of {outer.tenant.slug} is open; work for the platform must be done outside."
        raise ScopeConflict(msg)
    with _scope("platform", None, reason) as scope:
        yield scope


@contextmanager
def _scope(kind: Literal["tenant", "platform"], tenant: TenantRef | None, reason: str) -> Iterator[Scope]:
    connection = here()
    outer = connection.scopes[-1] if connection.scopes else None
    nested = connection.in_atomic_block
    depth = len(connection.scopes)
    connection.drop_if_ended()
    try:
        # In a bare transaction no statement has run yet, and a savepoint would be one outside any scope.
        with transaction.atomic(savepoint=not nested or outer is not None):
            scope = _enter(connection, kind, tenant, reason)
            connection.scopes.append(scope)
            try:
                yield scope
            finally:
                if not nested:  # what runs on commit is outside the scope
                    _pop(connection, depth)
    finally:
        _pop(connection, depth)  # a savepoint's end is a statement of the scope
    if outer is not None and outer.wall != scope.wall and not connection.needs_rollback:
        with connection.raw_cursor() as cursor:
            cursor.execute(LEAVE, [outer.search_path, outer.wall])


def _pop(connection: Any, depth: int) -> None:
    del connection.scopes[depth:]
    if not depth:
        connection.moved_clocks.clear()


def _enter(
    connection: Any, kind: Literal["tenant", "platform"], tenant: TenantRef | None, reason: str
) -> Scope:
    key = tenant.id if tenant else NIL
    wall = str(tenant.id) if tenant else PLATFORM
    # Wrapped, so that Django learns of a lost connection and opens another one for the next request.
    with connection.wrap_database_errors, connection.raw_cursor() as cursor:
        values = [search_path(tenant), wall, key]
        row = cursor.execute(ENTER, values, prepare=settings.DATABASE_PREPARE).fetchone()
    return Scope(kind, tenant, row[2], row[3], reason)
