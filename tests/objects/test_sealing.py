"""Personal fields of records: sealed in the ledger with the record's key, in every way that writes."""

import orjson
import pytest

from apps.audit import queries as ledger
from apps.audit.models import Pending, SubjectKey
from apps.audit.privacy import erasure
from apps.audit.sealing import keys
from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.objects import records
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions
from tests.objects.world import EVERY

PERSON = {
    "name": "qa_person",
    "label": "Person",
    "sharingModel": "public_read_write",
    "nameField": "name",
    "fields": {
        "name": {"type": "text", "required": True, "personal": True},
        "email": {"type": "email", "personal": True},
        "stage": {"type": "text"},
    },
}


@pytest.fixture(scope="module")
def stage(published):
    publish_in(published.acme, [load_body(PERSON)], by=SYSTEM)
    with tenant_scope(published.acme):
        body = {"objects": {"qa_person": EVERY | {"allowPurge": True}}}
        permissions.create_set(name="qa_people", label="People", body=body, by=SYSTEM)
        permissions.assign(user_id=published.user("sales"), name="qa_people", by=SYSTEM)
    return published


def bodies(record_id):
    rows = Pending.objects.filter(target=f"qa_person:{record_id}").order_by("id")
    return [bytes(row.body) for row in rows]


@pytest.mark.parametrize("outside", [True, False], ids=["in one go", "in a scope"])
def test_personal_fields_are_sealed_and_erased(stage, outside):
    by, acme = stage.actor("sales"), stage.acme

    def write():
        made = records.create("qa_person", {"name": "Zoë Quill", "stage": "one"}, by=by, tenant=acme)
        records.update(
            "qa_person", made.id, {"email": "zoe@quill.example", "stage": "two"}, by=by, tenant=acme
        )
        records.delete("qa_person", made.id, by=by, tenant=acme)
        return made.id

    if outside:
        write()  # so that this process knows the clock
        record_id = write()
    else:
        with tenant_scope(acme):
            record_id = write()
    target = f"qa_person:{record_id}"
    with tenant_scope(acme):
        raw = b"".join(bodies(record_id))
        assert b"Quill" not in raw
        assert b"quill" not in raw
        stored = [orjson.loads(body) for body in bodies(record_id)]
        assert [item["details"]["version"] for item in stored] == [1, 2, 3]
        assert stored[0]["after"] == {"stage": "one", "owner_id": str(by.user_id)}
        _gone, changed, made = ledger.history(target)
        assert made.after["name"] == "Zoë Quill"
        assert changed.after == {"email": "zoe@quill.example", "stage": "two"}
        erasure.erase(target, by=SYSTEM, reason="asked")
    with tenant_scope(acme):
        erased, _gone, changed, made = ledger.history(target)
        assert erased.action == "subject.erased"
        assert made.erased == {"after.name"}
        assert {change.field: (change.after, change.erased) for change in changed.changes} == {
            "email": (None, True),
            "stage": ("two", False),
        }
        assert made.actor.label == by.label, "erasing the record does not erase who worked on it"


def test_a_record_keeps_one_key_while_the_process_knows_it(stage):
    by, acme = stage.actor("sales"), stage.acme
    with tenant_scope(acme):
        made = records.create("qa_person", {"name": "Ann"}, by=by)
    for name in ("Bea", "Cleo"):
        with tenant_scope(acme):
            records.update("qa_person", made.id, {"name": name}, by=by)
    with tenant_scope(acme):
        assert SubjectKey.objects.filter(subject=f"qa_person:{made.id}").count() == 1
    keys.ring.clear()  # another process has its own
    with tenant_scope(acme):
        records.update("qa_person", made.id, {"name": "Dora"}, by=by)
    with tenant_scope(acme):
        assert SubjectKey.objects.filter(subject=f"qa_person:{made.id}").count() == 2
        assert [entry.after["name"] for entry in ledger.history(f"qa_person:{made.id}")] == [
            "Dora",
            "Cleo",
            "Bea",
            "Ann",
        ]


def test_without_the_mark_the_values_stand_in_clear(stage):
    """Negative control: the same values in a field that is not marked are found by a plain search."""
    by = stage.actor("sales")
    with tenant_scope(stage.acme):
        made = records.create("qa_person", {"name": "Ann", "stage": "Quill"}, by=by)
        assert b"Quill" in b"".join(bodies(made.id))


def test_a_personal_object_seals_every_field():
    plain = load_body(PERSON)
    assert plain.personal_fields == {"name", "email"}
    assert load_body(PERSON | {"personal": True}).personal_fields == {"name", "email", "stage"}
    with pytest.raises(DefinitionErrors):
        load_body(PERSON | {"personal": "yes"})
