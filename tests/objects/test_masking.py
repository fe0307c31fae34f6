"""A mask is on every answer, and what is masked cannot be found out by asking."""

import json

import pytest
from django.db import connections
from psycopg import sql

from apps.core.actor import SYSTEM
from apps.core.db import fast
from apps.core.errors import Problem
from apps.core.scope import tenant_scope
from apps.objects import masking, query, records
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.objects.records import versions
from apps.permissions import services as permissions
from apps.permissions.access import Access

CARD, MAIL, PHONE, TAX = "4111-canary-9876", "canary@example.com", "+49 30 12345678", "DE-canary-1"
CONTACT = {
    "name": "qm_contact",
    "label": "Contact",
    "sharingModel": "public_read_write",
    "nameField": "name",
    "searchableFields": ["name", "email"],
    "fields": {
        "name": {"type": "text", "required": True},
        "card": {"type": "text", "maskingRule": "last4", "unique": True},
        "email": {"type": "email", "maskingRule": "partial"},
        "phone": {"type": "phone", "maskingRule": "redact"},
        "tax_no": {"type": "text", "maskingRule": "hash", "externalId": True},
        "boss": {"type": "lookup", "reference": "qm_contact"},
    },
}
RIGHTS = {
    "allowRead": True,
    "allowCreate": True,
    "allowEdit": True,
    "allowExport": True,
    "viewAllRecords": True,
}
AGENT = {"objects": {"qm_contact": RIGHTS}}
BOSS = {
    "objects": {"qm_contact": RIGHTS},
    "fields": {
        f"qm_contact.{name}": {"editable": True, "unmasked": True}
        for name in ("card", "email", "phone", "tax_no")
    },
}


@pytest.fixture(scope="module")
def shop(database, people):
    acme = database["acme"]
    publish_in(acme, [load_body(CONTACT)], by=SYSTEM)
    with tenant_scope(acme):
        for name, holder, body in (("qm_agent", "sales", AGENT), ("qm_boss", "manager", BOSS)):
            permissions.create_set(name=name, label=name, body=body, by=SYSTEM)
            permissions.assign(user_id=people.actor(holder, "acme").user_id, name=name, by=SYSTEM)
    return acme


@pytest.fixture
def contact(shop, people, clean_connection):
    boss = people.actor("manager", "acme")
    data = {"name": "Ann", "card": CARD, "email": MAIL, "phone": PHONE, "tax_no": TAX}
    made = records.create("qm_contact", data, by=boss, tenant=shop)
    second = records.create("qm_contact", {"name": "Bob", "boss": made.id}, by=boss, tenant=shop)
    yield made.id, second.id
    with tenant_scope(shop), connections["default"].cursor() as cursor:
        cursor.execute('DELETE FROM "obj_qm_contact"')


def answers(shop, by, ids):
    """Every way to read the values, as text."""
    first, second = ids
    yield "list", query.find("qm_contact", {}, by=by, tenant=shop).body()
    yield (
        "chosen",
        query.find("qm_contact", [("select", "card,email,phone,tax_no")], by=by, tenant=shop).body(),
    )
    yield "pages", query.find("qm_contact", {"after": "", "limit": 5}, by=by, tenant=shop).body()
    yield "export", query.find("qm_contact", {}, by=by, tenant=shop, op="export").body()
    yield "one", query.get("qm_contact", first, by=by, tenant=shop).body()
    yield "expanded", query.get("qm_contact", second, by=by, tenant=shop, expand="boss").body()
    yield "expanded list", query.find("qm_contact", {"expand": ["boss"]}, by=by, tenant=shop).body()
    yield "found", query.find("qm_contact", {"search": "Ann"}, by=by, tenant=shop).body()
    yield "updated", records.update("qm_contact", first, {"name": "Anna"}, by=by, tenant=shop).body()
    with tenant_scope(shop):
        yield "old version", repr(versions.at("qm_contact", first, 1, by=by)).encode()
        yield "versions", repr(versions.versions("qm_contact", first, by=by)).encode()
        yield "compared", repr(versions.compare("qm_contact", first, by=by)).encode()


def test_the_mask_is_on_every_answer(shop, people, contact):
    seen = dict(answers(shop, people.actor("sales", "acme"), contact))
    for where, body in seen.items():
        for value in (CARD, MAIL, PHONE, TAX, "canary@"):
            assert value not in body.decode(), where
    row = json.loads(seen["one"])["record"]
    assert row["card"] == "••••9876"
    assert row["email"] == "c•••@example.com"
    assert row["phone"] == "••••••••"
    assert row["tax_no"] == masking.masked("hash", shop.id, TAX) and len(row["tax_no"]) == 32
    assert json.loads(seen["expanded"])["record"]["boss"]["card"] == "••••9876"


def test_who_holds_a_set_that_unmasks_sees_the_values(shop, people, contact):
    """Negative control: the same answers hold the values for somebody else."""
    seen = dict(answers(shop, people.actor("manager", "acme"), contact))
    for where in (
        "list",
        "chosen",
        "pages",
        "export",
        "one",
        "expanded",
        "expanded list",
        "found",
        "updated",
    ):
        assert CARD in seen[where].decode(), where
    for where in ("old version", "versions"):
        assert CARD in seen[where].decode(), where


def test_a_compiler_that_forgot_the_mask_is_caught(shop, people, contact, monkeypatch):
    """Negative control: with the masks sabotaged the sweep finds the values."""
    monkeypatch.setattr(Access, "masked", lambda self, obj: frozenset())
    query.plans.cache.clear()
    try:
        body = query.find("qm_contact", {}, by=people.actor("sales", "acme"), tenant=shop).body().decode()
    finally:
        query.plans.cache.clear()
    assert CARD in body


ORACLES = {
    "filter": {"where": {"card": CARD}},
    "prefix": {"where": {"card": {"$startsWith": "4"}}},
    "presence": {"where": {"phone": {"$null": False}}},
    "range": {"where": {"email": {"$gt": "c"}}},
    "comparison": {"where": {"name": {"$lt": {"$field": "email"}}}},
    "hash": {"where": {"tax_no": {"$in": [TAX]}}},
    "order": {"orderBy": ["-card"]},
    "group": {"groupBy": ["email"]},
    "aggregate": {"aggregations": [{"function": "max", "field": "card", "alias": "m"}]},
    "distinct": {"aggregations": [{"function": "count_distinct", "field": "card", "alias": "n"}]},
    "search": {"search": "canary", "searchFields": ["email"]},
    "expanded filter": {"expand": {"boss": {"where": {"card": CARD}}}},
}


@pytest.mark.parametrize("name", ORACLES)
def test_what_is_masked_cannot_be_asked_for(shop, people, contact, name):
    with pytest.raises(Problem) as refusal:
        query.find("qm_contact", ORACLES[name], by=people.actor("sales", "acme"), tenant=shop)
    assert (refusal.value.code, refusal.value.status) == ("PERMISSION_DENIED", 403)
    query.find("qm_contact", ORACLES[name], by=people.actor("manager", "acme"), tenant=shop)


def test_a_search_looks_into_what_is_clear_only(shop, people, contact):
    """Else the words that find a record would tell the value letter by letter."""
    wanted = {"search": "canary@"}
    assert not query.find("qm_contact", wanted, by=people.actor("sales", "acme"), tenant=shop).rows
    assert query.find("qm_contact", wanted, by=people.actor("manager", "acme"), tenant=shop).rows


@pytest.mark.parametrize("guess", [CARD, "something else"])
def test_nor_can_it_be_written_or_matched(shop, people, contact, guess):
    """A write that changes nothing, a value that is taken and an upsert that finds would tell; all are refused alike."""
    agent = people.actor("sales", "acme")
    refusals = []
    for attempt in (
        lambda: records.update("qm_contact", contact[0], {"card": guess}, by=agent, tenant=shop),
        lambda: records.create("qm_contact", {"name": "X", "card": guess}, by=agent, tenant=shop),
    ):
        with pytest.raises(Problem) as refusal:
            attempt()
        refusals.append(refusal.value.code)
    row = {"externalId": TAX if guess == CARD else guess, "data": {"name": "Y"}}
    done = records.batch("qm_contact", "upsert", [row], by=agent, tenant=shop)
    refusals.append(done.rows[0].problem.code)
    assert refusals == ["PERMISSION_DENIED"] * 3


TEXTS = [
    "",
    "a",
    "a@",
    "@a",
    "ab@c.de",
    "abcde",
    "abcdef",
    "äöüßäöü",
    "1234567",
    "12345678",
    "x@y@z",
    "😀😀😀😀😀😀😀😀",
    "a'b\\c%s{0}",
]


@pytest.mark.parametrize("strategy", masking.STRATEGIES)
def test_the_database_and_python_mask_alike(shop, clean_connection, strategy):
    text = masking.masked_sql(strategy, shop.id, sql.SQL("t.v"))
    statement = sql.SQL("SELECT t.v, {} FROM unnest(%s::text[]) AS t(v)").format(text)
    with tenant_scope(shop), fast.cursor() as cursor:
        rows = cursor.execute(statement, [[*TEXTS, None]]).fetchall()
    for value, found in rows:
        assert found == masking.masked(strategy, shop.id, value), value
        assert value is None or len(value) < 6 or value not in found


def test_equal_values_of_two_tenants_have_different_hashes(acme, globex):
    assert masking.masked("hash", acme.id, "x") != masking.masked("hash", globex.id, "x")


def test_a_mask_is_for_text_and_known_by_name():
    with pytest.raises(Problem) as refusal:
        load_body(
            CONTACT | {"fields": {"name": {"type": "text"}, "n": {"type": "number", "maskingRule": "last4"}}}
        )
    assert "cannot be masked" in str(refusal.value)
    with pytest.raises(Problem):
        load_body(CONTACT | {"fields": {"name": {"type": "text", "maskingRule": "stars"}}})


def test_a_formula_cannot_show_what_a_mask_hides():
    shown = {"type": "formula", "expression": "record.card + '!'", "returnType": "text"}
    with pytest.raises(Problem) as refusal:
        load_body(CONTACT | {"fields": CONTACT["fields"] | {"shown": shown}})
    assert "that card masks" in str(refusal.value)
    clear = shown | {"expression": "record.name + '!'"}
    load_body(CONTACT | {"fields": CONTACT["fields"] | {"shown": clear}})
