"""Migrations of tenants: resumable, and a broken one does not stop the others."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections
from psycopg import sql

from apps.core.scope import TenantRef, platform_scope
from apps.tenants.migrate import migrate_one, migrate_tenants, pending
from apps.tenants.models import Tenant
from apps.tenants.schemas import migrations_version


@pytest.fixture
def behind(fresh_tenant: TenantRef, acme: TenantRef) -> Iterator[TenantRef]:
    """A tenant whose schema lacks the last migration of permissions."""
    with platform_scope("test"):
        Tenant.objects.filter(pk=fresh_tenant.id).update(schema_version="before")
    yield fresh_tenant
    with platform_scope("test"):
        Tenant.objects.filter(pk=acme.id).update(schema_version=migrations_version(), schema_error="")


def state(ref: TenantRef) -> tuple[bool, str]:
    with platform_scope("test"):
        row = Tenant.objects.get(pk=ref.id)
    return row.schema_version == migrations_version(), row.schema_error


def drop_permissions(admin: psycopg.Connection, ref: TenantRef) -> None:
    """Drop every table of one app, as if none of its migrations had run."""
    rows = admin.execute(
        r"SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'permissions\_%%'",
        [ref.schema],
    ).fetchall()
    for (table,) in rows:
        name = sql.Identifier(ref.schema, table)
        admin.execute(sql.SQL("DROP TABLE {} CASCADE").format(name))


def test_a_new_tenant_needs_no_migration(fresh_tenant: TenantRef) -> None:
    with platform_scope("test"):
        assert fresh_tenant.slug not in {tenant.slug for tenant in pending()}


def test_a_tenant_behind_is_brought_forward(behind: TenantRef) -> None:
    assert migrate_one(behind.slug).ok
    assert state(behind) == (True, "")
    assert migrate_tenants() == []


def test_a_table_of_a_missing_migration_is_made_and_walled(behind: TenantRef, superuser_url: str) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        drop_permissions(admin, behind)
        admin.execute(f"DELETE FROM {behind.schema}.django_migrations WHERE app = 'permissions'")
    assert migrate_one(behind.slug).message == "migrated"
    with connections["default"].raw_cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass",
            [f"{behind.schema}.permissions_assignment"],
        )
        assert cursor.fetchone() == (True, True)


def test_a_broken_tenant_is_reported_and_the_others_go_on(
    behind: TenantRef, acme: TenantRef, superuser_url: str
) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute(f"DELETE FROM {behind.schema}.django_migrations WHERE app = 'permissions'")
    with platform_scope("test"):
        Tenant.objects.filter(pk=acme.id).update(schema_version="before")
    outcomes = {item.slug: item for item in migrate_tenants(parallel=1)}
    assert outcomes[acme.slug].ok
    assert not outcomes[behind.slug].ok
    good, error = state(behind)
    assert not good
    assert "already exists" in error
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        drop_permissions(admin, behind)
    assert [item.slug for item in migrate_tenants(parallel=1)] == [behind.slug]
    assert state(behind) == (True, "")
