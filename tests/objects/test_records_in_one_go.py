"""Writes outside a scope: one or two round trips, no transaction, and the same guarantees."""

from dataclasses import replace

import pytest
from django.db import connections

from apps.audit.models import Pending
from apps.audit.sealing import keys
from apps.core.actor import SYSTEM
from apps.core.db import fast
from apps.core.ids import uuid7
from apps.core.scope import tenant_scope
from apps.events.models import OutboxEvent
from apps.objects import query, records
from apps.objects.query import plans
from apps.objects.records import call
from apps.permissions import services as permissions
from apps.tenants import quotas
from tests.objects.test_records import refused


@pytest.fixture
def trips(monkeypatch):
    """Counts the statements sent and the transactions opened."""
    counted = {"statements": 0, "transactions": 0}
    read, scope = fast.read, call.tenant_scope

    def counting_read(*args, **more):
        counted["statements"] += 1
        return read(*args, **more)

    def counting_scope(*args):
        counted["transactions"] += 1
        return scope(*args)

    monkeypatch.setattr(fast, "read", counting_read)
    monkeypatch.setattr(call, "tenant_scope", counting_scope)
    return counted


def written(world):
    """Count the records, ledger entries and events about leads."""
    with tenant_scope(world.acme):
        entries = Pending.objects.filter(target__startswith="qa_lead:", action__in=VERBS).count()
        events = OutboxEvent.objects.filter(type__in=VERBS).count()
    return query.count("qa_lead", {}, by=SYSTEM, tenant=world.acme)[0], entries, events


VERBS = ("qa_lead.created", "qa_lead.updated")


def test_a_create_is_one_statement_and_an_update_two(wiped, trips):
    by = wiped.actor("sales")
    lead = records.create("qa_lead", {"name": "first"}, by=by, tenant=wiped.acme)
    trips.update(statements=0, transactions=0)
    records.create("qa_lead", {"name": "second"}, by=by, tenant=wiped.acme)
    assert trips == {"statements": 1, "transactions": 0}
    records.update("qa_lead", lead.id, {"name": "third"}, by=by, tenant=wiped.acme, if_match=1)
    assert trips == {"statements": 3, "transactions": 0}
    assert not connections["default"].in_atomic_block


def test_it_is_all_there(wiped):
    by = wiped.actor("sales")
    before = written(wiped)
    lead = records.create("qa_lead", {"name": "one"}, by=by, tenant=wiped.acme)
    changed = records.update("qa_lead", lead.id, {"name": "two"}, by=by, tenant=wiped.acme)
    assert [b - a for a, b in zip(before, written(wiped), strict=True)] == [1, 2, 2]
    assert query.get("qa_lead", lead.id, by=by, tenant=wiped.acme).record() == changed.record()


def test_what_is_refused_leaves_nothing(wiped):
    by = wiped.actor("sales")
    records.create("qa_lead", {"name": "one", "ref_no": "R"}, by=by, tenant=wiped.acme)
    lead = records.create("qa_lead", {"name": "two"}, by=by, tenant=wiped.acme)
    before = written(wiped)
    create = lambda **data: records.create("qa_lead", {"name": "x"} | data, by=by, tenant=wiped.acme)  # noqa: E731
    update = lambda **data: records.update("qa_lead", lead.id, data, by=by, tenant=wiped.acme)  # noqa: E731
    refused(lambda: create(account=str(uuid7())), "VALIDATION_FAILED")
    refused(lambda: create(ref_no="R"), "UNIQUE_VIOLATION")
    refused(lambda: create(score="many"), "VALIDATION_FAILED")
    refused(lambda: create(secret_note="x"), "PERMISSION_DENIED")
    refused(lambda: update(account=str(uuid7())), "VALIDATION_FAILED")
    refused(lambda: update(ref_no="R"), "UNIQUE_VIOLATION")
    refused(
        lambda: records.update("qa_lead", lead.id, {"name": "x"}, by=by, tenant=wiped.acme, if_match=9),
        "CONCURRENT_UPDATE",
    )
    assert written(wiped) == before


@pytest.fixture
def revoked(wiped):
    """Sales lost their set after this process remembered it."""
    sales = wiped.actor("sales")
    lead = records.create("qa_lead", {"name": "before"}, by=sales, tenant=wiped.acme)
    remembered = plans.remembered(wiped.acme, sales)
    assert remembered.access.can("create", remembered.catalog.object("qa_lead"))
    with tenant_scope(wiped.acme):
        permissions.unassign(user_id=sales.user_id, name="qa_sales", by=SYSTEM)
    yield wiped, sales, lead, remembered
    with tenant_scope(wiped.acme):
        permissions.assign(user_id=sales.user_id, name="qa_sales", by=SYSTEM)


def test_a_right_that_is_gone_writes_nothing(revoked, monkeypatch):
    world, sales, lead, remembered = revoked
    monkeypatch.setattr(plans, "remembered", lambda tenant, by: remembered)
    before = written(world)
    refused(
        lambda: records.create("qa_lead", {"name": "after"}, by=sales, tenant=world.acme), "PERMISSION_DENIED"
    )
    change = lambda: records.update("qa_lead", lead.id, {"name": "after"}, by=sales, tenant=world.acme)  # noqa: E731
    refused(change, "PERMISSION_DENIED")
    assert written(world) == before


def test_only_the_clock_stands_between(revoked, monkeypatch):
    """Negative control: the remembered right at the clock of today writes."""
    world, sales, _, remembered = revoked
    with tenant_scope(world.acme) as scope:
        lie = replace(remembered, clock=scope.clock)
        quotas.limit_of(world.acme, "records")
        keys.take(world.acme.id, f"user:{sales.user_id}")  # as the process would know it, too
    monkeypatch.setattr(plans, "remembered", lambda tenant, by: lie)
    before = written(world)
    records.create("qa_lead", {"name": "after"}, by=sales, tenant=world.acme)
    assert written(world)[0] == before[0] + 1


def test_a_record_that_moved_meanwhile_is_changed_at_its_new_version(wiped, monkeypatch):
    by = wiped.actor("sales")
    lead = records.create("qa_lead", {"name": "one"}, by=by, tenant=wiped.acme)
    real, once = fast.read, []

    def overtaken(tenant, text, params=(), **more):
        if not once and b"made AS (UPDATE" in text:
            once.append(True)
            with tenant_scope(wiped.acme), connections["default"].cursor() as cursor:
                cursor.execute(
                    "UPDATE obj_qa_lead SET company = 'c', version = version + 1 WHERE id = %s", [lead.id]
                )
        return real(tenant, text, params)

    monkeypatch.setattr(fast, "read", overtaken)
    record = records.update("qa_lead", lead.id, {"name": "two"}, by=by, tenant=wiped.acme).record()
    assert once
    assert (record["name"], record["company"], record["version"]) == ("two", "c", 3)
