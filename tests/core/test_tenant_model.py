"""Rows and queries of one tenant refuse to work in another (what django-tenants alone lets through)."""

import psycopg
import pytest
from django.db import transaction

from apps.core.scope import ScopeConflict, ScopeMissing, TenantRef, tenant_scope
from apps.permissions.models import PermissionSet


def a_set(name: str) -> PermissionSet:
    return PermissionSet(name=name, label=name)


def test_a_row_loaded_in_one_tenant_is_not_saved_in_another(acme: TenantRef, globex: TenantRef) -> None:
    with tenant_scope(acme):
        row = a_set("carried")
        row.save()
        transaction.set_rollback(True)
    with tenant_scope(globex):
        for attempt in (row.save, row.delete, row.refresh_from_db):
            with pytest.raises(ScopeConflict):
                attempt()


def test_a_row_made_outside_any_scope_needs_one_to_be_saved(acme: TenantRef) -> None:
    with pytest.raises(ScopeMissing):
        a_set("homeless").save()


def test_a_lazy_query_is_not_evaluated_in_another_tenant(acme: TenantRef, globex: TenantRef) -> None:
    with tenant_scope(acme):
        lazy = PermissionSet.objects.filter(name__startswith="x")
    with tenant_scope(globex):
        for attempt in (
            lambda: list(lazy),
            lazy.count,
            lazy.exists,
            lambda: lazy.update(label="y"),
            lazy.delete,
            lambda: list(lazy.iterator()),
            lambda: list(lazy.all().order_by("name")),
            lambda: lazy.filter(label="z").first(),
        ):
            with pytest.raises(ScopeConflict):
                attempt()


def test_a_query_made_outside_takes_the_scope_it_is_refined_in(acme: TenantRef) -> None:
    outside = PermissionSet.objects.all()
    with tenant_scope(acme):
        assert outside.filter(name="nobody").count() == 0


def test_without_the_memory_the_same_row_overwrites_the_other_tenant_s(
    acme: TenantRef, globex: TenantRef, superuser_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: with the check taken out, a row of acme lands in globex."""
    monkeypatch.setattr(PermissionSet, "_require_scope", lambda *_: None)
    with tenant_scope(acme):
        row = a_set("smuggled")
    try:
        with tenant_scope(globex):
            row.save(force_insert=True)
        with psycopg.connect(superuser_url) as admin:
            found = admin.execute(
                "SELECT count(*) FROM t_globex.permissions_permissionset WHERE name = 'smuggled'"
            )
            assert found.fetchone() == (1,)
    finally:
        with psycopg.connect(superuser_url, autocommit=True) as admin:
            admin.execute("DELETE FROM t_globex.permissions_permissionset WHERE name = 'smuggled'")
