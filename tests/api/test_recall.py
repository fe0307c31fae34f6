"""Calls of somebody whom this process knows already: one round trip, and still nothing outlives its end."""

import pytest
from django.db import connections

from apps.core.scope import platform_scope, tenant_scope
from apps.identity.models import ApiKey, Membership
from apps.identity.services.keys import revoke_key
from apps.permissions.services import assign, unassign
from apps.tenants.lifecycle import move
from apps.tenants.states import State
from tests.api.conftest import caller, make_key

pytestmark = pytest.mark.usefixtures("api")
LEADS = "/api/v1/data/api_lead"


@pytest.fixture
def guest(people, acme):
    key = make_key(acme, people.actor("manager"))
    with tenant_scope(acme):
        assign(name="api_boss", user_id=people.users["manager@acme"].id, by=people.actor("owner"))
    made = caller("acme", key)
    assert made.get(LEADS).status_code == 200
    assert made.get(LEADS).status_code == 200
    yield made, key
    with tenant_scope(acme):
        unassign(name="api_boss", user_id=people.users["manager@acme"].id, by=people.actor("owner"))


def test_a_known_caller_reads_in_one_round_trip(guest, monkeypatch):
    from apps.core.db import fast

    calls = []
    original = fast._pipelined
    monkeypatch.setattr(fast, "_pipelined", lambda *args: calls.append(1) or original(*args))
    assert guest[0].get(f"{LEADS}?top=1").status_code == 200
    assert len(calls) == 1
    assert not connections["default"].in_atomic_block


def test_a_revoked_key_is_refused_at_once(guest, people, acme):
    made, key = guest
    with tenant_scope(acme):
        row = ApiKey.objects.get(prefix=key.removeprefix("osk_").split("_")[0])
        revoke_key(key_id=row.id, by=people.actor("manager"))
    for answer in (made.get(LEADS), made.post(f"{LEADS}/query", {}), made.get(f"{LEADS}/{row.id}")):
        assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")


def test_a_right_taken_away_is_gone_at_once(guest, people, acme):
    with tenant_scope(acme):
        unassign(name="api_boss", user_id=people.users["manager@acme"].id, by=people.actor("owner"))
    assert guest[0].get(LEADS).status_code == 403
    assert guest[0].post(f"{LEADS}/query", {}).status_code == 403


def test_a_tenant_closed_is_closed_at_once(fresh_tenant, people):
    with platform_scope("test"):
        Membership.objects.create(tenant_id=fresh_tenant.id, user=people.users["owner@acme"], role="owner")
    actor = people.actor("owner")
    made = caller(
        None, make_key(fresh_tenant, type(actor)(**{**actor.__dict__, "tenant_id": fresh_tenant.id}))
    )
    assert made.get("/api/v1/data/nothing").status_code == 404
    with platform_scope("test"):
        move(tenant_id=fresh_tenant.id, to=State.SUSPENDED, by=people.operator(), reason="closed")
    assert made.get("/api/v1/data/nothing").json()["code"] == "TENANT_SUSPENDED"


def test_without_the_comparison_a_revoked_key_would_read(guest, people, acme, monkeypatch):
    """The control: a call that always thinks itself current hands out records."""
    from apps.api.call import Call

    made, key = guest
    with tenant_scope(acme):
        row = ApiKey.objects.get(prefix=key.removeprefix("osk_").split("_")[0])
        revoke_key(key_id=row.id, by=people.actor("manager"))
    monkeypatch.setattr(Call, "is_current", True)
    assert made.get(LEADS).status_code == 200


def test_the_host_must_still_fit(guest):
    _, key = guest
    answer = caller("globex", key).get(LEADS)
    assert (answer.status_code, answer.json()["code"]) == (403, "TENANT_MISMATCH")


def made_by(people, acme, name):
    """How many records there are that carry a name, whoever asks."""
    from apps.objects import query

    with tenant_scope(acme):
        return len(query.find("api_lead", {"where": {"name": name}}, by=people.actor("owner")).rows)


def change(made, name):
    """Make a record and change one, as a known caller; return both."""
    record = made.post(LEADS, {"name": name}).json()
    return record, made.send("PATCH", f"{LEADS}/{record.get('id')}", {"name": name})


def test_a_revoked_key_writes_no_more(guest, people, acme):
    made, key = guest
    _, before = change(made, "while it holds")
    assert before.status_code == 200
    with tenant_scope(acme):
        row = ApiKey.objects.get(prefix=key.removeprefix("osk_").split("_")[0])
        revoke_key(key_id=row.id, by=people.actor("manager"))
    after = made.post(LEADS, {"name": "too late"})
    assert (after.status_code, after.json()["code"]) == (401, "INVALID_API_KEY")
    late = made.send("PATCH", f"{LEADS}/{before.json()['id']}", {"name": "too late"})
    assert (late.status_code, late.json()["code"]) == (401, "INVALID_API_KEY")
    assert made_by(people, acme, "too late") == 0


def test_a_revoked_key_mutates_no_more(guest, people, acme):
    made, key = guest
    text = 'mutation { api_lead_create(data: {name: "mutated"}) { id } }'
    first = made.post("/api/v1/graphql", {"query": text})
    assert first.status_code == 200, first.content
    assert "errors" not in first.json(), first.json()
    with tenant_scope(acme):
        row = ApiKey.objects.get(prefix=key.removeprefix("osk_").split("_")[0])
        revoke_key(key_id=row.id, by=people.actor("manager"))
    assert made.post("/api/v1/graphql", {"query": text}).status_code == 401
    assert made_by(people, acme, "mutated") == 1


def test_a_right_to_write_taken_away_is_gone_at_once(guest, people, acme):
    made, _ = guest
    change(made, "while it holds")
    with tenant_scope(acme):
        unassign(name="api_boss", user_id=people.users["manager@acme"].id, by=people.actor("owner"))
    assert made.post(LEADS, {"name": "without"}).status_code == 403
    assert made_by(people, acme, "without") == 0


BLIND = "({}::uuid, {}::bigint, {}::bigint, {}::uuid, {}::bigint) IS NOT NULL OR true AS fresh"


def test_without_the_comparison_a_revoked_key_would_write(guest, people, acme, monkeypatch):
    """The control: a statement that looks at no clock writes for whoever was known once."""
    from psycopg import sql

    from apps.objects.query import plans
    from apps.objects.records import statements

    made, key = guest
    change(made, "while it holds")
    with tenant_scope(acme):
        row = ApiKey.objects.get(prefix=key.removeprefix("osk_").split("_")[0])
        revoke_key(key_id=row.id, by=people.actor("manager"))
    monkeypatch.setattr(statements, "FRESH", sql.SQL(BLIND))
    plans.cache.clear()
    assert made.post(LEADS, {"name": "unseen"}).status_code == 201
    plans.cache.clear()
    assert made_by(people, acme, "unseen") == 1


def test_a_turn_of_the_platforms_clock_is_noticed_too(guest, monkeypatch):
    """A person closed, a platform's setting changed: the caller is looked up before anything is written."""
    from apps.api import door
    from apps.core import clock

    made, _ = guest
    change(made, "while it holds")
    asked, real = [], door.identify
    monkeypatch.setattr(door, "identify", lambda request: asked.append(1) or real(request))
    assert made.post(LEADS, {"name": "known"}).status_code == 201
    assert asked == []
    with platform_scope("test"):
        clock.bump(None)
    assert made.post(LEADS, {"name": "known"}).status_code == 201
    assert asked == [1]
