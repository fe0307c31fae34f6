"""Coverage: every way to change a record leaves exactly one entry for each record, and the watch sees what does not."""

import json

import pytest
from django.db import connections

from apps.audit.models import Pending
from apps.core import context
from apps.core.errors import Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.identity.models import User
from apps.identity.place import Place
from apps.identity.services import sign_in
from apps.objects import records
from apps.objects.records import versions
from tests.ledger_watch import EXEMPT, Watch, mutating_routes
from tests.objects.world import insert


@pytest.fixture(scope="module")
def watch(published, superuser_url):
    made = Watch(superuser_url)
    yield made
    made.close()


def lead(world, name="Ann", **more):
    with tenant_scope(world.acme):
        return records.create("qa_lead", {"name": name, **more}, by=world.actor("manager")).id


def many(world, count=3):
    return [lead(world, f"Many {number}") for number in range(count)]


def in_bin(world):
    made = lead(world)
    with tenant_scope(world.acme):
        records.delete("qa_lead", made, by=world.actor("manager"))
    return made


def with_past(world):
    made = lead(world)
    with tenant_scope(world.acme):
        records.update("qa_lead", made, {"name": "Later"}, by=world.actor("manager"))
    return made


# Each way: what must be there before, what is done with it, and the entries it leaves (action, how many).
WAYS = {
    "create": (
        lambda w: None,
        lambda w, _x, by: records.create("qa_lead", {"name": "x"}, by=by),
        ("created", 1),
    ),
    "create in one go": (
        lead,
        lambda w, _x, by: records.create("qa_lead", {"name": "x"}, by=by, tenant=w.acme),
        ("created", 1),
    ),
    "update": (
        lead,
        lambda w, x, by: records.update("qa_lead", x, {"name": "y", "score": 3}, by=by),
        ("updated", 1),
    ),
    "update in one go": (
        lead,
        lambda w, x, by: records.update("qa_lead", x, {"name": "y"}, by=by, tenant=w.acme),
        ("updated", 1),
    ),
    "delete": (lead, lambda w, x, by: records.delete("qa_lead", x, by=by), ("deleted", 1)),
    "restore": (in_bin, lambda w, x, by: records.restore("qa_lead", x, by=by), ("restored", 1)),
    "purge": (in_bin, lambda w, x, by: records.purge("qa_lead", x, by=by), ("purged", 1)),
    "clone": (lead, lambda w, x, by: records.clone("qa_lead", x, {}, by=by), ("created", 1)),
    "return to a version": (
        with_past,
        lambda w, x, by: versions.restore_version("qa_lead", x, 1, by=by),
        ("updated", 1),
    ),
    "create many": (
        lambda w: None,
        lambda w, _x, by: records.create_many("qa_lead", [{"name": "a"}, {"name": "b"}], by=by),
        ("created", 2),
    ),
    "update many": (
        many,
        lambda w, x, by: records.update_many("qa_lead", [{"id": i, "data": {"name": "z"}} for i in x], by=by),
        ("updated", 3),
    ),
    "delete many": (many, lambda w, x, by: records.delete_many("qa_lead", x, by=by), ("deleted", 3)),
    "batch of all or nothing": (
        lambda w: None,
        lambda w, _x, by: records.batch(
            "qa_lead", "create", [{"data": {"name": "a"}}, {"data": {"name": "b"}}], by=by, atomic=True
        ),
        ("created", 2),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_leaves_one_entry_for_each_record(wiped, watch, way):
    prepare, act, (verb, count) = WAYS[way]
    by = wiped.actor("owner" if way == "purge" else "manager")
    made = prepare(wiped)
    with (
        context.carrying(request_id="request-of-the-test"),
        watch.judging(way, lambda: "request-of-the-test") as seen,
    ):
        if "one go" in way:
            act(wiped, made, by)
        else:
            with tenant_scope(wiped.acme):
                act(wiped, made, by)
    assert seen.wrote
    entries = [entry for written in seen.entries.values() for entry in written]
    assert [entry["action"] for entry in entries] == [f"qa_lead.{verb}"] * count
    assert len({entry["target"] for entry in entries}) == count
    for entry in entries:
        assert entry["actor"]["id"] == by.id
        assert entry["tenant"] == str(wiped.acme.id)
        assert entry["request"] == "request-of-the-test"
        assert verb == "purged" or "after" in entry
        assert verb in ("created", "purged") or "before" in entry


def test_a_batch_that_is_undone_leaves_nothing(wiped, watch):
    mark = watch.newest()
    with tenant_scope(wiped.acme):
        done = records.batch(
            "qa_lead",
            "create",
            [{"data": {"name": "a"}}, {"data": {}}],
            by=wiped.actor("manager"),
            atomic=True,
        )
    assert done.succeeded == 0
    seen = watch.since(mark)
    assert not seen.wrote
    assert not any(seen.entries.values())


def raw_row(world):
    insert("qa_lead", name="Raw")


def raw_update(world):
    with connections["default"].cursor() as cursor:
        cursor.execute("UPDATE obj_qa_lead SET name = 'Raw'")


def raw_delete(world):
    with connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM obj_qa_lead")


@pytest.mark.parametrize("raw", [raw_row, raw_update, raw_delete])
def test_the_watch_sees_a_change_past_the_services(wiped, watch, raw):
    """Negative control: the same changes without a service are found."""
    lead(wiped)
    mark = watch.newest()
    with tenant_scope(wiped.acme):
        raw(wiped)
    (fault,) = watch.since(mark).faults()
    assert fault.startswith("changed obj_qa_lead (")


def test_the_watch_sees_the_orm_go_past_the_services(wiped, watch):
    with platform_scope("test"):
        first = User.objects.order_by("id").first()
        mark = watch.newest()
        User.objects.bulk_create([User(email="raw@example.org", name="Raw")])
    assert first is not None
    assert watch.since(mark).faults() == [
        "changed identity_user (INSERT) without an entry in its transaction"
    ]


def test_the_watch_sees_an_entry_written_twice(wiped, watch):
    from apps.audit import ledger

    mark = watch.newest()
    with tenant_scope(wiped.acme):
        for _ in range(2):
            ledger.record("lead.created", by=wiped.actor("manager"), target="lead:1")
    (fault,) = watch.since(mark).faults()
    assert fault.startswith("twice the same entry")


def test_refusals_are_in_the_ledger(wiped):
    reader = wiped.actor("reader")
    made = lead(wiped)
    for act in (
        lambda: records.create("qa_lead", {"name": "x"}, by=reader),
        lambda: records.update("qa_lead", made, {"name": "x"}, by=reader),
        lambda: records.delete("qa_lead", made, by=reader),
        lambda: versions.restore_version("qa_lead", made, 1, by=reader),
    ):
        with tenant_scope(wiped.acme):
            before = set(Pending.objects.values_list("entry_id", flat=True))
        with pytest.raises(Problem) as refusal, tenant_scope(wiped.acme):
            act()
        assert refusal.value.status == 403
        with tenant_scope(wiped.acme):
            (body,) = Pending.objects.exclude(entry_id__in=before).values_list("body", flat=True)
        entry = json.loads(bytes(body))
        assert (entry["actor"]["id"], entry["details"]["outcome"]) == (reader.id, "denied")


@pytest.mark.parametrize("account", ["sales@acme.test", "nobody-at-all@acme.test"])
def test_a_failed_sign_in_is_in_the_ledger_without_telling_the_account(wiped, account):
    place = Place(host="acme.localhost", tenant=wiped.acme, ip="192.0.2.9")
    with tenant_scope(wiped.acme):
        before = set(Pending.objects.values_list("entry_id", flat=True))
    with pytest.raises(Problem):
        sign_in.sign_in(email=account, password="wrong", place=place)
    with tenant_scope(wiped.acme):
        (body,) = Pending.objects.exclude(entry_id__in=before).values_list("body", flat=True)
    entry = json.loads(bytes(body))
    assert entry["details"]["outcome"] == "denied"
    assert account not in bytes(body).decode()


def test_every_exemption_has_a_reason_and_stands_for_a_table(wiped):
    with tenant_scope(wiped.acme), connections["default"].cursor() as cursor:
        cursor.execute("SELECT DISTINCT tablename FROM pg_tables")
        tables = {row[0] for row in cursor.fetchall()}
    strange = {key for key in EXEMPT if key.partition(":")[0] not in tables}
    assert not strange
    assert all(len(reason) > 10 for reason in EXEMPT.values())


def test_the_routes_are_enumerated():
    found = mutating_routes()
    assert {"POST api/v1/data/<name>", "PATCH api/v1/data/<name>/<record_id>", "POST o/<name>/bulk"} <= found
    assert "POST api/v1/data/<name>/query" not in found
