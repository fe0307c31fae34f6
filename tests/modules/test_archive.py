"""A tenant with objects and records goes out and comes back: numbers go on, references hold."""

import shutil

import pytest
from django.conf import settings as django_settings
from django.db import connections

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.scope import platform_scope, tenant_scope
from apps.modules import catalogue, install
from apps.modules.source import load
from apps.objects import query, records
from apps.objects.parse import load_body
from apps.objects.publish import count_rows, publish_in
from apps.tenants import archiving, lifecycle, removal
from apps.tenants.models import Tenant
from apps.tenants.states import State


@pytest.fixture
def folders(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "files")
    settings.EXPORT_ROOT = str(tmp_path / "exports")
    return tmp_path


def test_out_and_in_again(fresh_tenant, folders):
    with platform_scope("test"):
        source = load(django_settings.BASE_DIR / "modules" / "crm")
        catalogue.register(source=source, by=SYSTEM, replace=True)
    with owner_session(), tenant_scope(fresh_tenant):
        install.install("crm", by=SYSTEM, demo=True)
    # The order of names is not the order of references.
    thing = load_body({"name": "z_thing", "fields": {"title": {"type": "text"}}})
    refers = {"title": {"type": "text"}, "thing": {"type": "lookup", "reference": "z_thing"}}
    counts = {"type": "summary", "summaryOperations": {"object": "a_part", "function": "count"}}
    thing = load_body({**thing.body, "fields": {**thing.body["fields"], "parts": counts}})
    publish_in(fresh_tenant, [thing, load_body({"name": "a_part", "fields": refers})], by=SYSTEM)
    with tenant_scope(fresh_tenant):
        made = records.create("z_thing", {"title": "x"}, by=SYSTEM)
        records.create("a_part", {"title": "y", "thing": made.id}, by=SYSTEM)
    archive = shutil.copy(archiving.export(tenant_id=fresh_tenant.id, by=SYSTEM), folders / "kept.zip")
    with platform_scope("test"):
        for state in (State.ARCHIVED, State.DELETED):
            lifecycle.move(tenant_id=fresh_tenant.id, to=state, by=SYSTEM)
        tenant = Tenant.objects.get(pk=fresh_tenant.id)
    removal.remove(tenant=tenant, by=SYSTEM)
    back = archiving.restore(
        path=archive, slug=fresh_tenant.slug, host=f"{fresh_tenant.slug}.localhost", by=SYSTEM
    )
    with tenant_scope(back.ref), connections["default"].cursor() as cursor:
        assert count_rows("obj_crm_opportunity") == 16
        assert (
            records.create("crm_account", {"name": "Next"}, by=SYSTEM).record()["account_no"] == "ACC-00017"
        )
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conname = 'a_part__thing__fk'"
        )
        assert cursor.fetchone() == (1,)
        # Filling the tables did not count again, and the triggers are back.
        records.create("a_part", {"title": "z", "thing": made.id}, by=SYSTEM)
        assert query.get("z_thing", made.id, by=SYSTEM).record()["parts"] == 2
