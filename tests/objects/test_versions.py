"""Every version of a record: what each changed, how it was, two beside each other, and the way back to one."""

from decimal import Decimal

import pytest
from django.db import connections

from apps.audit.models import Pending
from apps.audit.privacy import erasure
from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import tenant_scope
from apps.objects import records
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.objects.records import versions
from apps.permissions import services as permissions
from tests.objects.test_records import FULL, refused
from tests.objects.world import EVERY, insert


@pytest.fixture
def lead(inside):
    """A lead with four versions, made by the manager."""
    by = inside.actor("manager")
    made = records.create("qa_lead", {"name": "Ann", "score": "12.5", "company": "One"}, by=by)
    records.update("qa_lead", made.id, {"company": "Two", "score": 13}, by=by)
    records.update("qa_lead", made.id, {"company": None, "email": "ann@example.com"}, by=by)
    records.update("qa_lead", made.id, {"name": "Anna"}, by=by)
    return made.id


def test_the_versions_of_a_record_newest_first(inside, lead):
    by = inside.actor("manager")
    found = versions.versions("qa_lead", lead, by=by)
    assert [version.number for version in found] == [4, 3, 2, 1]
    assert [version.action for version in found] == ["qa_lead.updated"] * 3 + ["qa_lead.created"]
    changes = {change.field: (change.before, str(change.after)) for change in found[2].changes}
    assert changes == {"company": ("One", "Two"), "score": ("12.5", "13")}
    assert found[0].actor.label == by.label


def test_a_record_as_it_was(inside, lead):
    by = inside.actor("manager")
    seen = [versions.at("qa_lead", lead, number, by=by).values for number in (1, 2, 3, 4)]
    assert [values["name"] for values in seen] == ["Ann", "Ann", "Ann", "Anna"]
    assert [values["company"] for values in seen] == ["One", "Two", None, None]
    assert [values["score"] for values in seen] == [Decimal("12.5"), 13, 13, 13]
    assert [values["email"] for values in seen] == [None, None, "ann@example.com", "ann@example.com"]


def test_a_version_that_never_was(inside, lead):
    refused(lambda: versions.at("qa_lead", lead, 9, by=inside.actor("manager")), "VERSION_NOT_FOUND", 404)


def test_two_versions_beside_each_other(inside, lead):
    by = inside.actor("manager")
    found = versions.compare("qa_lead", lead, 1, 4, by=by)
    assert {item.field: (item.before, item.after) for item in found.differences} == {
        "name": ("Ann", "Anna"),
        "company": ("One", None),
        "email": (None, "ann@example.com"),
        "score": (Decimal("12.5"), Decimal(13)),
    }
    back = versions.compare("qa_lead", lead, 4, 1, by=by)
    assert {item.field: item.after for item in back.differences}["company"] == "One"
    assert versions.compare("qa_lead", lead, 3, 3, by=by).differences == ()


def test_the_way_back_is_a_change_of_its_own(inside, lead):
    by = inside.actor("manager")
    done = versions.restore_version("qa_lead", lead, 2, by=by)
    record = done.written.record()
    assert (record["name"], record["company"], record["email"], record["version"]) == ("Ann", "Two", None, 5)
    newest = versions.versions("qa_lead", lead, by=by)[0]
    assert (newest.number, newest.restored) == (5, 2)
    assert done.skipped == {"quiet": "unknown"}, "its history is not kept"
    again = versions.restore_version("qa_lead", lead, 4, by=by)
    assert again.written.record()["name"] == "Anna"


def test_what_is_the_same_already_writes_nothing(inside, lead):
    by = inside.actor("manager")
    done = versions.restore_version("qa_lead", lead, 4, by=by)
    assert done.written.changed == ()
    assert len(versions.versions("qa_lead", lead, by=by)) == 4


def test_only_the_fields_asked_for_return(inside, lead):
    by = inside.actor("manager")
    record = versions.restore_version("qa_lead", lead, 1, by=by, fields=["company"]).written.record()
    assert (record["company"], record["name"]) == ("One", "Anna")
    refused(
        lambda: versions.restore_version("qa_lead", lead, 1, by=by, fields=["nonsense"]), "INVALID_FIELD", 400
    )


def test_every_kind_of_value_returns_as_it_was(inside):
    """Write every field, empty or change each, go back: byte for byte the record it was."""
    by = inside.actor("manager")
    made = records.create("qa_lead", FULL | {"est_value": "12345678.91", "assignee": str(by.user_id)}, by=by)
    first = made.record()
    empty = dict.fromkeys([*FULL, "est_value", "assignee"]) | {"name": "x", "vip": True}
    records.update("qa_lead", made.id, empty, by=by)
    record = versions.restore_version("qa_lead", made.id, 1, by=by).written.record()
    moved = {"version", "updated_at"}
    assert {k: v for k, v in record.items() if k not in moved} == {
        k: v for k, v in first.items() if k not in moved
    }


def test_somebody_else_was_faster(inside, lead):
    by = inside.actor("manager")
    problem = refused(
        lambda: versions.restore_version("qa_lead", lead, 1, by=by, if_match=3), "CONCURRENT_UPDATE", 409
    )
    assert problem.details["currentRecord"]["name"] == "Anna"


def test_an_old_value_must_still_be_valid(inside):
    by = inside.actor("manager")
    account = records.create("qa_account", {"name": "Gone Ltd"}, by=by)
    made = records.create("qa_lead", {"name": "Ann", "account": account.id}, by=by)
    records.update("qa_lead", made.id, {"account": None}, by=by)
    records.delete("qa_account", account.id, by=by)
    problem = refused(
        lambda: versions.restore_version("qa_lead", made.id, 1, by=by), "VALIDATION_FAILED", 400
    )
    assert [item.field for item in problem.fields] == ["account"]


def test_hidden_fields_stay_hidden_in_every_version(inside):
    """R22: the reader finds nothing of a field that is hidden from them, in no version and no comparison."""
    manager, sales = inside.actor("manager"), inside.actor("sales")
    made = records.create(
        "qa_lead", {"name": "Ann", "secret_note": "one", "owner_id": str(sales.user_id)}, by=manager
    )
    records.update("qa_lead", made.id, {"secret_note": "two"}, by=manager)
    assert [c.field for v in versions.versions("qa_lead", made.id, by=manager) for c in v.changes].count(
        "secret_note"
    ) == 2
    for version in versions.versions("qa_lead", made.id, by=sales):
        assert "secret_note" not in {change.field for change in version.changes}
    state = versions.at("qa_lead", made.id, 1, by=sales)
    assert "secret_note" not in {*state.values, *state.unknown}
    assert versions.compare("qa_lead", made.id, 1, 2, by=sales).differences == ()
    done = versions.restore_version("qa_lead", made.id, 1, by=sales)
    assert "secret_note" not in done.skipped
    assert versions.at("qa_lead", made.id, 2, by=manager).values["secret_note"] == "two"


def test_a_record_that_may_not_be_seen_has_no_versions(inside, lead):
    by = inside.actor("sales")
    for call in (
        lambda: versions.versions("qa_lead", lead, by=by),
        lambda: versions.at("qa_lead", lead, 1, by=by),
        lambda: versions.compare("qa_lead", lead, 1, 2, by=by),
        lambda: versions.restore_version("qa_lead", lead, 1, by=by),
    ):
        refused(call, "RECORD_NOT_FOUND", 404)


def test_who_may_only_read_restores_nothing(inside, lead):
    reader = inside.actor("reader")
    assert len(versions.versions("qa_lead", lead, by=reader)) == 4
    refused(lambda: versions.restore_version("qa_lead", lead, 1, by=reader), "PERMISSION_DENIED", 403)


def test_fields_without_history_are_not_known(inside):
    by = inside.actor("manager")
    made = records.create("qa_lead", {"name": "Ann", "quiet": "one"}, by=by)
    records.update("qa_lead", made.id, {"quiet": "two", "name": "Anna"}, by=by)
    state = versions.at("qa_lead", made.id, 1, by=by)
    assert "quiet" in state.unknown
    assert "quiet" not in state.values
    done = versions.restore_version("qa_lead", made.id, 1, by=by)
    assert done.skipped == {"quiet": "unknown"}
    assert done.written.record()["quiet"] == "two"


def test_without_the_first_entry_the_way_goes_back_from_today(inside, lead):
    """The oldest entries were removed by retention: what is left still tells how the record was."""
    by = inside.actor("manager")
    first = Pending.objects.filter(target=f"qa_lead:{lead}").order_by("id").first()
    with connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM public.audit_pending WHERE entry_id = %s", [first.entry_id])
    assert [version.number for version in versions.versions("qa_lead", lead, by=by)] == [4, 3, 2]
    values = versions.at("qa_lead", lead, 2, by=by).values
    assert (values["name"], values["company"], values["email"]) == ("Ann", "Two", None)


def test_entries_of_before_versions_were_written_down_are_counted_back(inside, monkeypatch):
    by = inside.actor("manager")
    real = versions._version
    monkeypatch.setattr(versions, "_version", lambda entry: versions.replace(real(entry), number=0))
    made = records.create("qa_lead", {"name": "Ann"}, by=by)
    for name in ("Bea", "Cleo"):
        records.update("qa_lead", made.id, {"name": name}, by=by)
    records.delete("qa_lead", made.id, by=by)
    records.restore("qa_lead", made.id, by=by)
    assert [version.number for version in versions.versions("qa_lead", made.id, by=by)] == [5, 4, 3, 2, 1]
    assert versions.at("qa_lead", made.id, 2, by=by).values["name"] == "Bea"


def test_fractions_within_json_are_left_alone_rather_than_changed_into_texts(inside):
    by = inside.actor("manager")
    made = records.create("qa_lead", {"name": "Ann", "extra": {"a": 1.5}}, by=by)
    records.update("qa_lead", made.id, {"extra": {"a": 2}}, by=by)
    done = versions.restore_version("qa_lead", made.id, 1, by=by)
    assert done.skipped == {"extra": "unknown", "quiet": "unknown"}
    assert done.written.record()["extra"] == {"a": 2}
    versions.restore_version("qa_lead", made.id, 2, by=by)


def test_what_was_erased_is_not_known_any_more(published, clean_connection):
    by, acme = published.actor("manager"), published.acme
    body = {
        "name": "qa_patient",
        "label": "Patient",
        "sharingModel": "public_read_write",
        "fields": {"name": {"type": "text", "personal": True}, "ward": {"type": "text"}},
    }
    publish_in(acme, [load_body(body)], by=SYSTEM)
    with tenant_scope(acme):
        permissions.create_set(
            name="qa_ward", label="Ward", body={"objects": {"qa_patient": EVERY}}, by=SYSTEM
        )
        permissions.assign(user_id=by.user_id, name="qa_ward", by=SYSTEM)
    with tenant_scope(acme):
        made = records.create("qa_patient", {"name": "Ann", "ward": "A"}, by=by)
        records.update("qa_patient", made.id, {"name": "Bea", "ward": "B"}, by=by)
        assert versions.at("qa_patient", made.id, 1, by=by).values["name"] == "Ann"
        erasure.erase(f"qa_patient:{made.id}", by=SYSTEM, reason="asked")
    with tenant_scope(acme):
        state = versions.at("qa_patient", made.id, 1, by=by)
        assert (state.values["ward"], state.unknown) == ("A", {"name"})
        found = versions.compare("qa_patient", made.id, 1, 2, by=by)
        assert {(item.field, item.known) for item in found.differences} == {("ward", True), ("name", False)}
        done = versions.restore_version("qa_patient", made.id, 1, by=by)
        assert done.skipped == {"name": "unknown"}
        assert done.written.record()["name"] == "Bea"


def test_a_row_nobody_wrote_through_a_service_has_no_versions(inside):
    """Negative control: the versions come from the ledger, not from the row."""
    manager = inside.actor("manager")
    made = insert("qa_lead", name="Raw", owner_id=manager.user_id)
    assert versions.versions("qa_lead", made, by=manager) == ()
    with pytest.raises(Problem, match="no version"):
        versions.at("qa_lead", made, 1, by=manager)
