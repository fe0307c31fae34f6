"""Encrypted fields: readable through every door for those who may, and nowhere else."""

import json
import logging
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connections

from apps.audit import queries as ledger
from apps.cli.launch.postgres import find_programs
from apps.core import clock, signing
from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.core.sealing import SealBroken
from apps.objects import query, records
from apps.objects.catalog import catalog
from apps.objects.encryption import rotation
from apps.objects.encryption.ring import Column, KeyGone, rings, version_of
from apps.objects.kinds.sealed import DOTS
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.publish import plan_objects, publish_in
from apps.objects.records import versions
from apps.objects.transfer import imports, kept
from apps.objects.transfer.mapping import Link
from apps.objects.transfer.models import ImportRun, Mode
from apps.objects.transfer.rows import Loader
from apps.permissions import services as permissions
from apps.tenants import archiving, lifecycle, removal
from apps.tenants.models import Tenant
from apps.tenants.states import State

IBAN, NOTE, MAIL = "DE89-canary-3704", 'canary in a note\nwith "quotes" and ümlauts', "canary@example.com"
PATIENT = {
    "name": "qe_patient",
    "label": "Patient",
    "sharingModel": "public_read_write",
    "nameField": "name",
    "fields": {
        "name": {"type": "text", "required": True},
        "iban": {"type": "text", "encrypted": True, "unique": True, "maskingRule": "last4"},
        "note": {"type": "textarea", "encrypted": True},
        "email": {"type": "email", "encrypted": "equality"},
        "salary": {"type": "currency", "encrypted": True, "min": 0},
        "born": {"type": "date", "encrypted": "equality"},
        "seen_at": {"type": "datetime", "encrypted": True},
        "doctor": {"type": "lookup", "reference": "qe_patient"},
    },
}
EVERY = {
    "allowRead": True,
    "allowCreate": True,
    "allowEdit": True,
    "allowExport": True,
    "viewAllRecords": True,
}
SETS = {
    "qe_clerk": ("sales", {"objects": {"qe_patient": EVERY}}),
    "qe_chief": (
        "manager",
        {
            "objects": {"qe_patient": EVERY},
            "fields": {"qe_patient.iban": {"editable": True, "unmasked": True}},
        },
    ),
}
VALUES = {
    "name": "Ann",
    "iban": IBAN,
    "note": NOTE,
    "email": MAIL,
    "salary": "12345678901234.56",
    "born": "1970-02-28",
    "seen_at": "2026-11-20T10:00:00.123Z",
}


def declared(**fields):
    return PATIENT | {"fields": PATIENT["fields"] | fields}


@pytest.fixture(scope="module")
def clinic(database, people):
    acme = database["acme"]
    for ref in database.values():
        publish_in(ref, [load_body(PATIENT)], by=SYSTEM)
    with tenant_scope(acme):
        for name, (holder, body) in SETS.items():
            permissions.create_set(name=name, label=name, body=body, by=SYSTEM)
            permissions.assign(user_id=people.actor(holder, "acme").user_id, name=name, by=SYSTEM)
    return acme


@pytest.fixture
def chief(people):
    return people.actor("manager", "acme")


@pytest.fixture
def patient(clinic, chief, clean_connection):
    made = records.create("qe_patient", VALUES, by=chief, tenant=clinic)
    yield made.id
    with tenant_scope(clinic), connections["default"].cursor() as cursor:
        cursor.execute('DELETE FROM "obj_qe_patient"')


def one(clinic, by, key, **options):
    return query.get("qe_patient", key, by=by, tenant=clinic, **options).record()


def raw(clinic, text, params=()):
    with tenant_scope(clinic), connections["default"].cursor() as cursor:
        cursor.execute(text, params)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def test_values_are_read_as_they_were_written(clinic, chief, patient):
    expected = VALUES | {"salary": Decimal("12345678901234.56")}
    assert {k: v for k, v in one(clinic, chief, patient).items() if k in VALUES} == expected
    page = query.find("qe_patient", {"after": "", "limit": 1}, by=chief, tenant=clinic)
    assert page.records()[0]["note"] == NOTE
    child = records.create("qe_patient", {"name": "Bob", "doctor": patient}, by=chief, tenant=clinic)
    assert child.record()["iban"] is None
    assert one(clinic, chief, child.id, expand="doctor")["doctor"]["note"] == NOTE
    changed = records.update("qe_patient", patient, {"note": "other"}, by=chief, tenant=clinic)
    assert (changed.record()["note"], changed.record()["iban"], changed.changed) == ("other", IBAN, ["note"])
    same = records.update("qe_patient", patient, {"salary": "12345678901234.56"}, by=chief, tenant=clinic)
    assert same.changed == (), "what stays equal writes nothing, encrypted or not"


def test_a_copy_has_the_values_and_a_version_only_says_that_there_were_some(clinic, chief, patient):
    copy = records.clone("qe_patient", patient, by=chief, tenant=clinic).record()
    assert (copy["note"], copy["salary"], copy["iban"]) == (NOTE, Decimal("12345678901234.56"), None)
    records.update("qe_patient", patient, {"note": "other"}, by=chief, tenant=clinic)
    with tenant_scope(clinic):
        entry = next(e for e in ledger.history(f"qe_patient:{patient}") if e.action == "qe_patient.updated")
        assert (entry.before["note"], entry.after["note"]) == (DOTS, f"{DOTS}*")
        back = versions.restore_version("qe_patient", patient, 1, by=chief)
        assert back.skipped["note"] == "unknown"
    assert one(clinic, chief, patient)["note"] == "other"


def test_columns_hold_bytes_that_differ_each_time(clinic, chief, patient):
    twin = records.create("qe_patient", VALUES | {"iban": "other-iban"}, by=chief, tenant=clinic)
    rows = raw(clinic, 'SELECT note, email FROM "obj_qe_patient" WHERE id IN (%s, %s)', [patient, twin.id])
    (note, mail), (other_note, other_mail) = [[bytes(cell) for cell in row] for row in rows]
    assert b"canary" not in note + mail and note[5:] != other_note[5:]
    assert note[5:21] != other_note[5:21], "without equality nothing tells that two values are the same"
    assert mail[5:21] == other_mail[5:21], "with it the blind part does"


@pytest.mark.parametrize("value", ["in a scope", "outside"])
def test_equal_values_are_found_and_nothing_else_is(clinic, chief, patient, value):
    def total(where):
        if value == "outside":
            return query.count("qe_patient", {"where": where}, by=chief, tenant=clinic)[0]
        with tenant_scope(clinic):
            return query.count("qe_patient", {"where": where}, by=chief)[0]

    assert [total({"email": MAIL}), total({"email": "x@example.com"})] == [1, 0]
    assert [total({"email": {"$in": ["x@y.de", MAIL]}}), total({"email": {"$nin": [MAIL]}})] == [1, 0]
    assert [total({"email": {"$ne": MAIL}}), total({"born": "1970-02-28"}), total({"iban": IBAN})] == [
        0,
        1,
        1,
    ]
    assert [total({"note": {"$null": False}}), total({"note": {"$null": True}})] == [1, 0]


REFUSED = {
    "equality where none is kept": {"where": {"note": NOTE}},
    "prefix": {"where": {"email": {"$startsWith": "c"}}},
    "order": {"orderBy": ["email"]},
    "range": {"where": {"salary": {"$gt": 5}}},
    "group": {"groupBy": ["email"]},
    "sum": {"aggregations": [{"function": "sum", "field": "salary", "alias": "s"}]},
    "distinct": {"aggregations": [{"function": "count_distinct", "field": "email", "alias": "n"}]},
    "comparison with a field": {"where": {"email": {"$eq": {"$field": "iban"}}}},
    "search": {"search": "canary", "searchFields": ["note"]},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_database_cannot_know_is_refused(clinic, chief, name):
    with pytest.raises(Problem) as refusal:
        query.find("qe_patient", REFUSED[name], by=chief, tenant=clinic)
    assert refusal.value.status == 400


def test_a_unique_value_is_taken_and_upserts_find_it(clinic, chief, patient):
    with pytest.raises(Problem) as refusal:
        records.create("qe_patient", {"name": "X", "iban": IBAN}, by=chief, tenant=clinic)
    assert refusal.value.code == "UNIQUE_VIOLATION" and refusal.value.details["field"] == "iban"


def test_a_mask_is_put_on_what_was_opened(clinic, people, patient):
    row = one(clinic, people.actor("sales", "acme"), patient)
    assert (row["iban"], row["note"]) == ("••••3704", NOTE)


def test_a_value_opens_in_its_own_cell_only(clinic, globex, chief, patient, caplog):
    other = records.create("qe_patient", {"name": "Thief"}, by=chief, tenant=clinic).id
    moves = {
        "another record": 'UPDATE "obj_qe_patient" a SET note = b.note FROM "obj_qe_patient" b WHERE b.id = %s AND a.id = %s',
        "another column": 'UPDATE "obj_qe_patient" a SET note = b.email FROM "obj_qe_patient" b WHERE b.id = %s AND a.id = %s',
    }
    for name, text in moves.items():
        raw(clinic, text, [patient, other])
        caplog.clear()
        with caplog.at_level(logging.ERROR, "aibos.encryption"):
            assert one(clinic, chief, other)["note"] is None, name
        assert f"qe_patient.note of {other}" in caplog.text and "canary" not in caplog.text
    (box,) = raw(clinic, 'SELECT note FROM "obj_qe_patient" WHERE id = %s', [patient])[0]
    box, key = bytes(box), UUID(patient)
    with tenant_scope(clinic):
        ring = rings.get()
    mine = Column(clinic.id, "obj_qe_patient", "note")
    assert json.loads(ring.open(mine, key, box)) == NOTE, "negative control: in its cell it opens"
    for column in (
        Column(globex.id, "obj_qe_patient", "note"),
        Column(clinic.id, "obj_qe_doctor", "note"),
        Column(clinic.id, "obj_qe_patient", "nota"),
    ):
        with pytest.raises(SealBroken):
            ring.open(column, key, box)
    for place in range(len(box)):
        changed = box[:place] + bytes([box[place] ^ 1]) + box[place + 1 :]
        with pytest.raises(SealBroken):
            ring.open(mine, key, changed)
    with tenant_scope(globex), pytest.raises(SealBroken):
        rings.get().open(mine, key, box)


def test_a_marker_cannot_be_written_by_people(clinic, chief):
    """A text in the form of a marker stays a text: the token is in nobody's hands."""
    text = f"{'0' * 32}|qe_patient|note||{UUID(int=1)}|00"
    made = records.create("qe_patient", {"name": text, "note": text}, by=chief, tenant=clinic)
    assert (made.record()["name"], made.record()["note"]) == (text, text)
    raw(clinic, 'DELETE FROM "obj_qe_patient" WHERE id = %s', [made.id])


def test_no_value_lies_open_in_a_dump(clinic, chief, patient, superuser_url):
    """Nor in the ledger, the events, or anywhere else that a write leaves traces."""
    records.update("qe_patient", patient, {"note": "canary two", "salary": "777.77"}, by=chief, tenant=clinic)
    plain = records.create("qe_patient", {"name": "canary-open"}, by=chief, tenant=clinic)
    dump = subprocess.run(
        [f"{find_programs()}/pg_dump", superuser_url], capture_output=True, check=True, timeout=60
    ).stdout.decode()
    lines = [line for line in dump.splitlines() if "canary" in line]
    assert lines and all("canary-open" in line for line in lines), "negative control: the open field is found"
    assert "777.77" not in dump and "1970-02-28" not in dump
    raw(clinic, 'DELETE FROM "obj_qe_patient" WHERE id = %s', [plain.id])


def test_what_an_import_keeps_is_sealed(clinic, chief, patient):
    content = f"name;email;note\nAnn;{MAIL};canary imported\n".encode()
    with tenant_scope(clinic):
        run = imports.upload(object_name="qe_patient", file_name="a.csv", content=content, by=SYSTEM)
        assert kept.file_of(ImportRun.objects.get(pk=run.id)) == content
        assert b"canary" not in bytes(ImportRun.objects.get(pk=run.id).content)
        loader = Loader(
            catalog().object("qe_patient"),
            run.header,
            [Link(**item) for item in run.mapping],
            Mode.UPSERT,
            ["email"],
            chief,
        )
        outcome = loader.load(["Ann", MAIL, "canary imported"])
    assert outcome.action == "updated" and "canary" not in json.dumps(outcome.before)
    assert kept.values_of(UUID(patient), outcome.before) == {"note": NOTE}
    assert one(clinic, chief, patient)["note"] == "canary imported"


def test_a_new_key_seals_everything_anew(clinic, chief, patient):
    with tenant_scope(clinic):
        before = rings.get().newest
        rotation.rotate(by=SYSTEM)
    assert one(clinic, chief, patient)["note"] == NOTE
    list(rotation.portions(clinic))
    with tenant_scope(clinic):
        assert rotation.standing().left == 0 and rings.get().newest == before + 1
    (box,) = raw(clinic, 'SELECT note FROM "obj_qe_patient" WHERE id = %s', [patient])[0]
    assert version_of(bytes(box)) == before + 1
    assert rotation.retire(clinic) == 0, "a transaction that began before may still write with the old key"
    assert rotation.retire(clinic, grace=rotation.dt.timedelta(0)) == before
    row = one(clinic, chief, patient)
    assert (row["note"], row["email"]) == (NOTE, MAIL)
    assert query.count("qe_patient", {"where": {"email": MAIL}}, by=chief, tenant=clinic)[0] == 1


def test_keys_in_use_are_not_retired(clinic, chief, patient):
    with tenant_scope(clinic):
        rotation.rotate(by=SYSTEM)
    assert rotation.retire(clinic, grace=rotation.dt.timedelta(0)) == 0
    list(rotation.portions(clinic))
    assert rotation.retire(clinic, grace=rotation.dt.timedelta(0)) == 1


def test_only_who_may_changes_keys(clinic, people):
    for attempt in (lambda by: rotation.rotate(by=by), lambda by: rotation.destroy(by=by, reason="x")):
        with tenant_scope(clinic), pytest.raises(Problem) as refusal:
            attempt(people.actor("manager", "acme"))
        assert refusal.value.status == 403


def test_an_archive_takes_the_values_to_another_installation(fresh_tenant, settings, tmp_path):
    settings.EXPORT_ROOT, settings.MEDIA_ROOT = str(tmp_path / "exports"), str(tmp_path / "files")
    publish_in(fresh_tenant, [load_body(PATIENT)], by=SYSTEM)
    made = records.create("qe_patient", VALUES, by=SYSTEM, tenant=fresh_tenant)
    archive = shutil.copy(archiving.export(tenant_id=fresh_tenant.id, by=SYSTEM), tmp_path / "kept.zip")
    with platform_scope("test"):
        for state in (State.ARCHIVED, State.DELETED):
            lifecycle.move(tenant_id=fresh_tenant.id, to=state, by=SYSTEM)
        old = Tenant.objects.get(pk=fresh_tenant.id)
    removal.remove(tenant=old, by=SYSTEM)
    trusted = signing.fingerprint(signing.public_key("tenant archive"))
    settings.SECRET_KEY = "another installation " * 3
    new = archiving.restore(
        path=Path(archive), slug="sealed-move", host="sealed-move.localhost", by=SYSTEM, trusted=trusted
    )
    row = query.get("qe_patient", made.id, by=SYSTEM, tenant=new.ref).record()
    assert (row["note"], row["iban"]) == (NOTE, IBAN)
    settings.SECRET_KEY = "a secret that never sealed anything " * 2
    with tenant_scope(new.ref):
        clock.bump(new.pk)
    row = query.get("qe_patient", made.id, by=SYSTEM, tenant=new.ref).record()
    assert (row["name"], row["note"]) == ("Ann", None), "without the secret the rest still works"


def test_a_destroyed_key_leaves_nothing_to_read(fresh_tenant):
    publish_in(fresh_tenant, [load_body(PATIENT)], by=SYSTEM)
    made = records.create("qe_patient", VALUES, by=SYSTEM, tenant=fresh_tenant)
    with tenant_scope(fresh_tenant):
        kept = rings.get()
        (box,) = raw(fresh_tenant, 'SELECT note FROM "obj_qe_patient"')[0]
        assert rotation.destroy(by=SYSTEM, reason="The contract has ended.") == 2
    row = query.get("qe_patient", made.id, by=SYSTEM, tenant=fresh_tenant).record()
    assert (row["name"], row["note"], row["salary"]) == ("Ann", None, None)
    with tenant_scope(fresh_tenant), pytest.raises(KeyGone):
        rings.get().open(Column(fresh_tenant.id, "obj_qe_patient", "note"), UUID(made.id), bytes(box))
    assert kept.open(Column(fresh_tenant.id, "obj_qe_patient", "note"), UUID(made.id), bytes(box))
    with pytest.raises(Problem) as refusal:
        records.update("qe_patient", made.id, {"note": "new"}, by=SYSTEM, tenant=fresh_tenant)
    assert refusal.value.code == "ENCRYPTION_KEY_GONE"
    renamed = records.update("qe_patient", made.id, {"name": "Anna"}, by=SYSTEM, tenant=fresh_tenant)
    assert renamed.record()["name"] == "Anna", "the rest of the record goes on"


CHANGES = {
    "sealed": ({}, {"encrypted": True}),
    "opened": ({"encrypted": True}, {}),
    "findable": ({"encrypted": True}, {"encrypted": "equality"}),
    "another type": ({"encrypted": True}, {"encrypted": True, "type": "textarea"}),
    "renamed": ({"encrypted": "equality"}, None),
    "required": ({"encrypted": True}, {"encrypted": True, "required": True}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_field_changes_and_keeps_its_values(fresh_tenant, name):
    before, after = CHANGES[name]
    body = {"name": "qe_thing", "label": "Thing", "nameField": "name"}
    fields = {"name": {"type": "text"}, "code": {"type": "text", "maxLength": 50, **before}}
    publish_in(fresh_tenant, [load_body(body | {"fields": fields})], by=SYSTEM)
    keys = [
        records.create("qe_thing", {"name": str(n), "code": f"value {n}"}, by=SYSTEM, tenant=fresh_tenant).id
        for n in range(3)
    ]
    column = "code"
    if after is None:
        column = "secret_code"
        fields = {"name": fields["name"], column: fields["code"] | {"renamedFrom": "code"}}
    else:
        fields = {"name": fields["name"], "code": {"type": "text", "maxLength": 50} | after}
    changed = load_body(body | {"fields": fields})
    with tenant_scope(fresh_tenant):
        plan = plan_objects([changed])
    assert plan.risk == ("safe" if name == "required" else "backfill") or plan.steps
    publish_in(fresh_tenant, [changed], by=SYSTEM)
    found = [query.get("qe_thing", key, by=SYSTEM, tenant=fresh_tenant).record()[column] for key in keys]
    assert found == [f"value {n}" for n in range(3)]
    if changed.fields[column].encrypted == "equality":
        where = {"where": {column: "value 1"}}
        assert query.count("qe_thing", where, by=SYSTEM, tenant=fresh_tenant)[0] == 1


def test_a_default_is_sealed_for_each_record(fresh_tenant):
    body = {"name": "qe_thing", "label": "Thing", "nameField": "name"}
    publish_in(fresh_tenant, [load_body(body | {"fields": {"name": {"type": "text"}}})], by=SYSTEM)
    key = records.create("qe_thing", {"name": "a"}, by=SYSTEM, tenant=fresh_tenant).id
    fields = {
        "name": {"type": "text"},
        "code": {"type": "text", "encrypted": True, "required": True, "defaultValue": "canary-default"},
    }
    publish_in(fresh_tenant, [load_body(body | {"fields": fields})], by=SYSTEM)
    (box,) = raw(fresh_tenant, 'SELECT code FROM "obj_qe_thing"')[0]
    assert b"canary" not in bytes(box)
    assert query.get("qe_thing", key, by=SYSTEM, tenant=fresh_tenant).record()["code"] == "canary-default"


FAULTS = {
    "a list": {"type": "multiselect", "options": ["aa"], "encrypted": True},
    "a reference": {"type": "lookup", "reference": "qe_patient", "encrypted": True},
    "searchable": {"type": "text", "encrypted": True, "searchable": True},
    "another word": {"type": "text", "encrypted": "always"},
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_encrypted_is_refused(name):
    with pytest.raises(DefinitionErrors):
        load_body(declared(extra=FAULTS[name]))


@pytest.mark.parametrize(
    "extra", [{"nameField": "note"}, {"indexes": [{"fields": ["email"]}]}], ids=["name", "index"]
)
def test_nor_may_it_name_or_order_records(extra):
    with pytest.raises(DefinitionErrors):
        load_body(PATIENT | extra)
