"""Append-only inside the database: by grants for the application, by trigger for the owner."""

import psycopg
import pytest
from django.db import connections
from psycopg import sql

from apps.audit import ledger
from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.tenants.schemas import TEMPLATE
from tests.audit.settling import settle

CHANGES = ["UPDATE {} SET action = 'x.y'", "DELETE FROM {}", "TRUNCATE {}"]


@pytest.fixture
def chained(acme: TenantRef) -> TenantRef:
    """Acme with at least one chained entry, the platform too."""
    with tenant_scope(acme):
        ledger.record("lead.created", by=SYSTEM)
    with platform_scope("test"):
        ledger.record("plan.created", by=SYSTEM)
    settle()
    return acme


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("owner", [False, True], ids=["app", "owner"])
@pytest.mark.parametrize("schema", ["tenant", "public"])
def test_nobody_changes_what_is_chained(chained: TenantRef, change: str, owner: bool, schema: str) -> None:
    name = sql.Identifier(chained.schema if schema == "tenant" else "public", "audit_entry")
    statement = sql.SQL(change).format(name)
    expected = "append-only" if owner else "permission denied"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=expected):
        if owner:
            with owner_session(), _scope(chained, schema), connections["default"].raw_cursor() as cursor:
                cursor.execute(statement)
        else:
            with _scope(chained, schema), connections["default"].raw_cursor() as cursor:
                cursor.execute(statement)


def test_the_trigger_is_what_stops_the_owner(chained: TenantRef, superuser_url: str) -> None:
    """Negative control: with the trigger off the same statement changes a row."""
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute(
            sql.SQL("ALTER TABLE {}.audit_entry DISABLE TRIGGER USER").format(sql.Identifier(chained.schema))
        )
        done = attacker.execute(
            sql.SQL("UPDATE {}.audit_entry SET action = 'x.y' WHERE seq = 1").format(
                sql.Identifier(chained.schema)
            )
        )
        assert done.rowcount == 1
        attacker.rollback()


def test_waiting_entries_cannot_be_edited_by_the_application(acme: TenantRef) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), tenant_scope(acme):
        ledger.record("lead.created", by=SYSTEM)
        with connections["default"].raw_cursor() as cursor:
            cursor.execute("UPDATE public.audit_pending SET action = 'x.y'")


def test_the_platforms_entries_do_not_show_in_a_tenants_scope(chained: TenantRef) -> None:
    with tenant_scope(chained), connections["default"].raw_cursor() as cursor:
        assert cursor.execute("SELECT count(*) FROM public.audit_entry").fetchone() == (0,)
    with platform_scope("test"), connections["default"].raw_cursor() as cursor:
        assert cursor.execute("SELECT count(*) > 0 FROM public.audit_entry").fetchone() == (True,)


def test_template_and_tenant_are_sealed_alike(chained: TenantRef, superuser_url: str) -> None:
    triggers = (
        "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = format('%%I.audit_entry', %s::text)::regclass"
        " AND NOT tgisinternal ORDER BY 1"
    )
    rights = (
        "SELECT array_agg(p ORDER BY p) FROM unnest(ARRAY['INSERT','SELECT','UPDATE','DELETE','TRUNCATE']) p"
        " WHERE has_table_privilege('aibos_app', format('%%I.audit_entry', %s::text), p)"
    )
    with psycopg.connect(superuser_url) as admin:
        for schema in (TEMPLATE, chained.schema, "public"):
            names = [row[0] for row in admin.execute(triggers, [schema]).fetchall()]
            assert names == ["audit_entry_rows", "audit_entry_table"], schema
            assert admin.execute(rights, [schema]).fetchone() == (["INSERT", "SELECT"],), schema


def _scope(tenant: TenantRef, schema: str) -> "object":
    return tenant_scope(tenant) if schema == "tenant" else platform_scope("test")
