"""Writing records: what is judged, what is dropped, what is refused, and what the book keeps of it."""

import json
import threading
from decimal import Decimal

import pytest
from django.db import connections, transaction

from apps.audit.models import Pending
from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Problem
from apps.core.ids import uuid7
from apps.core.scope import tenant_scope
from apps.events.models import OutboxEvent
from apps.objects import query, records
from apps.objects.parse import load_body
from apps.objects.publish import publish_objects
from tests.objects.world import insert


def entries(record_id, obj="qa_lead"):
    rows = Pending.objects.filter(target=f"{obj}:{record_id}").order_by("id")
    return [(row.action, json.loads(bytes(row.body))) for row in rows]


def events(record_id, obj="qa_lead"):
    rows = OutboxEvent.objects.filter(subject=f"{obj}:{record_id}").order_by("id")
    return [(row.type, json.loads(bytes(row.body))["data"]) for row in rows]


def refused(call, code, status=None):
    with pytest.raises(Problem) as refusal:
        call()
    assert refusal.value.code == code, refusal.value
    assert status is None or refusal.value.status == status
    return refusal.value


FULL = {
    "name": "Ann",
    "company": "Acme",
    "email": "ann@example.com",
    "phone": "+49 30 1234567",
    "notes": "two\nlines",
    "score": 12.5,
    "ratio": 25,
    "vip": False,
    "born": "1990-02-03",
    "seen_at": "2026-03-15T15:30:00+01:00",
    "status": "working",
    "tags": ["aa", "cc"],
    "extra": {"a": [1, {"b": None}]},
    "ref_no": "R-1",
}


def test_a_record_comes_back_as_it_was_written(inside):
    by = inside.actor("manager")
    written = records.create(
        "qa_lead", FULL | {"est_value": "12345678.91", "assignee": str(by.user_id)}, by=by
    )
    record = written.record()
    expected = FULL | {"seen_at": "2026-03-15T14:30:00.000Z", "est_value": Decimal("12345678.91")}
    assert {name: record[name] for name in expected} == expected | {"score": Decimal("12.5")}
    assert record["code"].startswith("L-")
    assert (record["version"], record["owner_id"], record["created_by"]) == (
        1,
        str(by.user_id),
        str(by.user_id),
    )
    assert record["created_at"] == record["updated_at"]
    assert query.get("qa_lead", written.id, by=by).record() == record
    body = json.loads(written.body())
    assert (body["object"], body["id"], body["record"]["id"]) == ("qa_lead", written.id, written.id)


def test_defaults_and_missing_values(inside):
    record = records.create("qa_lead", {"name": "Ann", "company": ""}, by=inside.actor("sales")).record()
    assert (record["status"], record["company"]) == ("new", None)


def test_all_faults_come_at_once(inside):
    bad = {"score": "abc", "status": "zzz", "born": "notadate", "email": "nope", "vip": "maybe", "tags": "dd"}
    problem = refused(
        lambda: records.create("qa_lead", bad, by=inside.actor("sales")), "VALIDATION_FAILED", 400
    )
    codes = {fault.field: fault.code for fault in problem.fields}
    assert codes == {
        "score": "invalid_number",
        "status": "invalid_option",
        "born": "invalid_date",
        "email": "invalid_email",
        "vip": "invalid_boolean",
        "tags": "invalid_option",
        "name": "required",
    }
    assert problem.details["object"] == "qa_lead"


@pytest.mark.parametrize("data", [None, [], "x", 5])
def test_a_record_is_an_object(inside, data):
    refused(lambda: records.create("qa_lead", data, by=inside.actor("sales")), "VALIDATION_FAILED", 400)


def test_unknown_fields_and_objects_are_refused(inside):
    by = inside.actor("sales")
    problem = refused(
        lambda: records.create("qa_lead", {"name": "x", "bogus": 1}, by=by), "INVALID_FIELD", 400
    )
    assert problem.details["field"] == "bogus"
    refused(lambda: records.create("nothing", {}, by=by), "OBJECT_NOT_FOUND", 404)
    for identity in (uuid7(), "nope"):
        refused(lambda: records.update("qa_lead", identity, {"name": "x"}, by=by), "RECORD_NOT_FOUND", 404)  # noqa: B023
        refused(lambda: records.delete("qa_lead", identity, by=by), "RECORD_NOT_FOUND", 404)  # noqa: B023


def test_readonly_fields_are_dropped(inside):
    by = inside.actor("sales")
    data = {
        "name": "Ann",
        "fixed": "x",
        "created_at": "2001-01-01T00:00:00Z",
        "code": "L-9",
        "id": str(uuid7()),
    }
    written = records.create("qa_lead", data, by=by)
    assert sorted(written.dropped) == ["code", "created_at", "fixed", "id"]
    assert written.record()["fixed"] is None
    assert written.id != data["id"]
    assert written.header().endswith(";reason=readonly")
    assert json.loads(written.body())["droppedFields"][0]["reason"] == "readonly"
    again = records.update("qa_lead", written.id, {"version": 7, "company": "c"}, by=by)
    assert (list(again.dropped), again.record()["version"]) == (["version"], 2)


def test_fields_one_may_not_write_are_refused(inside):
    by = inside.actor("sales")
    lead = records.create("qa_lead", {"name": "Ann"}, by=by)
    for field in ("secret_note", "est_value"):
        refused(lambda: records.create("qa_lead", {"name": "x", field: "1"}, by=by), "PERMISSION_DENIED", 403)  # noqa: B023
        refused(lambda: records.update("qa_lead", lead.id, {field: "1"}, by=by), "PERMISSION_DENIED", 403)  # noqa: B023
    records.update("qa_lead", lead.id, {"secret_note": "1"}, by=inside.actor("manager"))  # negative control


def test_objects_one_may_not_write_are_refused(inside):
    by, lead = inside.actor("reader"), insert("qa_lead", name="x", owner_id=inside.user("reader"))
    refused(lambda: records.create("qa_lead", {"name": "x"}, by=by), "PERMISSION_DENIED", 403)
    refused(lambda: records.update("qa_lead", lead, {"name": "y"}, by=by), "PERMISSION_DENIED", 403)
    refused(lambda: records.delete("qa_lead", lead, by=by), "PERMISSION_DENIED", 403)
    refused(
        lambda: records.create("qa_lead", {"name": "x"}, by=inside.actor("owner", "globex")),
        "PERMISSION_DENIED",
    )


def test_records_of_others(inside):
    sales = inside.actor("sales")
    private = insert("qa_lead", name="x", owner_id=inside.user("manager"))
    refused(lambda: records.update("qa_lead", private, {"name": "y"}, by=sales), "RECORD_NOT_FOUND", 404)
    readable = insert("qa_account", name="Acme", owner_id=inside.user("manager"))
    refused(lambda: records.update("qa_account", readable, {"name": "y"}, by=sales), "PERMISSION_DENIED", 403)
    shared = insert("qa_board", title="x", owner_id=inside.user("manager"))
    assert records.update("qa_board", shared, {"title": "y"}, by=sales).record()["title"] == "y"
    refused(lambda: records.delete("qa_board", shared, by=sales), "PERMISSION_DENIED", 403)
    records.update("qa_lead", private, {"name": "y"}, by=inside.actor("manager"))  # negative control


def test_refusals_are_in_the_ledger(wiped):
    reader = wiped.actor("reader")
    refused(
        lambda: records.create("qa_lead", {"name": "x"}, by=reader, tenant=wiped.acme), "PERMISSION_DENIED"
    )
    with tenant_scope(wiped.acme):
        row = Pending.objects.filter(action="qa_lead.create").last()
    assert json.loads(bytes(row.body))["details"]["outcome"] == "denied"
    assert json.loads(bytes(row.body))["actor"]["id"] == reader.id


# -- owners ----------------------------------------------------------------------------------------


def test_giving_away_needs_the_right_to_transfer(inside):
    sales, manager = inside.actor("sales"), inside.actor("manager")
    lead = records.create("qa_lead", {"name": "Ann"}, by=sales)
    other = str(manager.user_id)
    refused(
        lambda: records.update("qa_lead", lead.id, {"owner_id": other}, by=sales), "PERMISSION_DENIED", 403
    )
    refused(
        lambda: records.create("qa_lead", {"name": "x", "owner_id": other}, by=sales),
        "PERMISSION_DENIED",
        403,
    )
    moved = records.update("qa_lead", lead.id, {"owner_id": other}, by=manager)
    assert moved.record()["owner_id"] == other
    assert records.create("qa_lead", {"name": "x", "owner_id": str(sales.user_id)}, by=manager).record()[
        "owner_id"
    ]


def test_owners_and_users_are_members(inside):
    by = inside.actor("manager")
    for field in ("owner_id", "assignee"):
        for stranger in (uuid7(), inside.user("owner", "globex")):
            data = {"name": "x", field: str(stranger)}
            problem = refused(lambda: records.create("qa_lead", data, by=by), "VALIDATION_FAILED", 400)  # noqa: B023
            assert [(f.field, f.code) for f in problem.fields] == [(field, "reference_not_found")]


# -- references ------------------------------------------------------------------------------------


def test_references_must_be_readable(inside):
    sales, manager = inside.actor("sales"), inside.actor("manager")
    account = records.create("qa_account", {"name": "Acme"}, by=manager)
    hidden = records.create("qa_lead", {"name": "hidden"}, by=manager)
    assert (
        records.create("qa_lead", {"name": "x", "account": account.id}, by=sales).record()["account"]
        == account.id
    )
    absent = str(uuid7())
    for parent in (hidden.id, absent):
        attempt = lambda p=parent: records.create("qa_note", {"title": "n", "lead": p}, by=sales)  # noqa: E731
        problem = refused(attempt, "VALIDATION_FAILED", 400)
        told = json.dumps(problem.as_dict()).replace(parent, "ID")
        assert [(f.field, f.code) for f in problem.fields] == [("lead", "reference_not_found")]
        assert told == json.dumps(problem.as_dict()).replace(parent, "ID")
    records.create("qa_note", {"title": "n", "lead": hidden.id}, by=manager)  # negative control
    gone = records.create("qa_account", {"name": "Gone"}, by=manager)
    records.delete("qa_account", gone.id, by=manager)
    refused(
        lambda: records.create("qa_lead", {"name": "x", "account": gone.id}, by=sales), "VALIDATION_FAILED"
    )
    note = records.create(
        "qa_note", {"title": "n", "lead": records.create("qa_lead", {"name": "y"}, by=sales).id}, by=sales
    )
    refused(
        lambda: records.update("qa_note", note.id, {"lead": hidden.id}, by=sales), "VALIDATION_FAILED", 400
    )


def test_a_refused_reference_leaves_nothing(inside):
    by = inside.actor("sales")
    refused(
        lambda: records.create("qa_lead", {"name": "ghost", "account": str(uuid7())}, by=by),
        "VALIDATION_FAILED",
    )
    assert query.count("qa_lead", {"where": {"name": "ghost"}}, by=SYSTEM) == (0, "exact")
    assert not Pending.objects.filter(action="qa_lead.created").exists()
    assert not OutboxEvent.objects.filter(type="qa_lead.created").exists()


# -- uniqueness ------------------------------------------------------------------------------------


def test_unique_values(inside):
    manager, sales = inside.actor("manager"), inside.actor("sales")
    records.create("qa_lead", {"name": "secret deal", "ref_no": "R-1"}, by=manager)
    problem = refused(
        lambda: records.create("qa_lead", {"name": "x", "ref_no": "R-1"}, by=sales), "UNIQUE_VIOLATION", 409
    )
    assert [fault.field for fault in problem.fields] == ["ref_no"]
    assert "secret deal" not in json.dumps(problem.as_dict())
    mine = records.create("qa_lead", {"name": "x", "ref_no": "R-2"}, by=sales)  # the scope is still usable
    refused(lambda: records.update("qa_lead", mine.id, {"ref_no": "R-1"}, by=sales), "UNIQUE_VIOLATION", 409)


# -- versions --------------------------------------------------------------------------------------


def test_optimistic_concurrency(inside):
    by = inside.actor("sales")
    first = records.create("qa_lead", {"name": "Ann"}, by=by).record()
    second = records.update(
        "qa_lead", first["id"], {"name": "Bob"}, by=by, if_match=first["updated_at"]
    ).record()
    assert second["updated_at"] > first["updated_at"]
    for stale in (
        first["updated_at"],
        1,
        "1",
        '"1"',
        "2001-01-01T00:00:00.000Z",
        f'W/"{first["updated_at"]}"',
    ):
        attempt = lambda s=stale: records.update("qa_lead", first["id"], {"name": "C"}, by=by, if_match=s)  # noqa: E731
        problem = refused(attempt, "CONCURRENT_UPDATE", 409)
        assert problem.details["currentVersion"] == second["updated_at"]
        assert problem.details["currentRecord"]["name"] == "Bob"
        assert "secret_note" not in problem.details["currentRecord"]
    refused(lambda: records.delete("qa_lead", first["id"], by=by, if_match=1), "CONCURRENT_UPDATE", 409)
    refused(lambda: records.update("qa_lead", first["id"], {}, by=by, if_match="soon"), "INVALID_QUERY", 400)
    for good in (2, "2", f'"{second["updated_at"]}"'):
        records.update("qa_lead", first["id"], {}, by=by, if_match=good)


def test_the_version_token_always_moves(inside):
    by = inside.actor("sales")
    lead = records.create("qa_lead", {"name": "0"}, by=by)
    tokens = [
        records.update("qa_lead", lead.id, {"name": str(n)}, by=by).record()["updated_at"]
        for n in range(1, 30)
    ]
    assert len(set(tokens)) == len(tokens)
    assert tokens == sorted(tokens)


def test_writing_the_same_again_changes_nothing(inside):
    by = inside.actor("manager")
    lead = records.create("qa_lead", FULL | {"est_value": 5}, by=by)
    again = records.update("qa_lead", lead.id, FULL | {"est_value": "5.00"}, by=by)
    assert (again.changed, again.record()["version"]) == ((), 1)
    assert len(entries(lead.id)) == len(events(lead.id)) == 1


def in_threads(count, work):
    results, barrier = [], threading.Barrier(count)

    def run(n):
        try:
            barrier.wait()
            results.append(work(n))
        except Problem as problem:
            results.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return results


def test_of_concurrent_updates_one_wins(wiped):
    by = wiped.actor("sales")
    lead = records.create("qa_lead", {"name": "Ann"}, by=by, tenant=wiped.acme)
    work = lambda n: records.update(  # noqa: E731
        "qa_lead", lead.id, {"name": f"n{n}"}, by=by, tenant=wiped.acme, if_match=1
    )
    results = in_threads(6, work)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 5 + ["Written"]
    assert query.get("qa_lead", lead.id, by=by, tenant=wiped.acme).record()["version"] == 2


def test_without_a_version_every_update_counts(wiped):
    """Negative control: the same threads all succeed when nobody asks for the version."""
    by = wiped.actor("sales")
    lead = records.create("qa_lead", {"name": "Ann"}, by=by, tenant=wiped.acme)
    work = lambda n: records.update("qa_lead", lead.id, {"name": f"n{n}"}, by=by, tenant=wiped.acme)  # noqa: E731
    assert len([result for result in in_threads(6, work) if not isinstance(result, Problem)]) == 6
    assert query.get("qa_lead", lead.id, by=by, tenant=wiped.acme).record()["version"] == 7


def test_concurrent_unique_values(wiped):
    by = wiped.actor("sales")
    work = lambda n: records.create("qa_lead", {"name": f"n{n}", "ref_no": "SAME"}, by=by, tenant=wiped.acme)  # noqa: E731
    results = in_threads(5, work)
    assert sorted(getattr(result, "code", "ok") for result in results) == ["UNIQUE_VIOLATION"] * 4 + ["ok"]


# -- the book --------------------------------------------------------------------------------------


def test_history_holds_before_and_after(inside):
    by = inside.actor("manager")
    lead = records.create("qa_lead", {"name": "Ann", "est_value": "1.50", "extra": {"x": 0.5}}, by=by)
    records.update("qa_lead", lead.id, {"name": "Bob", "status": "new", "est_value": None}, by=by)
    records.delete("qa_lead", lead.id, by=by)
    records.restore("qa_lead", lead.id, by=by)
    (made, first), (changed, second), (deleted, _), (restored, _) = entries(lead.id)
    assert [made, changed, deleted, restored] == [
        "qa_lead.created", "qa_lead.updated", "qa_lead.deleted", "qa_lead.restored",
    ]  # fmt: skip
    assert first["after"]["est_value"] == "1.5"
    assert second["before"] == {"name": "Ann", "est_value": "1.5"}
    assert second["after"] == {"name": "Bob", "est_value": None}
    assert first["actor"]["id"] == by.id
    kinds = [kind for kind, _ in events(lead.id)]
    assert kinds == ["qa_lead.created", "qa_lead.updated", "qa_lead.deleted", "qa_lead.restored"]
    assert events(lead.id)[1][1] == {
        "object": "qa_lead",
        "id": lead.id,
        "version": 2,
        "changed": ["est_value", "name"],
    }


def test_untracked_field_has_no_history(inside):
    by = inside.actor("manager")
    lead = records.create("qa_lead", {"name": "Ann", "quiet": "psst"}, by=by)
    records.update("qa_lead", lead.id, {"quiet": "hush", "company": "c"}, by=by)
    book = json.dumps(entries(lead.id))
    assert "psst" not in book
    assert "hush" not in book
    assert entries(lead.id)[1][1]["after"] == {"company": "c"}
    assert events(lead.id)[1][1]["changed"] == ["company", "quiet"]


def test_history_is_undone_with_the_change(inside):
    by = inside.actor("manager")
    lead = records.create("qa_lead", {"name": "Ann"}, by=by)
    with transaction.atomic():
        records.update("qa_lead", lead.id, {"name": "Bob"}, by=by)
        transaction.set_rollback(True)
    assert [action for action, _ in entries(lead.id)] == ["qa_lead.created"]
    assert query.get("qa_lead", lead.id, by=by).record()["name"] == "Ann"


def test_history_can_be_switched_off(acme):
    body = {"name": "qa_silent", "enable": {"trackHistory": False}, "fields": {"title": {"type": "text"}}}
    with owner_session(), tenant_scope(acme):
        publish_objects([load_body(body)], by=SYSTEM)
        made = records.create("qa_silent", {"title": "psst"}, by=SYSTEM)
        records.update("qa_silent", made.id, {"title": "hush"}, by=SYSTEM)
        book = entries(made.id, "qa_silent")
        transaction.set_rollback(True)
    assert [action for action, _ in book] == ["qa_silent.created", "qa_silent.updated"]
    assert "psst" not in json.dumps(book)
    assert "hush" not in json.dumps(book)
