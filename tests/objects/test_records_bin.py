"""The bin: deleting, what goes along, what forbids it, taking out, and removing for good."""

import json

import pytest
from django.db import connections, transaction

from apps.audit.models import Pending
from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Problem
from apps.core.ids import uuid7
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.parse import load_body
from apps.objects.publish import publish_objects
from tests.objects.test_records import entries, events, refused
from tests.objects.world import insert


def table(name):
    with connections["default"].cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "obj_{name}"')
        return cursor.fetchone()[0]


def test_delete_and_restore(inside):
    by = inside.actor("sales")
    lead = records.create("qa_lead", {"name": "Ann", "ref_no": "R-1"}, by=by)
    gone = records.delete("qa_lead", lead.id, by=by)
    assert json.loads(gone.body()) == {"object": "qa_lead", "id": lead.id, "success": True}
    refused(lambda: query.get("qa_lead", lead.id, by=by), "RECORD_NOT_FOUND", 404)
    refused(lambda: records.update("qa_lead", lead.id, {"name": "x"}, by=by), "RECORD_NOT_FOUND", 404)
    refused(lambda: records.delete("qa_lead", lead.id, by=by), "RECORD_NOT_FOUND", 404)
    assert table("qa_lead") == 1
    back = records.restore("qa_lead", lead.id, by=by).record()
    assert (back["name"], back["version"]) == ("Ann", 3)
    assert query.get("qa_lead", lead.id, by=by).record() == back


def test_restoring_twice_is_restoring_once(inside):
    by = inside.actor("sales")
    lead = records.create("qa_lead", {"name": "Ann"}, by=by)
    records.delete("qa_lead", lead.id, by=by)
    first = records.restore("qa_lead", lead.id, by=by)
    again = records.restore("qa_lead", lead.id, by=by)
    assert first.record() == again.record()
    assert [action for action, _ in entries(lead.id)].count("qa_lead.restored") == 1


def test_the_bin_of_others_is_closed(inside):
    lead = insert("qa_lead", name="x", owner_id=inside.user("manager"), deleted_at="2026-01-01T00:00:00Z")
    refused(lambda: records.restore("qa_lead", lead, by=inside.actor("sales")), "RECORD_NOT_FOUND", 404)
    refused(lambda: records.restore("qa_lead", lead, by=inside.actor("reader")), "PERMISSION_DENIED", 403)
    records.restore("qa_lead", lead, by=inside.actor("manager"))


def test_unique_values_are_free_while_in_the_bin(inside):
    by = inside.actor("sales")
    lead = records.create("qa_lead", {"name": "Ann", "ref_no": "R-1"}, by=by)
    records.delete("qa_lead", lead.id, by=by)
    taken = records.create("qa_lead", {"name": "Bob", "ref_no": "R-1"}, by=by)
    refused(lambda: records.restore("qa_lead", lead.id, by=by), "UNIQUE_VIOLATION", 409)
    records.delete("qa_lead", taken.id, by=by)
    records.restore("qa_lead", lead.id, by=by)


def test_details_go_and_come_back_with_their_master(inside):
    by = inside.actor("sales")
    lead = records.create("qa_lead", {"name": "Ann"}, by=by)
    notes = [records.create("qa_note", {"title": str(n), "lead": lead.id}, by=by).id for n in range(3)]
    records.delete("qa_note", notes[0], by=by)
    assert records.delete("qa_lead", lead.id, by=by).also == 2
    assert query.find("qa_note", {}, by=by).total == 0
    assert entries(notes[1], "qa_note")[-1][1]["details"]["with"] == f"qa_lead:{lead.id}"
    assert [kind for kind, _ in events(notes[1], "qa_note")] == ["qa_note.created", "qa_note.deleted"]
    refused(lambda: records.restore("qa_note", notes[1], by=by), "INVALID_STATE", 409)
    records.restore("qa_lead", lead.id, by=by)
    back = {row["id"] for row in query.find("qa_note", {}, by=by).records()}
    assert back == set(notes[1:])
    records.restore("qa_note", notes[0], by=by)


def test_a_restricting_reference_forbids_it(inside):
    manager, sales = inside.actor("manager"), inside.actor("sales")
    account = records.create("qa_account", {"name": "Acme"}, by=manager)
    lead = records.create("qa_lead", {"name": "Ann", "account": account.id}, by=sales)
    problem = refused(lambda: records.delete("qa_account", account.id, by=manager), "DELETE_RESTRICTED", 409)
    assert (problem.details["dependentObject"], problem.details["dependentCount"]) == ("qa_lead", 1)
    records.delete("qa_lead", lead.id, by=sales)
    records.delete("qa_account", account.id, by=manager)


def test_what_restricts_is_not_counted_for_those_who_may_not_see_it(inside):
    manager, sales = inside.actor("manager"), inside.actor("sales")
    board = {"objects": {"qa_account": {"allowRead": True, "allowDelete": True}}}
    from apps.permissions import services as permissions

    permissions.create_set(name="qa_deleters", label="d", body=board, by=SYSTEM)
    permissions.assign(user_id=sales.user_id, name="qa_deleters", by=SYSTEM)
    account = records.create("qa_account", {"name": "Acme"}, by=sales)
    records.create("qa_lead", {"name": "hidden", "account": account.id}, by=manager)
    problem = refused(lambda: records.delete("qa_account", account.id, by=sales), "DELETE_RESTRICTED", 409)
    assert problem.details["dependentCount"] == 0
    assert "hidden" not in json.dumps(problem.as_dict())


def test_purging(inside):
    owner, sales, manager = inside.actor("owner"), inside.actor("sales"), inside.actor("manager")
    lead = records.create("qa_lead", {"name": "Ann"}, by=sales)
    refused(lambda: records.purge("qa_lead", lead.id, by=owner), "INVALID_STATE", 409)
    records.delete("qa_lead", lead.id, by=sales)
    refused(lambda: records.purge("qa_lead", lead.id, by=sales), "PERMISSION_DENIED", 403)
    refused(lambda: records.purge("qa_lead", lead.id, by=manager), "PERMISSION_DENIED", 403)
    records.purge("qa_lead", lead.id, by=owner)
    assert table("qa_lead") == 0
    assert [action for action, _ in entries(lead.id)][-1] == "qa_lead.purged"
    refused(lambda: records.restore("qa_lead", lead.id, by=owner), "RECORD_NOT_FOUND", 404)


def test_purging_what_others_point_to(inside):
    owner = inside.actor("owner")
    account = records.create("qa_account", {"name": "Acme"}, by=owner)
    lead = records.create("qa_lead", {"name": "Ann", "account": account.id}, by=owner)
    records.delete("qa_lead", lead.id, by=owner)
    records.delete("qa_account", account.id, by=owner)
    refused(lambda: records.purge("qa_account", account.id, by=owner), "DELETE_RESTRICTED", 409)
    records.purge("qa_lead", lead.id, by=owner)
    records.purge("qa_account", account.id, by=owner)


# -- many at once ----------------------------------------------------------------------------------


def test_create_many_is_all_or_nothing(inside):
    by = inside.actor("sales")
    written = records.create_many("qa_lead", [{"name": f"n{n}"} for n in range(5)], by=by)
    assert len({item.id for item in written}) == 5
    attempt = lambda: records.create_many("qa_lead", [{"name": "a"}, {"company": "x"}, {"name": "b"}], by=by)  # noqa: E731
    problem = refused(attempt, "VALIDATION_FAILED", 400)
    assert problem.details["index"] == 1
    assert query.count("qa_lead", {}, by=by) == (5, "exact")
    refused(lambda: records.create_many("qa_lead", [{"name": "n"}] * 201, by=by), "PAYLOAD_TOO_LARGE", 413)
    refused(lambda: records.create_many("qa_lead", {"name": "n"}, by=by), "VALIDATION_FAILED", 400)


def test_rows_stand_for_themselves(inside):
    by = inside.actor("sales")
    good = records.create("qa_lead", {"name": "Ann"}, by=by)
    rows = [{"id": good.id, "data": {"name": "Bob"}}, {"id": "nope", "data": {"name": "x"}}, {"data": {}}, 5]
    result = records.update_many("qa_lead", rows, by=by, continue_on_error=True).as_dict()
    assert (result["success"], result["total"], result["succeeded"], result["failed"]) == (False, 4, 1, 3)
    assert result["results"][0]["data"]["name"] == "Bob"
    codes = [row["errors"][0]["code"] for row in result["results"][1:]]
    assert codes == ["RECORD_NOT_FOUND", "VALIDATION_FAILED", "VALIDATION_FAILED"]
    assert query.get("qa_lead", good.id, by=by).record()["name"] == "Bob"


def test_the_first_fault_ends_a_batch_unless_told_otherwise(inside):
    by = inside.actor("sales")
    rows = [{"data": {"name": "a"}}, {"data": {}}, {"data": {"name": "c"}}]
    result = records.batch("qa_lead", "create", rows, by=by)
    assert [row.success for row in result.rows] == [True, False, False]
    assert query.count("qa_lead", {}, by=by) == (1, "exact")
    assert records.batch("qa_lead", "create", rows, by=by, continue_on_error=True).succeeded == 2


def test_an_atomic_batch_is_all_or_nothing(inside):
    by = inside.actor("sales")
    rows = [{"data": {"name": "a"}}, {"data": {}}, {"data": {"name": "c"}}]
    result = records.batch("qa_lead", "create", rows, by=by, atomic=True, continue_on_error=True).as_dict()
    assert (result["success"], result["succeeded"], result["failed"]) == (False, 0, 3)
    assert [row["errors"][0]["code"] for row in result["results"]] == [
        "ROLLED_BACK",
        "VALIDATION_FAILED",
        "ROLLED_BACK",
    ]
    assert query.count("qa_lead", {}, by=by) == (0, "exact")
    fine = records.batch("qa_lead", "create", rows[:1], by=by, atomic=True, return_records=True).as_dict()
    assert fine["results"][0]["data"]["name"] == "a"


def test_delete_many(inside):
    by = inside.actor("sales")
    ids = [records.create("qa_lead", {"name": str(n)}, by=by).id for n in range(3)]
    other = insert("qa_lead", name="x", owner_id=inside.user("manager"))
    result = records.delete_many("qa_lead", [*ids, str(other), str(uuid7())], by=by, continue_on_error=True)
    assert [row.success for row in result.rows] == [True, True, True, False, False]
    assert result.rows[3].problem.code == result.rows[4].problem.code == "RECORD_NOT_FOUND"


def test_batches_need_the_right_at_once(inside):
    refused(
        lambda: records.batch("qa_lead", "create", [], by=inside.actor("reader")), "PERMISSION_DENIED", 403
    )
    refused(lambda: records.batch("qa_lead", "explode", [], by=inside.actor("sales")), "INVALID_QUERY", 400)


def test_upsert(inside):
    by = inside.actor("sales")
    lead = records.create("qa_lead", {"name": "Ann"}, by=by)
    rows = [{"id": lead.id, "data": {"name": "Bob"}}, {"data": {"name": "New"}}]
    assert records.batch("qa_lead", "upsert", rows, by=by).succeeded == 2
    assert query.count("qa_lead", {}, by=by) == (2, "exact")


def test_upsert_by_external_id(acme):
    fields = {"title": {"type": "text"}, "key": {"type": "text", "externalId": True}}
    with owner_session(), tenant_scope(acme):
        publish_objects([load_body({"name": "qa_ext", "fields": fields})], by=SYSTEM)
        rows = [
            {"externalId": "k1", "data": {"title": "a", "key": "k1"}},
            {"data": {"title": "b", "key": "k1"}},
        ]
        first = records.batch("qa_ext", "upsert", rows, by=SYSTEM, return_records=True).as_dict()
        total = query.count("qa_ext", {}, by=SYSTEM)
        transaction.set_rollback(True)
    assert first["success"], first
    assert total == (1, "exact")
    assert [row["data"]["title"] for row in first["results"]] == ["a", "b"]


def test_clone(inside):
    by = inside.actor("sales")
    lead = records.create(
        "qa_lead", {"name": "Ann", "ref_no": "R-1", "extra": {"a": 0.5}, "tags": ["aa"]}, by=by
    )
    copy = records.clone("qa_lead", lead.id, {"name": "Copy"}, by=by)
    record = copy.record()
    assert (record["name"], record["ref_no"], record["tags"]) == ("Copy", None, ["aa"])
    assert record["extra"] == lead.record()["extra"]
    assert record["code"] != lead.record()["code"]
    assert json.loads(copy.body())["sourceId"] == lead.id
    hidden = insert("qa_lead", name="x", owner_id=inside.user("manager"), secret_note="s")
    refused(lambda: records.clone("qa_lead", hidden, by=by), "RECORD_NOT_FOUND", 404)
    secret = insert("qa_lead", name="x", owner_id=by.user_id, secret_note="s")
    assert (
        query.get("qa_lead", records.clone("qa_lead", secret, by=by).id, by=SYSTEM).record()["secret_note"]
        is None
    )


# -- scopes ----------------------------------------------------------------------------------------


def test_calls_outside_a_scope_open_their_own(wiped):
    by = wiped.actor("sales")
    lead = records.create("qa_lead", {"name": "Ann"}, by=by, tenant=wiped.acme)
    assert not connections["default"].in_atomic_block
    records.delete("qa_lead", lead.id, by=by, tenant=wiped.acme)
    records.restore("qa_lead", lead.id, by=by, tenant=wiped.acme)
    refused(
        lambda: records.update("qa_lead", lead.id, {"name": ""}, by=by, tenant=wiped.acme),
        "VALIDATION_FAILED",
    )
    with tenant_scope(wiped.acme):
        assert Pending.objects.filter(target=f"qa_lead:{lead.id}").count() == 3


def test_records_of_another_tenant_are_absent(wiped):
    mine = records.create("qa_lead", {"name": "Ann"}, by=wiped.actor("sales"), tenant=wiped.acme)
    theirs = wiped.actor("manager", "globex")
    for attempt in (
        lambda: records.update("qa_lead", mine.id, {"name": "x"}, by=theirs, tenant=wiped.globex),
        lambda: records.delete("qa_lead", mine.id, by=theirs, tenant=wiped.globex),
        lambda: records.restore("qa_lead", mine.id, by=theirs, tenant=wiped.globex),
        lambda: records.clone("qa_lead", mine.id, by=theirs, tenant=wiped.globex),
    ):
        refused(attempt, "RECORD_NOT_FOUND", 404)
    refused(
        lambda: records.delete("qa_lead", mine.id, by=theirs, tenant=wiped.acme), "PERMISSION_DENIED", 403
    )
    problem = refused(
        lambda: records.create("qa_note", {"title": "n", "lead": mine.id}, by=theirs, tenant=wiped.globex),
        "VALIDATION_FAILED",
    )
    assert problem.fields[0].code == "reference_not_found"


def test_a_problem_leaves_the_scope_usable(inside):
    by = inside.actor("sales")
    with pytest.raises(Problem):
        records.create("qa_account", {"name": "x", "parent": str(uuid7())}, by=by)
    assert records.create("qa_account", {"name": "x"}, by=by).record()["name"] == "x"
