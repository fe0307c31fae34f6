"""Record types: kinds of records within one object, each with fields, needs and options of its own."""

import pytest

from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.objects import records
from apps.objects.describe import object_item
from apps.objects.parse import load_body
from apps.objects.parse.errors import DefinitionErrors
from apps.objects.publish import publish_in

TYPES = {
    "field": "kind",
    "types": {
        "person": {"fields": ["born"], "required": ["born"], "options": {"stage": ["new", "met"]}},
        "company": {"fields": ["vat_no"]},
    },
}
BODY = {
    "name": "qa_party",
    "sharingModel": "public_read_write",
    "fields": {
        "name": {"type": "text"},
        "kind": {"type": "select", "options": ["person", "company"]},
        "stage": {"type": "select", "options": ["new", "met", "audited"]},
        "born": {"type": "date"},
        "vat_no": {"type": "text"},
    },
    "recordTypes": TYPES,
}


@pytest.fixture(scope="module")
def make(database, people):
    acme, by = database["acme"], people.actor("owner")
    publish_in(acme, [load_body(BODY), load_body(plain())], by=SYSTEM)

    def create(name="qa_party", **data):
        return records.create(name, data, by=by, tenant=acme)

    yield create
    publish_in(acme, [], by=SYSTEM, drop=["qa_party", "qa_plain"], allow_destructive=True)


def plain():
    """The same object without types: the control."""
    return {key: value for key, value in BODY.items() if key != "recordTypes"} | {"name": "qa_plain"}


def test_fields_of_another_type_are_not_there(make):
    made = make(kind="company", vat_no="DE1", born="2000-01-01")
    assert made.dropped == ["born"]
    assert (made.record()["vat_no"], made.record()["born"]) == ("DE1", None)
    assert make("qa_plain", kind="company", born="2000-01-01").record()["born"] == "2000-01-01"
    born = load_body(BODY).fields["born"]
    assert born.visible_when == "(record.kind != null && record.kind in ['person'])"


def test_a_record_may_become_of_another_type(make, people):
    made = make(kind="person", born="2000-01-01")

    def change(**data):
        return records.update(
            "qa_party", made.id, data, by=people.actor("owner"), tenant=people.tenants["acme"]
        )

    assert change(vat_no="DE1").dropped == ["vat_no"]
    became = change(kind="company", vat_no="DE1")
    assert (became.dropped, became.record()["vat_no"]) == ([], "DE1")
    assert change(born="1999-01-01").dropped == ["born"]


def test_a_type_requires_its_fields(make):
    with pytest.raises(Problem) as refusal:
        make(kind="person")
    assert [(error.field, error.code) for error in refusal.value.fields] == [("born", "required")]
    assert make(kind="person", born="2000-01-01").record()["born"] == "2000-01-01"
    assert make(kind="company").record()["born"] is None
    assert make("qa_plain", kind="person").record()["born"] is None


def test_a_type_leaves_some_options(make):
    with pytest.raises(Problem) as refusal:
        make(kind="person", born="2000-01-01", stage="audited")
    assert [(error.field, error.code) for error in refusal.value.fields] == [("stage", "invalid_option")]
    assert make(kind="company", stage="audited").record()["stage"] == "audited"
    assert make("qa_plain", kind="person", stage="audited").record()["stage"] == "audited"


def test_the_definition_tells_its_types_to_those_who_may_know():
    definition = load_body(BODY)
    assert object_item(definition)["recordTypes"] == TYPES
    seen = object_item(definition, readable={"name", "kind", "vat_no"})["recordTypes"]
    assert seen == {
        "field": "kind",
        "types": {"person": {"fields": [], "required": []}, "company": {"fields": ["vat_no"]}},
    }
    assert "recordTypes" not in object_item(definition, readable={"name"})
    assert load_body(dict(definition.body)) == definition


@pytest.mark.parametrize(
    ("types", "code"),
    [
        ({"types": TYPES["types"]}, "unknown_field"),
        ({"field": "name", "types": TYPES["types"]}, "unknown_field"),
        ({"field": "kind"}, "required"),
        ({"field": "kind", "types": {"robot": {}}}, "invalid_value"),
        ({"field": "kind", "types": {"person": {"fields": ["age"]}}}, "unknown_field"),
        ({"field": "kind", "types": {"person": {"fields": ["kind"]}}}, "unknown_field"),
        ({"field": "kind", "types": {"person": {"options": {"stage": ["won"]}}}}, "invalid_value"),
        ({"field": "kind", "types": {"person": {"options": {"born": ["won"]}}}}, "unknown_field"),
        ({"field": "kind", "types": {"person": {"layout": []}}}, "unknown_key"),
    ],
)
def test_wrong_types_are_refused(types, code):
    with pytest.raises(DefinitionErrors) as refusal:
        load_body(BODY | {"recordTypes": types})
    assert code in [error.code for error in refusal.value.errors]


def test_a_field_that_all_need_belongs_to_no_type():
    fields = BODY["fields"] | {"born": {"type": "date", "required": True}}
    with pytest.raises(DefinitionErrors) as refusal:
        load_body(BODY | {"fields": fields})
    assert [error.code for error in refusal.value.errors] == ["conflict"]
