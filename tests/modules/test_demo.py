"""The demo installation is made through services, and made once."""

import stat

import pytest
from django.conf import settings
from django.db import connections

from apps.cli import demonstration
from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.scope import platform_scope, tenant_scope
from apps.identity.models import ApiKey, Membership, User
from apps.objects.publish import count_rows
from apps.tenants.models import Tenant
from apps.tenants.provision import Order, drop_schema


@pytest.fixture
def two_tenants(database, clean_connection, monkeypatch):
    """The demo under other slugs, so that the tests' own tenants stay as they are."""
    slugs = ("demo-one", "demo-two")
    monkeypatch.setattr(demonstration, "TENANTS", tuple(Order(slug=s, name=s.title()) for s in slugs))
    yield slugs
    with owner_session(), platform_scope("test is over"):
        for tenant in Tenant.objects.filter(slug__in=slugs):
            drop_schema(tenant=tenant, by=SYSTEM)
            tenant.delete()


def counts(slug):
    with platform_scope("test"):
        ref = Tenant.objects.get(slug=slug).ref
    with tenant_scope(ref), connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT owner_id) FROM obj_crm_lead WHERE owner_id IS NOT NULL")
        return count_rows("obj_crm_account"), count_rows("obj_crm_lead"), cursor.fetchone()[0]


def test_demo_twice(two_tenants, tmp_path, monkeypatch):
    file = tmp_path / "demo.json"
    first = demonstration.make_demo(file=file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [counts(slug) for slug in two_tenants] == [(16, 20, 2), (16, 20, 2)]
    for known in first["api_keys"]:
        with platform_scope("test"):
            key = ApiKey.objects.get(prefix=known["key"].removeprefix("osk_")[:8])
            role = Membership.objects.get(user=key.user, tenant=key.tenant).role
        assert (role, key.scopes) == ("admin", ["*"])  # the tour of docs/api.md declares objects
    again = demonstration.make_demo(file=file)
    assert again == first
    assert [counts(slug) for slug in two_tenants] == [(16, 20, 2), (16, 20, 2)]
    with platform_scope("test"):
        person = User.objects.get(email="sales@demo-one.test")
        assert person.check_password(first["password"])
        assert not person.check_password("another")
    monkeypatch.setattr(settings, "DEMO_PASSWORD", "a fine new sentence")
    demonstration.make_demo(file=file)
    with platform_scope("test"):
        assert User.objects.get(email="sales@demo-one.test").check_password("a fine new sentence")
        assert User.objects.get(email="operator@aibos.test").check_password("a fine new sentence")
