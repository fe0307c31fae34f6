"""The second wall: with the first one sabotaged, a statement yields no rows or an error."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connections, transaction

from apps.core.db import guard
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.people import People

CANARY = "canary-of-globex"


@pytest.fixture
def secret(globex: TenantRef, superuser_url: str) -> Any:
    """A row in globex that nobody of acme may see."""
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute(
            "INSERT INTO t_globex.permissions_permissionset (id, name, label, description, body, module, created_at, updated_at)"
            " VALUES (gen_random_uuid(), %s, %s, '', '{}', '', now(), now())",
            [CANARY, CANARY],
        )
        yield CANARY
        admin.execute("DELETE FROM t_globex.permissions_permissionset WHERE name = %s", [CANARY])


READ = "SELECT name FROM permissions_permissionset WHERE name = 'canary-of-globex'"
READ_NAMED = "SELECT name FROM t_globex.permissions_permissionset WHERE name = 'canary-of-globex'"


def raw(statement: str, *before: tuple[str, list[Any]]) -> list[tuple[Any, ...]]:
    """Run a statement as a saboteur: on the application's login, past every check in Python."""
    with transaction.atomic(), connections["default"].raw_cursor() as cursor:
        for text, params in before:
            cursor.execute(text, params)
        return cursor.execute(statement).fetchall()


def set_local(name: str, value: str) -> tuple[str, list[Any]]:
    return ("SELECT set_config(%s, %s, true)", [name, value])


def wrong_search_path(acme: TenantRef, globex: TenantRef) -> list[tuple[Any, ...]]:
    return raw(READ, set_local("app.tenant", str(acme.id)), set_local("search_path", globex.schema))


def named_schema(acme: TenantRef, globex: TenantRef) -> list[tuple[Any, ...]]:
    with tenant_scope(acme), connections["default"].cursor() as cursor:
        cursor.execute(READ_NAMED)
        return cursor.fetchall()


def forgotten_scope(acme: TenantRef, globex: TenantRef) -> list[tuple[Any, ...]]:
    return raw(READ_NAMED)


def forgotten_tenant(acme: TenantRef, globex: TenantRef) -> list[tuple[Any, ...]]:
    return raw(READ, set_local("search_path", globex.schema))


def platform_reads_records(acme: TenantRef, globex: TenantRef) -> list[tuple[Any, ...]]:
    with platform_scope("sabotage"), connections["default"].cursor() as cursor:
        cursor.execute(READ_NAMED)
        return cursor.fetchall()


def joined_schemas(acme: TenantRef, globex: TenantRef) -> list[tuple[Any, ...]]:
    with tenant_scope(acme), connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT b.name FROM t_globex.permissions_permissionset b LEFT JOIN permissions_permissionset a USING (id)"
        )
        return cursor.fetchall()


def switched_row_security_off(acme: TenantRef, globex: TenantRef) -> list[tuple[Any, ...]]:
    try:
        return raw(READ_NAMED, set_local("app.tenant", str(acme.id)), set_local("row_security", "off"))
    except psycopg.errors.InsufficientPrivilege:
        return []


def empty_tenant(acme: TenantRef, globex: TenantRef) -> list[tuple[Any, ...]]:
    return raw(READ_NAMED, set_local("app.tenant", ""))


SABOTAGE = [
    wrong_search_path,
    named_schema,
    forgotten_scope,
    forgotten_tenant,
    platform_reads_records,
    joined_schemas,
    switched_row_security_off,
    empty_tenant,
]


@pytest.mark.parametrize("attempt", SABOTAGE, ids=lambda item: item.__name__)
def test_sabotaged_first_wall_reads_nothing(
    attempt: Callable[..., list[tuple[Any, ...]]], acme: TenantRef, globex: TenantRef, secret: str
) -> None:
    assert attempt(acme, globex) == []


@pytest.mark.parametrize("attempt", SABOTAGE, ids=lambda item: item.__name__)
def test_without_the_second_wall_the_same_sabotage_reads(
    attempt: Callable[..., list[tuple[Any, ...]]],
    acme: TenantRef,
    globex: TenantRef,
    secret: str,
    superuser_url: str,
) -> None:
    """Negative control: with the policy off, every one of these attempts finds the canary."""
    table = "t_globex.permissions_permissionset"
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")
        try:
            assert (CANARY,) in attempt(acme, globex)
        finally:
            admin.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def test_shared_rows_of_another_tenant_are_out_of_reach(
    acme: TenantRef, globex: TenantRef, people: People
) -> None:
    statement = "SELECT count(*) FROM public.identity_membership WHERE tenant_id = %s"
    with tenant_scope(acme), connections["default"].cursor() as cursor:
        cursor.execute(statement, [globex.id])
        assert cursor.fetchone() == (0,)
        cursor.execute(statement, [acme.id])
        assert cursor.fetchone()[0] > 0
        with pytest.raises(Exception, match="row-level security"):
            cursor.execute(
                "INSERT INTO public.identity_membership (id, tenant_id, user_id, role, state, created_at, updated_at)"
                " VALUES (gen_random_uuid(), %s, %s, 'owner', 'active', now(), now())",
                [globex.id, people.actor("sales").user_id],
            )
        transaction.set_rollback(True)


def test_every_table_and_view_has_its_wall(acme: TenantRef) -> None:
    assert guard.unwalled() == []


def test_a_table_without_a_wall_is_found(acme: TenantRef, superuser_url: str) -> None:
    """Negative control: a bare table, a bare shared table, a definer's view and a materialised one are named."""
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute("CREATE TABLE t_acme.bare (id int)")
        admin.execute("CREATE TABLE public.bare_shared (tenant_id uuid)")
        admin.execute("CREATE VIEW public.peephole AS SELECT * FROM t_acme.bare")
        admin.execute("CREATE MATERIALIZED VIEW t_acme.snapshot AS SELECT * FROM t_acme.bare")
        try:
            found = guard.unwalled()
        finally:
            admin.execute("DROP TABLE t_acme.bare, public.bare_shared CASCADE")
    assert found == ["public.bare_shared", "public.peephole", "t_acme.bare", "t_acme.snapshot"]


def test_the_application_s_login_is_weak(acme: TenantRef) -> None:
    assert guard.login_faults() == []


def test_a_strong_login_is_refused() -> None:
    assert len(guard.role_faults(("postgres", True, True, True, True, 7, True))) == 6
