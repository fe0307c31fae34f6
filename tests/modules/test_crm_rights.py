"""What the CRM's permission sets mean, asked of the compiler with real members."""

import pytest
from django.conf import settings
from django.db import transaction

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import PermissionDenied, Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.modules import catalogue, install
from apps.modules.source import load
from apps.objects import records
from apps.objects.catalog import catalog
from apps.permissions import services as permissions
from apps.permissions.access import access_for


@pytest.fixture
def crm(acme, people):
    """The CRM installed in acme with its sets assigned; rolled back."""
    with platform_scope("test"):
        catalogue.register(source=load(settings.BASE_DIR / "modules" / "crm"), by=SYSTEM, replace=True)
    with owner_session(), tenant_scope(acme):
        install.install("crm", by=SYSTEM)
        for name in ("sales", "manager", "reader"):
            permissions.assign(user_id=people.actor(name).user_id, name=f"crm_{name}", by=SYSTEM)
        yield catalog()
        transaction.set_rollback(True)


def readable(people, name, definition):
    return access_for(people.actor(name)).readable(definition)


def test_hidden_figures(crm, people):
    account, opportunity = crm.object("crm_account"), crm.object("crm_opportunity")
    for name in ("sales", "reader"):
        assert "credit_limit" not in readable(people, name, account)
        assert {"cost", "margin"}.isdisjoint(readable(people, name, opportunity))
    assert "credit_limit" in readable(people, "manager", account)
    assert "credit_limit" not in access_for(people.actor("manager")).editable(account)
    assert "credit_limit" in access_for(people.actor("owner")).editable(account)


def test_sales_works_on_own_leads_and_deletes_nothing(crm, people):
    sales, manager = people.actor("sales"), people.actor("manager")
    mine = records.create("crm_lead", {"name": "Ann", "company": "A"}, by=sales)
    foreign = records.create("crm_lead", {"name": "Bob", "company": "B"}, by=manager)
    records.update("crm_lead", mine.id, {"status": "contacted"}, by=sales)
    with pytest.raises(Problem):
        records.update("crm_lead", foreign.id, {"status": "contacted"}, by=sales)
    with pytest.raises(PermissionDenied):
        records.delete("crm_lead", mine.id, by=sales)
    records.delete("crm_lead", mine.id, by=manager)


def test_reader_writes_nothing(crm, people):
    with pytest.raises(PermissionDenied):
        records.create("crm_lead", {"name": "Ann", "company": "A"}, by=people.actor("reader"))


def test_numbers_are_given(crm, people):
    made = records.create("crm_account", {"name": "Ärger & Söhne"}, by=people.actor("sales"))
    assert made.record()["account_no"] == "ACC-00001"
    assert made.record()["account_type"] == "prospect"
    assert made.record()["active"] is True
