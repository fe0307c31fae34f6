"""What a reader may not see is not there: not in lists, counts, searches, filters, orders, groups or expansions."""

import json

import pytest
from django.db import connections, transaction

from apps.core.actor import SYSTEM, Actor
from apps.core.errors import Problem
from apps.core.scope import ScopeConflict, platform_scope, tenant_scope
from apps.objects import query
from apps.objects.query import compiler, plans, run
from apps.permissions import services as permissions
from tests.objects.world import insert

CANARY = "canary-7f3a"


@pytest.fixture
def hidden(inside):
    """A lead of sales whose secret_note holds the canary."""
    lead = insert("qa_lead", name="Ann", owner_id=inside.user("sales"), secret_note=CANARY, score=1)
    insert("qa_lead", name="Bob", owner_id=inside.user("sales"), secret_note="zzz", score=2)
    return str(lead)


ORACLES = {
    "filter": {"where": {"secret_note": CANARY}},
    "filter in an or": {"where": {"$or": [{"name": "x"}, {"secret_note": {"$startsWith": "c"}}]}},
    "filter in a not": {"where": {"$not": {"secret_note": None}}},
    "presence": {"where": {"secret_note": {"$null": False}}},
    "comparison with a field": {"where": {"name": {"$lt": {"$field": "secret_note"}}}},
    "array filter": {"where": ["secret_note", "contains", "can"]},
    "order": {"orderBy": ["secret_note"]},
    "order by cursor": {"orderBy": ["-secret_note"], "limit": 1, "after": ""},
    "group": {"groupBy": ["secret_note"]},
    "aggregate": {"aggregations": [{"function": "max", "field": "secret_note", "alias": "m"}]},
    "filtered aggregate": {
        "aggregations": [{"function": "count", "alias": "n", "filter": {"secret_note": CANARY}}]
    },
    "search": {"search": "can", "searchFields": ["secret_note"]},
    "count": {"where": {"secret_note": CANARY}, "count": True, "limit": 0},
}


@pytest.mark.parametrize("name", ORACLES)
def test_a_hidden_field_is_no_oracle(inside, hidden, name):
    with pytest.raises(Problem) as refusal:
        query.find("qa_lead", ORACLES[name], by=inside.actor("sales"))
    assert (refusal.value.code, refusal.value.status) == ("PERMISSION_DENIED", 403)
    assert CANARY not in json.dumps(refusal.value.as_dict())


@pytest.mark.parametrize("name", ORACLES)
def test_whoever_sees_the_field_may_use_it(inside, hidden, name):
    """Negative control: the same queries answer those who may read the field."""
    query.find("qa_lead", ORACLES[name], by=inside.actor("manager"))


@pytest.mark.parametrize(
    "pairs",
    [[("secret_note", CANARY)], [("sort", "secret_note")], [("filter", '{"secret_note":null}')],
     [("search", "x"), ("searchFields", "secret_note")], [("groupBy", "secret_note")]],
)  # fmt: skip
def test_nor_by_a_query_string(inside, hidden, pairs):
    with pytest.raises(Problem) as refusal:
        query.find("qa_lead", pairs, by=inside.actor("sales"))
    assert refusal.value.status == 403
    query.find("qa_lead", pairs, by=inside.actor("manager"))


def test_a_hidden_field_is_in_no_answer(inside, hidden):
    note = insert("qa_note", title="n", lead=hidden, owner_id=inside.user("sales"))
    sales = inside.actor("sales")
    answers = [
        query.find("qa_lead", {}, by=sales).body(),
        query.find("qa_lead", {"fields": ["id", "secret_note"]}, by=sales).body(),
        query.find("qa_note", {"expand": ["lead"]}, by=sales).body(),
        query.find("qa_note", {"expand": {"lead": {"fields": ["name", "secret_note"]}}}, by=sales).body(),
        query.get("qa_lead", hidden, by=sales).body(),
        query.get("qa_lead", hidden, by=sales, select_fields="name,secret_note").body(),
        query.get("qa_note", note, by=sales, expand="lead").body(),
        query.find("qa_lead", {"search": CANARY}, by=sales).body(),
    ]
    for answer in answers:
        assert CANARY.encode() not in answer
        assert b"secret_note" not in answer
    assert answers[-1].startswith(b'{"object":"qa_lead","records":[],"total":0')
    assert CANARY.encode() in query.get("qa_note", note, by=inside.actor("manager"), expand="lead").body()


def test_expanding_with_a_filter_on_a_hidden_field_is_refused(inside, hidden):
    insert("qa_note", title="n", lead=hidden, owner_id=inside.user("sales"))
    body = {"expand": {"lead": {"where": {"secret_note": {"$startsWith": "c"}}}}}
    with pytest.raises(Problem) as refusal:
        query.find("qa_note", body, by=inside.actor("sales"))
    assert refusal.value.status == 403
    assert CANARY.encode() in query.find("qa_note", body, by=inside.actor("manager")).body()


def test_the_field_oracle_test_notices_a_leak(inside, hidden, monkeypatch):
    """Negative control: without the check of names the sweep above would fail."""
    monkeypatch.setattr(run, "check_named", lambda *args: None)
    page = query.find("qa_lead", ORACLES["filter"], by=inside.actor("sales"))
    assert [row["name"] for row in page.records()] == ["Ann"]


# -- records ---------------------------------------------------------------------------------------


def test_invisible_records_are_absent(inside):
    mine = insert("qa_lead", name="mine", owner_id=inside.user("sales"), score=1)
    other = insert("qa_lead", name="other", owner_id=inside.user("manager"), score=5)
    sales = inside.actor("sales")
    page = query.find("qa_lead", {"count": True}, by=sales)
    assert ([row["id"] for row in page.records()], page.total) == ([str(mine)], 1)
    assert query.count("qa_lead", {}, by=sales) == (1, "exact")
    assert query.count("qa_lead", {}, by=sales, capped=True) == (1, "exact")
    assert query.find("qa_lead", {"search": "other"}, by=sales).total == 0
    totals = {"aggregations": [{"function": "sum", "field": "score", "alias": "s"}]}
    assert query.find("qa_lead", totals, by=sales).records() == [{"s": 1}]
    assert query.find("qa_lead", totals, by=inside.actor("manager")).records() == [{"s": 6}]
    absent = []
    for identity in (other, "01890000-0000-7000-8000-000000000000", "nope", "../x"):
        with pytest.raises(Problem) as refusal:
            query.get("qa_lead", identity, by=sales)
        absent.append(json.dumps(refusal.value.as_dict()).replace(str(identity), "ID"))
        assert refusal.value.status == 404
    assert len(set(absent)) == 1


def test_deleted_records_are_absent_except_in_the_bin(inside):
    gone = insert("qa_lead", name="gone", owner_id=inside.user("sales"), deleted_at="2026-01-01T00:00:00Z")
    sales = inside.actor("sales")
    assert query.find("qa_lead", {}, by=sales).total == 0
    with pytest.raises(Problem):
        query.get("qa_lead", gone, by=sales)
    binned = query.find("qa_lead", {"deleted": True}, by=sales).records()
    assert [(row["id"], row["deleted_at"]) for row in binned] == [(str(gone), "2026-01-01T00:00:00.000Z")]
    assert query.find("qa_lead", {"deleted": True}, by=inside.actor("manager")).total == 1
    with pytest.raises(Problem):
        query.find("qa_lead", {"deleted": True}, by=inside.actor("reader"))


def test_expansion_obeys_the_other_objects_rights(inside):
    owner = inside.user("manager")
    account = insert("qa_account", name="Acme", margin=5, owner_id=owner)
    hidden = insert("qa_lead", name="hidden lead", owner_id=owner)
    lead = insert("qa_lead", name="mine", account=account, owner_id=inside.user("sales"))
    note = insert("qa_note", title="n", lead=hidden, owner_id=inside.user("sales"))
    row = query.get("qa_lead", lead, by=inside.actor("sales"), expand="account,owner_id").record()
    assert row["account"]["name"] == "Acme"
    assert "margin" not in row["account"]
    assert row["owner_id"] == {
        "id": str(inside.user("sales")),
        "name": "Sales Acme",
        "email": "sales@acme.test",
    }
    row = query.get("qa_note", note, by=inside.actor("sales"), expand="lead").record()
    assert row["lead"] == str(hidden)
    assert (
        query.get("qa_note", note, by=inside.actor("manager"), expand="lead").record()["lead"]["name"]
        == "hidden lead"
    )
    # The reader may read leads and not accounts: the id stays an id.
    row = query.get("qa_lead", lead, by=inside.actor("reader"), expand="account").record()
    assert row["account"] == str(account)


def test_expansion_of_three_levels(inside):
    me = inside.user("manager")
    top = insert("qa_account", name="Top", owner_id=me)
    account = insert("qa_account", name="Acme", parent=top, owner_id=me)
    lead = insert("qa_lead", name="Ann", account=account, owner_id=me)
    insert("qa_note", title="n", lead=lead, owner_id=me)
    three = {
        "lead": {"fields": ["name"], "expand": {"account": {"fields": ["name"], "expand": {"parent": {}}}}}
    }
    row = query.find("qa_note", {"expand": three, "fields": ["lead"]}, by=inside.actor("manager")).records()[
        0
    ]
    assert row["lead"]["account"]["parent"]["name"] == "Top"
    four = {"lead": {"expand": {"account": {"expand": {"parent": {"expand": {"parent": {}}}}}}}}
    with pytest.raises(Problem):
        query.find("qa_note", {"expand": four}, by=inside.actor("manager"))


# -- tenants and memory ----------------------------------------------------------------------------


def committed(world):
    """One committed lead in each tenant, owned by its manager; returns their ids."""
    made = {}
    for slug, ref in (("acme", world.acme), ("globex", world.globex)):
        with tenant_scope(ref):
            made[slug] = str(insert("qa_lead", name=f"{slug} lead", owner_id=world.user("manager", slug)))
    return made


def test_remembered_statements_stay_in_their_tenant(wiped):
    made = committed(wiped)
    for _ in range(3):
        for slug, ref in (("acme", wiped.acme), ("globex", wiped.globex)):
            page = query.find("qa_lead", {}, by=wiped.actor("manager", slug), tenant=ref)
            assert [row["id"] for row in page.records()] == [made[slug]]
            assert (
                query.get("qa_lead", made[slug], by=wiped.actor("manager", slug), tenant=ref).id == made[slug]
            )
    for slug, ref, other in (("acme", wiped.acme, "globex"), ("globex", wiped.globex, "acme")):
        with pytest.raises(Problem) as refusal:
            query.get("qa_lead", made[other], by=wiped.actor("manager", slug), tenant=ref)
        assert refusal.value.code == "RECORD_NOT_FOUND"
        with pytest.raises(Problem) as refusal:
            query.find("qa_lead", {}, by=wiped.actor("manager", other), tenant=ref)
        assert refusal.value.code == "PERMISSION_DENIED"


def test_a_key_without_the_tenant_would_mix_statements(wiped, monkeypatch):
    """Negative control: the walls hold even then, so the wrong statement finds nothing at all."""
    made = committed(wiped)
    plans.cache.clear()
    monkeypatch.setattr(plans, "key_of", lambda view, *parts: parts)
    first = query.find("qa_lead", {}, by=wiped.actor("manager"), tenant=wiped.acme)
    second = query.find("qa_lead", {}, by=wiped.actor("manager", "globex"), tenant=wiped.globex)
    plans.cache.clear()
    assert [row["id"] for row in first.records()] == [made["acme"]]
    assert second.records() == []


def test_one_statement_serves_users_with_the_same_rights(wiped):
    with tenant_scope(wiped.acme):
        for name in ("sales", "manager"):
            insert("qa_lead", name=name, owner_id=wiped.user(name))
        permissions.assign(user_id=wiped.user("reader"), name="qa_sales", by=SYSTEM)
    try:
        sales = query.find("qa_lead", {"fields": ["name"]}, by=wiped.actor("sales"), tenant=wiped.acme)
        assert sales.records() == [{"name": "sales"}]
        again = query.find("qa_lead", {"fields": ["name"]}, by=wiped.actor("sales"), tenant=wiped.acme)
        assert again.records() == sales.records()
    finally:
        with tenant_scope(wiped.acme):
            permissions.unassign(user_id=wiped.user("reader"), name="qa_sales", by=SYSTEM)


def test_a_revoked_right_ends_with_the_commit(wiped):
    sales = wiped.actor("sales")
    with tenant_scope(wiped.acme):
        insert("qa_lead", name="x", owner_id=sales.user_id)
    ask = lambda: query.find("qa_lead", {}, by=sales, tenant=wiped.acme)  # noqa: E731
    assert ask().total == 1
    assert ask().total == 1
    with tenant_scope(wiped.acme):
        permissions.unassign(user_id=sales.user_id, name="qa_sales", by=SYSTEM)
    try:
        with pytest.raises(Problem) as refusal:
            ask()
        assert refusal.value.status == 403
    finally:
        with tenant_scope(wiped.acme):
            permissions.assign(user_id=sales.user_id, name="qa_sales", by=SYSTEM)
    assert ask().total == 1


def test_a_stale_view_is_what_the_clock_prevents(wiped, monkeypatch):
    """Negative control: a view that does not compare clocks answers with a right that is gone."""
    sales = wiped.actor("sales")
    ask = lambda: query.find("qa_lead", {}, by=sales, tenant=wiped.acme)  # noqa: E731
    ask()
    ask()
    blind = plans.remembered

    def unclocked(tenant, by):
        view = blind(tenant, by)
        if view is not None:
            view.clock = None
        return view

    monkeypatch.setattr(plans, "remembered", unclocked)
    with tenant_scope(wiped.acme):
        permissions.unassign(user_id=sales.user_id, name="qa_sales", by=SYSTEM)
    # The scope above has not asked for these rights, so the process still remembers the old ones.
    answered = ask()
    with tenant_scope(wiped.acme):
        permissions.assign(user_id=sales.user_id, name="qa_sales", by=SYSTEM)
    assert answered.rows == []


def test_a_read_outside_any_scope_opens_no_transaction(wiped):
    manager = wiped.actor("manager")
    query.find("qa_lead", {}, by=manager, tenant=wiped.acme)
    page = query.find("qa_lead", {}, by=manager, tenant=wiped.acme)
    assert not connections["default"].in_atomic_block
    with tenant_scope(wiped.acme) as scope:
        assert (page.clock, page.platform_clock) == (scope.clock, scope.platform_clock)


def test_a_read_within_other_work(wiped):
    """In the platform's scope, or in a plain transaction, the tenant's scope is opened around the read."""
    made = committed(wiped)
    for _ in range(2):
        with platform_scope("test"):
            assert query.get("qa_lead", made["acme"], by=SYSTEM, tenant=wiped.acme).id == made["acme"]
        with transaction.atomic():
            assert query.get("qa_lead", made["acme"], by=SYSTEM, tenant=wiped.acme).id == made["acme"]
    with tenant_scope(wiped.globex), pytest.raises(ScopeConflict):
        query.get("qa_lead", made["acme"], by=SYSTEM, tenant=wiped.acme)


def test_a_key_is_narrowed_by_its_scopes(inside):
    owner = inside.actor("manager")
    key = Actor("api_key", "k", "key", owner.tenant_id, owner.user_id, scopes=frozenset({"qa_account:read"}))
    query.find("qa_account", {}, by=key)
    with pytest.raises(Problem) as refusal:
        query.find("qa_lead", {}, by=key)
    assert "scopes" in refusal.value.message


def test_the_compiler_never_forgets_the_rule(inside, monkeypatch):
    """Negative control: with the rule taken out of the statement, the invisible shows at once."""
    insert("qa_lead", name="other", owner_id=inside.user("manager"))
    assert query.find("qa_lead", {}, by=inside.actor("sales")).rows == []
    plans.cache.clear()
    monkeypatch.setattr(
        compiler.Compiler, "visible", lambda self, obj, alias, **more: compiler.sql.SQL("deleted_at IS NULL")
    )
    assert len(query.find("qa_lead", {}, by=inside.actor("sales")).rows) == 1
    plans.cache.clear()
