"""A tenant installs, upgrades and removes a module; every part in one transaction."""

import copy

import pytest
from django.conf import settings
from django.db import connections, transaction

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Conflict, NotFound, PermissionDenied, Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.modules import catalogue, install
from apps.modules.models import Installation, Version
from apps.modules.source import load
from apps.objects.catalog import catalog
from apps.objects.publish import count_rows
from apps.permissions.models import PermissionSet


@pytest.fixture(scope="module")
def crm(database):
    """The CRM of this repository, in the catalogue."""
    with platform_scope("test"):
        return catalogue.register(source=load(settings.BASE_DIR / "modules" / "crm"), by=SYSTEM, replace=True)


@pytest.fixture
def here(acme, crm):
    """Acme's scope on the owner's login; all of it is rolled back."""
    with owner_session(), tenant_scope(acme) as scope:
        yield scope
        transaction.set_rollback(True)


def another(crm, version, change):
    """A copy of a version with its content changed."""
    manifest, content = copy.deepcopy(crm.manifest), copy.deepcopy(crm.content)
    manifest["version"] = version
    change(manifest, content)
    return Version.objects.create(
        module=crm.module, version=version, checksum=f"sha256:{version}", manifest=manifest, content=content
    )


def test_install_brings_objects_and_permission_sets(here):
    row = install.install("crm", by=SYSTEM)
    assert row.version == "1.2.0"
    names = {d.name for d in catalog()}
    assert {"crm_lead", "crm_account", "crm_contact", "crm_opportunity"} <= names
    assert catalog().object("crm_account").label_for("de") == "Konto"
    assert catalog().object("crm_account").managed
    sets = set(PermissionSet.objects.filter(module="crm").values_list("name", flat=True))
    assert sets == {"crm_sales", "crm_manager", "crm_admin", "crm_reader"}
    with pytest.raises(Conflict, match="installed already"):
        install.install("crm", by=SYSTEM)


def test_what_is_installed_needs_no_change(here):
    install.install("crm", by=SYSTEM)
    assert install.plan_module("crm").steps == ()


def test_plan_changes_nothing(here):
    plan = install.plan_module("crm")
    assert len(plan.steps) == 4
    assert any("CREATE TABLE" in statement for statement in plan.sql)
    assert not Installation.objects.exists()
    assert "crm_lead" not in catalog()


def test_every_new_table_has_its_wall(here, acme):
    from apps.core.db.walls import unwalled

    install.install("crm", by=SYSTEM)
    with connections["default"].cursor() as cursor:
        assert unwalled(acme.schema, cursor, tenant=True) == []
        cursor.execute("ALTER TABLE obj_crm_lead DISABLE ROW LEVEL SECURITY")  # the check itself is not blind
        assert unwalled(acme.schema, cursor, tenant=True) == ["obj_crm_lead"]


def test_demo_records_are_made_once_through_the_services(here):
    install.install("crm", by=SYSTEM, demo=True)
    assert count_rows("obj_crm_account") == 16
    assert count_rows("obj_crm_contact") == 24
    assert count_rows("obj_crm_lead") == 20
    assert count_rows("obj_crm_opportunity") == 16
    assert install.add_demo("crm", by=SYSTEM) == 0
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT a.name FROM obj_crm_opportunity o JOIN obj_crm_account a ON a.id = o.account"
            " WHERE o.name LIKE 'Hofmann%'"
        )
        assert cursor.fetchall() == [("Hofmann & Söhne Feinmechanik GmbH",)]


def test_upgrade_adds_a_field_and_keeps_records(here, crm):
    install.install("crm", by=SYSTEM, demo=True)

    def change(manifest, content):
        content["objects"]["crm_lead"]["fields"]["budget"] = {"type": "currency"}

    another(crm, "1.3.0", change)
    row = install.upgrade("crm", by=SYSTEM)
    assert row.version == "1.3.0"
    assert "budget" in catalog().object("crm_lead").fields
    assert count_rows("obj_crm_lead") == 20
    with pytest.raises(Conflict, match="newer"):
        install.upgrade("crm", by=SYSTEM, version="1.2.0")


def test_upgrade_that_loses_data_needs_the_flag(here, crm):
    install.install("crm", by=SYSTEM, demo=True)

    def change(manifest, content):
        del content["objects"]["crm_lead"]["fields"]["website"]
        del content["objects"]["crm_lead"]["translations"]

    another(crm, "2.0.0", change)
    with pytest.raises(Conflict) as refused, transaction.atomic():
        install.upgrade("crm", by=SYSTEM)
    assert refused.value.code == "DESTRUCTIVE_CHANGE"
    assert Installation.objects.get().version == "1.2.0"
    install.upgrade("crm", by=SYSTEM, allow_destructive=True)
    assert "website" not in catalog().object("crm_lead").fields


def test_uninstall_is_refused_while_there_are_records(here):
    install.install("crm", by=SYSTEM, demo=True)
    with pytest.raises(Conflict, match="20 crm_lead"):
        install.uninstall("crm", by=SYSTEM)
    install.uninstall("crm", by=SYSTEM, allow_data_loss=True)
    assert "crm_lead" not in catalog()
    assert not PermissionSet.objects.filter(module="crm").exists()
    with pytest.raises(NotFound):
        install.uninstall("crm", by=SYSTEM)


def test_uninstall_of_an_empty_module_needs_no_flag(here):
    install.install("crm", by=SYSTEM)
    install.uninstall("crm", by=SYSTEM)
    assert not Installation.objects.exists()


def test_dependencies(here, crm):
    another(crm, "3.0.0", lambda manifest, content: manifest.update(dependencies={"billing": "^1.0.0"}))
    with pytest.raises(Conflict) as refused:
        install.install("crm", by=SYSTEM, version="3.0.0")
    assert refused.value.details["dependencies"] == {"billing": "^1.0.0"}
    Installation.objects.create(module="billing", version="0.9.0", checksum="x", name="Billing")
    with pytest.raises(Conflict):
        install.install("crm", by=SYSTEM, version="3.0.0")
    Installation.objects.update(version="1.4.0")
    install.install("crm", by=SYSTEM, version="3.0.0")
    Installation.objects.filter(module="billing").update(manifest={"dependencies": {"crm": "*"}})
    with pytest.raises(Conflict, match="billing needs crm"):
        install.uninstall("crm", by=SYSTEM)


def test_a_member_without_the_right_installs_nothing(here, people):
    with pytest.raises(PermissionDenied):
        install.install("crm", by=people.actor("sales"))


def test_failure_midway_leaves_nothing(acme, crm, monkeypatch):
    def fail(*args, **kwargs):
        raise Problem("TEST", "No.")

    monkeypatch.setattr(install.permissions, "put_declared", fail)
    with pytest.raises(Problem), owner_session(), tenant_scope(acme):
        install.install("crm", by=SYSTEM)
    with tenant_scope(acme), connections["default"].cursor() as cursor:
        cursor.execute("SELECT to_regclass('obj_crm_lead')")
        assert cursor.fetchone() == (None,)
        assert not Installation.objects.exists()


def test_the_job_installs_in_its_own_transaction(fresh_tenant, crm):
    from apps.modules import jobs

    class Handle:
        tenant_id = fresh_tenant.id
        by = SYSTEM
        told: list = []

        def progress(self, done, total=None, message=""):
            self.told.append(message)

    handle = Handle()
    assert jobs.run_install(handle, "crm") == {"module": "crm", "version": "1.2.0"}
    assert handle.told == ["Objects", "Permission sets", "Done"]
    with tenant_scope(fresh_tenant):
        assert "crm_lead" in catalog()
