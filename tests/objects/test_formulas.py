"""Formulas: computed by the database, read like any field, judged when published, made anew when they change."""

import json
from decimal import Decimal

import pytest
from django.db import connections, transaction

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Problem
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.describe import object_item
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.publish import plan_objects, publish_in, publish_objects
from apps.permissions import services as permissions

FIELDS = {
    "name": {"type": "text", "required": True},
    "amount": {"type": "currency"},
    "discount": {"type": "percent"},
    "due": {"type": "date"},
    "paid": {"type": "boolean"},
    "secret_cost": {"type": "currency"},
    "net": {"type": "formula", "expression": "record.amount * (100 - coalesce(record.discount, 0)) / 100"},
    "tax": {
        "type": "formula",
        "returnType": "currency",
        "expression": {"dialect": "cel", "source": "round(record.net * 0.19, 2)"},
    },
    "label": {
        "type": "formula",
        "expression": "joinNonEmpty([upper(record.name), string(record.due)], ' / ')",
    },
    "big": {"type": "formula", "expression": "record.net > 1000.0"},
    "remind": {"type": "formula", "expression": "addDays(record.due, -7)"},
    "margin": {"type": "formula", "expression": "record.amount - record.secret_cost"},
}
INVOICE = {
    "name": "qf_invoice",
    "label": "Invoice",
    "sharingModel": "public_read_write",
    "nameField": "name",
    "fields": FIELDS,
    "validations": [
        {
            "name": "net",
            "type": "script",
            "message": "Too little",
            "condition": "record.net != null && record.net < 1",
        }
    ],
}
RIGHTS = {"allowRead": True, "allowCreate": True, "allowEdit": True, "allowExport": True}
CLERK = {"objects": {"qf_invoice": RIGHTS}, "fields": {"qf_invoice.secret_cost": {"readable": False}}}


@pytest.fixture(scope="module")
def shop(database, people):
    acme = database["acme"]
    publish_in(acme, [load_body(INVOICE)], by=SYSTEM)
    with tenant_scope(acme):
        for name, holder, body in (
            ("qf_all", "manager", {"objects": {"qf_invoice": RIGHTS}}),
            ("qf_clerk", "reader", CLERK),
        ):
            permissions.create_set(name=name, label=name, body=body, by=SYSTEM)
            permissions.assign(user_id=people.actor(holder, "acme").user_id, name=name, by=SYSTEM)
    return acme


@pytest.fixture
def by(shop, people, clean_connection):
    with tenant_scope(shop):
        yield people.actor("manager", "acme")
        transaction.set_rollback(True)


DATA = {"name": "Ann", "amount": "2000.00", "discount": 10, "due": "2026-03-31", "secret_cost": 500}


def made(by, **values):
    return records.create("qf_invoice", DATA | values, by=by)


def test_a_formula_is_computed_by_the_database(by):
    record = made(by).record()
    assert (record["net"], record["tax"], record["big"]) == (Decimal(1800), Decimal(342), True)
    assert (record["label"], record["remind"], record["margin"]) == ("ANN / 2026-03-31", "2026-03-24", 1500)
    changed = records.update("qf_invoice", record["id"], {"amount": 100}, by=by).record()
    assert (changed["net"], changed["tax"], changed["big"]) == (Decimal(90), Decimal("17.1"), False)


def test_a_formula_that_faults_is_nothing(by):
    record = made(by, amount=None, due=None).record()
    assert [record[n] for n in ("net", "tax", "big", "remind", "margin")] == [None] * 5
    assert record["label"] == "ANN / " or record["label"] is None


def test_it_is_filtered_sorted_and_added_up(by):
    for amount in (3000, 50, 1000):
        made(by, amount=amount)
    found = query.find("qf_invoice", {"where": {"big": True}, "fields": ["net"]}, by=by).records()
    assert [row["net"] for row in found] == [2700]
    rows = query.find(
        "qf_invoice", {"orderBy": [{"field": "net", "order": "desc"}], "fields": ["net"]}, by=by
    ).records()
    assert [row["net"] for row in rows] == [2700, 900, 45]
    total = {"aggregations": [{"function": "sum", "field": "net", "alias": "all"}]}
    assert query.find("qf_invoice", total, by=by).records()[0]["all"] == 3645


def test_nobody_writes_it(by):
    written = made(by, net=5)
    assert (written.record()["net"], list(written.dropped)) == (1800, ["net"])


def test_a_rule_sees_the_formula_of_the_record_as_it_will_be(by):
    invoice = made(by)
    with pytest.raises(Problem) as refusal:
        records.update("qf_invoice", invoice.id, {"discount": 100}, by=by)
    assert refusal.value.fields[0].message == "Too little"
    assert made(by, amount=None)


def test_a_formula_over_a_field_that_is_hidden_is_hidden(by, people):
    made(by)
    clerk = people.actor("reader", "acme")
    (row,) = query.find("qf_invoice", {}, by=clerk).records()
    assert "margin" not in row
    assert "net" in row
    with pytest.raises(Problem) as refusal:
        query.find("qf_invoice", {"where": {"margin": {"$gt": 1}}}, by=clerk)
    assert refusal.value.code == "PERMISSION_DENIED"
    assert "secret_cost" not in json.dumps(
        object_item(load_body(INVOICE), readable={"name", "amount", "net"})
    )


def test_the_type_of_the_result():
    fields = load_body(INVOICE).fields
    types = {name: found.return_type for name, found in fields.items() if found.type == "formula"}
    assert types == {
        "net": "number",
        "tax": "currency",
        "label": "text",
        "big": "boolean",
        "remind": "date",
        "margin": "number",
    }
    assert fields["tax"].reads == {"amount", "discount"}


def changed_fields(**fields):
    """Return the object without its rules, with other fields; None takes one away."""
    body = {key: value for key, value in INVOICE.items() if key != "validations"}
    return load_body(body | {"fields": {k: v for k, v in (FIELDS | fields).items() if v is not None}})


def column(name):
    with connections["default"].cursor() as cursor:
        cursor.execute(f'SELECT "{name}" FROM obj_qf_invoice')
        return [value for (value,) in cursor.fetchall()]


def test_a_changed_formula_is_made_anew_over_the_records_there_are(shop, people, clean_connection):
    changes = (
        ({"net": {"type": "formula", "expression": "record.amount"}}, "net", 2000),
        ({"amount": {"type": "currency", "precision": 20, "scale": 3}}, "net", 1800),
        ({"net": {"type": "formula", "expression": "string(record.amount)"}, "tax": None, "big": None}, "net", "2000"),
        ({"sum": {"type": "currency", "renamedFrom": "amount"}, "amount": None,
          "net": {"type": "formula", "expression": "record.sum"}, "margin": None}, "net", 2000),
    )  # fmt: skip
    for fields, name, value in changes:
        with owner_session(), tenant_scope(shop):
            records.create("qf_invoice", DATA, by=SYSTEM)
            definition = changed_fields(**fields)
            plan = plan_objects([definition])
            assert not plan.destructive, [step.sentence for step in plan.steps]
            publish_objects([definition], by=SYSTEM)
            assert column(name) == [value]
            transaction.set_rollback(True)


BILL = {
    "name": "qf_bill",
    "sharingModel": "public_read_write",
    "fields": {
        "title": {"type": "text"},
        "total": {
            "type": "summary",
            "summaryOperations": {"object": "qf_line", "function": "sum", "field": "net"},
        },
        "gross": {"type": "formula", "expression": "record.total * 2"},
    },
}


def line(factor):
    net = {"type": "formula", "expression": f"record.price * {factor}"}
    fields = {"title": {"type": "text"}, "bill": {"type": "master_detail", "reference": "qf_bill"}}
    return load_body(
        {**BILL, "name": "qf_line", "fields": fields | {"price": {"type": "currency"}, "net": net}}
    )


def test_a_summary_rolls_up_formulas_and_counts_again_when_one_changes(shop, clean_connection):
    with owner_session(), tenant_scope(shop):
        publish_objects([load_body(BILL), line(3)], by=SYSTEM)
        bill = records.create("qf_bill", {"title": "Bill"}, by=SYSTEM).id
        for price in (1, 2):
            made = records.create("qf_line", {"title": "x", "bill": bill, "price": price}, by=SYSTEM)

        def totals():
            row = query.get("qf_bill", bill, by=SYSTEM).record()
            return row["total"], row["gross"]

        assert totals() == (9, 18)
        records.update("qf_line", made.id, {"price": 5}, by=SYSTEM)
        assert totals() == (18, 36)
        publish_objects([line(10)], by=SYSTEM)
        assert totals() == (60, 120)
        transaction.set_rollback(True)


def test_an_unchanged_object_plans_nothing(shop, clean_connection):
    with tenant_scope(shop):
        assert plan_objects([load_body(INVOICE)]).empty


BROKEN = (
    ({"type": "formula"}, "required"),
    ({"type": "formula", "expression": "record.nope"}, "invalid_expression"),
    ({"type": "formula", "expression": "record.x + 1"}, "circle"),
    ({"type": "formula", "expression": "today()"}, "invalid_expression"),
    ({"type": "formula", "expression": "current_user.id"}, "invalid_expression"),
    ({"type": "formula", "expression": "matches(record.name, 'a')"}, "invalid_expression"),
    ({"type": "formula", "expression": "record.amount", "returnType": "text"}, "conflict"),
    ({"type": "formula", "expression": "record.amount", "unique": True}, "not_applicable"),
    ({"type": "formula", "expression": "record.amount", "maxLength": 5}, "not_applicable"),
    ({"type": "text", "expression": "record.amount"}, "not_applicable"),
)


@pytest.mark.parametrize(("field", "code"), BROKEN)
def test_a_formula_is_judged_when_published(field, code):
    with pytest.raises(DefinitionErrors) as caught:
        changed_fields(x=field)
    assert code in [error.code for error in caught.value.errors]


def test_formulas_that_go_round_are_refused():
    with pytest.raises(DefinitionErrors) as caught:
        changed_fields(
            x={"type": "formula", "expression": "record.y + 1"},
            y={"type": "formula", "expression": "record.x * 2"},
        )
    assert "x → y → x" in str(caught.value)


def test_a_definition_reads_back_as_it_was_written():
    definition = load_body(INVOICE)
    assert load_body(dict(definition.body)) == definition
    assert object_item(definition)["fields"]["tax"]["expression"]["source"] == "round(record.net * 0.19, 2)"
