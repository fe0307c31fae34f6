"""Validation rules, conditions of fields and options, and computed defaults, as every write meets them."""

import datetime as dt
import json

import pytest
from django.db import connections, transaction

from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import tenant_scope
from apps.objects import conditions, records
from apps.objects.describe import object_item
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions

STATES = ["new", "working", "qualified", "lost"]
FLOW = {"new": ["working", "lost"], "working": ["qualified", "lost"], "qualified": ["lost"], "lost": []}
DEAL = {
    "name": "qr_deal",
    "label": "Deal",
    "sharingModel": "public_read_write",
    "nameField": "name",
    "fields": {
        "name": {"type": "text", "required": True},
        "status": {"type": "select", "options": [{"value": s, "label": s} for s in STATES]},
        "score": {"type": "number"},
        "amount": {"type": "currency", "readonlyWhen": "record.status == 'qualified'"},
        "reason": {"type": "text", "requiredWhen": {"dialect": "cel", "source": "record.status == 'lost'"}},
        "starts": {"type": "date", "defaultValue": {"dialect": "cel", "source": "daysFromNow(7)"}},
        "ends": {"type": "date"},
        "owner_mail": {"type": "text", "defaultValue": {"dialect": "cel", "source": "current_user.email"}},
        "code": {"type": "text"},
        "stamp": {
            "type": "text",
            "readonly": True,
            "defaultValue": {"dialect": "cel", "source": "upper(record.name)"},
        },
        "contact": {"type": "text"},
        "extra": {"type": "json"},
        "tier": {
            "type": "select",
            "options": [
                {"value": "base", "label": "Base"},
                {"value": "gold", "label": "Gold", "visibleWhen": "record.amount >= 1000"},
            ],
        },
    },
    "validations": [
        {
            "name": "score_rule",
            "type": "script",
            "message": "Qualified needs 50",
            "condition": "record.status == 'qualified' && (record.score == null || record.score < 50)",
        },
        {
            "name": "flow",
            "type": "state_machine",
            "message": "Invalid status transition",
            "field": "status",
            "transitions": FLOW,
            "initialStates": ["new", "working"],
            "priority": 10,
        },
        {
            "name": "span",
            "type": "cross_field",
            "message": "Ends before it starts",
            "fields": ["ends", "starts"],
            "condition": "record.ends != null && record.ends < record.starts",
        },
        {"name": "code", "type": "format", "message": "Two letters", "field": "code", "regex": "^[A-Z]{2}$"},
        {"name": "mail", "type": "format", "message": "An address", "field": "contact", "format": "email"},
        {
            "name": "shape",
            "type": "json_schema",
            "message": "Wrong shape",
            "field": "extra",
            "schema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "number"}}},
        },
        {
            "name": "big",
            "type": "conditional",
            "message": "Big deals need a code",
            "when": "record.amount != null && record.amount > 5000",
            "then": {"type": "script", "condition": "isBlank(record.code)"},
            "otherwise": {"type": "script", "condition": "record.name == 'tiny'", "message": "Too tiny"},
        },
        {
            "name": "low",
            "type": "script",
            "message": "That is little",
            "severity": "warning",
            "condition": "record.amount != null && record.amount < 10",
        },
        {
            "name": "only_new",
            "type": "script",
            "message": "Not when new",
            "events": ["insert"],
            "condition": "record.name == 'late'",
        },
        {"name": "off", "type": "script", "message": "Never", "active": False, "condition": "true"},
        {
            "name": "fragile",
            "type": "script",
            "message": "Cannot tell",
            "condition": "record.name == 'fragile' && record.score < 5",
        },
    ],
}
RIGHTS = {"allowRead": True, "allowCreate": True, "allowEdit": True}
PLAIN = {"objects": {"qr_deal": RIGHTS}, "fields": {"qr_deal.status": {"readable": False, "editable": False}}}


@pytest.fixture(scope="module")
def shop(database, people):
    acme = database["acme"]
    publish_in(acme, [load_body(DEAL)], by=SYSTEM)
    with tenant_scope(acme):
        for name, holder, body in (
            ("qr_all", "manager", {"objects": {"qr_deal": RIGHTS}}),
            ("qr_plain", "reader", PLAIN),
        ):
            permissions.create_set(name=name, label=name, body=body, by=SYSTEM)
            permissions.assign(user_id=people.actor(holder, "acme").user_id, name=name, by=SYSTEM)
    return acme


@pytest.fixture
def by(shop, people, clean_connection):
    with tenant_scope(shop):
        yield people.actor("manager", "acme")
        transaction.set_rollback(True)


def made(by, **values):
    return records.create("qr_deal", {"name": "Ann"} | values, by=by)


def changed(by, written, **values):
    return records.update("qr_deal", written.id, values, by=by)


def faults(call, *args, **values):
    """Return (field, code, message) of what the write is refused for."""
    with pytest.raises(Problem) as refusal:
        call(*args, **values)
    assert refusal.value.code == "VALIDATION_FAILED"
    return [(fault.field, fault.code, fault.message) for fault in refusal.value.fields]


def test_a_script_that_is_true_refuses_the_write(by):
    deal = made(by, status="working")
    wrong = faults(changed, by, deal, status="qualified", score=10)
    assert wrong == [("_record", "rule_violation", "Qualified needs 50")]
    assert changed(by, deal, status="qualified", score=50).record()["status"] == "qualified"


def test_a_rule_that_faults_refuses_the_write(by):
    with pytest.raises(Problem) as refusal:
        made(by, name="fragile")
    assert refusal.value.fields[0].constraint == {"fault": "null_operand"}
    assert made(by, name="fragile", score=9).record()["name"] == "fragile"


def test_state_machine(by):
    assert faults(made, by, status="lost", reason="x") == [
        ("status", "invalid_initial_state", "Invalid status transition")
    ]
    deal = made(by, status="working")
    with pytest.raises(Problem) as refusal:
        changed(by, deal, status="new")
    fault = refusal.value.fields[0]
    assert (fault.code, fault.constraint) == ("invalid_transition", {"from": "working", "to": "new"})
    assert changed(by, deal, status="lost", reason="price").record()["status"] == "lost"
    assert made(by).record()["status"] is None  # no state yet: not a state to begin with


def test_cross_field(by):
    wrong = faults(made, by, starts="2026-02-01", ends="2026-01-01")
    assert wrong == [("ends", "rule_violation", "Ends before it starts")]
    assert made(by, starts="2026-02-01", ends="2026-02-01")


def test_format(by):
    assert faults(made, by, code="abc") == [("code", "invalid_format", "Two letters")]
    assert faults(made, by, contact="nobody") == [("contact", "invalid_format", "An address")]
    assert made(by, code="AB", contact="a@example.com")


def test_json_schema(by):
    assert faults(made, by, extra={"a": "x"}) == [("extra", "json_schema_violation", "Wrong shape")]
    assert made(by, extra={"a": 1.5})


def test_conditional(by):
    assert faults(made, by, amount=6000) == [("_record", "rule_violation", "Big deals need a code")]
    assert faults(made, by, name="tiny") == [("_record", "rule_violation", "Too tiny")]
    assert made(by, amount=6000, code="AB")


def test_a_warning_is_told_and_the_write_stands(by):
    deal = made(by, amount=5)
    assert [(told["name"], told["severity"], told["message"]) for told in deal.told] == [
        ("low", "warning", "That is little")
    ]
    assert json.loads(deal.body())["warnings"][0]["name"] == "low"
    assert "warnings" not in json.loads(made(by, amount=50).body())


def test_events(by):
    assert faults(made, by, name="late") == [("_record", "rule_violation", "Not when new")]
    assert changed(by, made(by), name="late").record()["name"] == "late"


def test_inactive(by):
    assert "off" not in [rule.said.name for rule in conditions.of(load_body(DEAL)).rules]
    assert made(by)


def test_priority(by):
    wrong = faults(made, by, status="lost", reason="x", code="a", name="tiny")
    assert [message for _, _, message in wrong][:2] == ["Invalid status transition", "Two letters"]
    assert len(wrong) == 3


def test_a_field_is_required_when_its_condition_begins_to_hold(by):
    deal = made(by, status="working")
    assert ("reason", "required") in [f[:2] for f in faults(changed, by, deal, status="lost")]
    changed(by, deal, status="lost", reason="price")
    assert ("reason", "required") in [f[:2] for f in faults(changed, by, deal, reason=None)]


def test_a_record_that_lacked_the_value_already_takes_other_changes(by):
    """A condition added to an object in use stops nobody from editing its old records."""
    found = made(by, status="working")
    with connections["default"].cursor() as cursor:
        cursor.execute("UPDATE obj_qr_deal SET status = 'lost' WHERE id = %s", [found.id])
    assert changed(by, found, score=1).record()["score"] == 1


def test_a_field_is_dropped_while_it_is_read_only(by):
    deal = made(by, status="working", amount=100)
    qualified = changed(by, deal, status="qualified", score=60, amount=200)
    assert qualified.record()["amount"] == 200  # it was not read-only yet
    again = changed(by, deal, amount=300, score=61)
    assert (again.record()["amount"], again.record()["score"], list(again.dropped)) == (200, 61, ["amount"])
    assert again.header() == "amount;reason=readonly"


def test_an_option_is_taken_only_while_its_condition_holds(by):
    with pytest.raises(Problem) as refusal:
        made(by, tier="gold", amount=10)
    assert (refusal.value.fields[0].code, refusal.value.fields[0].options) == ("invalid_option", ["base"])
    deal = made(by, tier="gold", amount=1000)
    assert faults(made, by, tier="gold") == [("tier", "invalid_option", "This option cannot be chosen here.")]
    # What was chosen rightly stays, though its condition holds no longer.
    assert changed(by, deal, amount=20).record()["tier"] == "gold"


def test_a_default_is_computed(by):
    deal = made(by).record()
    week = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=7)
    assert deal["starts"] in (week.isoformat(), (week - dt.timedelta(days=1)).isoformat())
    assert "@" in deal["owner_mail"]
    assert made(by, starts="2026-01-01").record()["starts"] == "2026-01-01"
    assert (
        made(by, stamp="mine").record()["stamp"] == "ANN"
    )  # nobody writes it, so it is computed all the same


def test_every_door_of_the_services_meets_the_rules(by):
    """Batches, upserts and clones write through the same judgement; the good row beside the bad one stands."""
    result = records.batch(
        "qr_deal",
        "create",
        [{"data": {"name": "tiny"}}, {"data": {"name": "fine"}}],
        by=by,
        continue_on_error=True,
    )
    assert [row.success for row in result.rows] == [False, True]
    with pytest.raises(Problem):
        records.create_many("qr_deal", [{"name": "fine"}, {"name": "tiny"}], by=by)
    with pytest.raises(Problem):
        records.clone("qr_deal", made(by).id, {"name": "tiny"}, by=by)


def test_in_one_go_meets_the_rules_too(shop, people, clean_connection):
    """The path without a transaction is judged as well, and knows who writes."""
    by = people.actor("manager", "acme")
    deal = records.create("qr_deal", {"name": "go", "status": "working"}, by=by, tenant=shop)
    for _ in range(2):
        with pytest.raises(Problem) as refusal:
            records.update("qr_deal", deal.id, {"status": "qualified", "score": 1}, by=by, tenant=shop)
        assert refusal.value.code == "VALIDATION_FAILED"
    assert "@" in records.create("qr_deal", {"name": "go"}, by=by, tenant=shop).record()["owner_mail"]
    with tenant_scope(shop), connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM obj_qr_deal")


def test_an_object_without_expressions_asks_nothing():
    plain = load_body({"name": "qr_plain", "label": "Plain", "fields": {"name": {"type": "text"}}})
    assert conditions.of(plain) is None


BROKEN = (
    ({"name": "a", "type": "script", "message": "m"}, "required"),
    (
        {"name": "a", "type": "script", "message": "m", "condition": "record.nmae == 'x'"},
        "invalid_expression",
    ),
    ({"name": "a", "type": "script", "message": "m", "condition": "record.name"}, "invalid_expression"),
    ({"name": "a", "type": "script", "message": "m", "condition": 5}, "invalid_type"),
    ({"name": "a", "type": "script", "message": "m", "condition": "true", "field": "name"}, "not_applicable"),
    ({"name": "a", "type": "magic", "message": "m"}, "invalid_value"),
    ({"name": "a", "type": "format", "message": "m", "field": "name", "regex": "("}, "invalid_value"),
    ({"name": "a", "type": "format", "message": "m", "field": "name"}, "conflict"),
    ({"name": "a", "type": "format", "message": "m", "field": "nope", "format": "email"}, "unknown_field"),
    (
        {"name": "a", "type": "state_machine", "message": "m", "field": "name", "transitions": {}},
        "not_applicable",
    ),
    (
        {
            "name": "a",
            "type": "state_machine",
            "message": "m",
            "field": "status",
            "transitions": {"nope": []},
        },
        "invalid_option",
    ),
    (
        {"name": "a", "type": "json_schema", "message": "m", "field": "extra", "schema": {"type": 5}},
        "invalid_value",
    ),
    ({"name": "a", "type": "conditional", "message": "m", "when": "true"}, "required"),
    ({"name": "a", "type": "script", "message": "m", "condition": "true", "unknown": 1}, "unknown_key"),
)


@pytest.mark.parametrize(("rule", "code"), BROKEN)
def test_rules_are_judged_when_published(rule, code):
    with pytest.raises(DefinitionErrors) as caught:
        load_body(DEAL | {"validations": [rule]})
    assert code in [error.code for error in caught.value.errors]


def test_described():
    item = object_item(load_body(DEAL))
    score = next(rule for rule in item["validations"] if rule["name"] == "score_rule")
    assert score["condition"]["dialect"] == "cel"
    assert (score["priority"], score["severity"], score["events"]) == (100, "error", ["insert", "update"])
    assert item["fields"]["reason"]["requiredWhen"]["source"] == "record.status == 'lost'"
    assert load_body(load_body(DEAL).body | {}).validations == load_body(DEAL).validations


def test_expressions_about_hidden_fields_are_not_described():
    seen = object_item(load_body(DEAL), readable={"name", "amount", "tier", "reason", "score"})
    assert "requiredWhen" not in seen["fields"]["reason"]
    assert "status" not in json.dumps(seen)
    assert {rule["name"] for rule in seen["validations"]} == {"low", "only_new", "off", "fragile"}
