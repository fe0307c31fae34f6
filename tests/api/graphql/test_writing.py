"""Mutations: the records' services behind GraphQL; their refusals, the ledger, keys and idempotency are REST's."""

import uuid

import pytest

from apps.audit import queries
from apps.core.scope import tenant_scope
from tests.api.conftest import caller, make_key
from tests.api.graphql.conftest import PATH, code, data, errors, post

pytestmark = pytest.mark.usefixtures("api")
CREATE = (
    "mutation($data: ApiLeadCreate!) { api_lead_create(data: $data) { id name version account { name } } }"
)


def made(who, **values):
    return data(who, CREATE, {"data": {"name": "New"} | values})["api_lead_create"]


def history(tenant, record_id):
    with tenant_scope(tenant):
        return [entry.action for entry in queries.history(f"api_lead:{record_id}")]


def test_a_record_from_first_to_last(owner, account, acme):
    record = made(owner, account=account["id"], score=7, interests=["aa"])
    assert (record["name"], record["version"], record["account"]) == ("New", 1, {"name": account["name"]})
    one = {"id": record["id"]}
    change = "mutation($id: ID!, $v: String) { api_lead_update(id: $id, ifMatch: $v, data: {score: 8}) { score version } }"
    assert data(owner, change, one | {"v": "1"})["api_lead_update"] == {"score": 8, "version": 2}
    assert code(owner, change, one | {"v": "1"}) == "CONCURRENT_UPDATE"
    assert (
        data(owner, "mutation($id: ID!) { api_lead_delete(id: $id) }", one)["api_lead_delete"] == record["id"]
    )
    assert data(owner, "query($id: ID!) { api_lead(id: $id) { id } }", one)["api_lead"] is None
    back = data(owner, "mutation($id: ID!) { api_lead_restore(id: $id) { name } }", one)
    assert back["api_lead_restore"] == {"name": "New"}
    assert sorted(history(acme, record["id"])) == sorted(
        f"api_lead.{verb}" for verb in ("created", "updated", "deleted", "restored")
    )


def test_mutations_stand_alone_and_in_their_order(owner):
    text = """mutation { a: api_lead_create(data: {name: "One"}) { name }
      b: api_lead_create(data: {name: "Two", score: 1000}) { name } c: api_lead_create(data: {name: "Three"}) { name } }"""
    body = post(owner, text).json()
    assert body["data"] == {"a": {"name": "One"}, "b": None, "c": {"name": "Three"}}
    (error,) = body["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["b"], "VALIDATION_FAILED")
    assert error["extensions"]["fields"][0] | {"message": ""} == {
        "field": "score", "code": "max_value", "message": "", "label": "Score", "constraint": "100",
    }  # fmt: skip


def test_what_may_not_be_written_is_not_in_the_schema(owner, sales):
    for field in ("serial", "version", "created_at", "fixed", "deleted_at"):
        assert code(owner, CREATE, {"data": {"name": "x", field: "1"}}) == "BAD_USER_INPUT"
    assert code(sales, 'mutation { api_lead_delete(id: "x") }') == "GRAPHQL_VALIDATION_FAILED"
    assert (
        code(owner, 'mutation { api_readable_create(data: {name: "x"}) { id } }')
        == "GRAPHQL_VALIDATION_FAILED"
    )


def test_the_rows_rules_hold(owner, sales):
    theirs = made(owner)
    text = "mutation($id: ID!) { api_lead_update(id: $id, data: {score: 1}) { id } }"
    assert code(sales, text, {"id": theirs["id"]}) == "RECORD_NOT_FOUND"
    mine = made(sales)
    assert data(sales, text, {"id": mine["id"]})["api_lead_update"] == {"id": mine["id"]}


def test_a_key_that_may_only_read_writes_nothing(people, acme):
    reading = caller("acme", make_key(acme, people.actor("owner"), ("data:read",)))
    for text in (CREATE, "query Q { me { id } } " + CREATE.replace("mutation", "mutation M")):
        body = {
            "query": text,
            "operationName": "M" if "M(" in text else None,
            "variables": {"data": {"name": "x"}},
        }
        answer = reading.post(PATH, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert data(reading, "{ api_lead_list(first: 1) { nodes { name } } }")
    assert "api_lead_create" not in str(data(reading, "{ __schema { mutationType { fields { name } } } }"))


def test_a_retried_mutation_has_one_effect(owner):
    name = f"Once {uuid.uuid4().hex[:8]}"
    text = f'mutation {{ api_lead_create(data: {{name: "{name}"}}) {{ id }} }}'
    key = {"HTTP_IDEMPOTENCY_KEY": name.replace(" ", "-")}
    first, second = post(owner, text, **key), post(owner, text, **key)
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    counted = f'{{ api_lead_list(where: {{name: {{eq: "{name}"}}}}) {{ totalCount }} }}'
    assert data(owner, counted)["api_lead_list"]["totalCount"] == 1
    post(owner, text)
    assert data(owner, counted)["api_lead_list"]["totalCount"] == 2, "without the key it is another request"


def test_a_query_with_a_key_is_asked_again(owner, settings):
    name = f"Seen {uuid.uuid4().hex[:8]}"
    counted = f'{{ api_lead_list(where: {{name: {{eq: "{name}"}}}}) {{ totalCount }} }}'
    key = {"HTTP_IDEMPOTENCY_KEY": name.replace(" ", "-")}
    assert post(owner, counted, **key).json()["data"]["api_lead_list"]["totalCount"] == 0
    made(owner, name=name)
    assert post(owner, counted, **key).json()["data"]["api_lead_list"]["totalCount"] == 1


def test_keys_are_asked_for_with_mutations_only(owner, settings):
    settings.API_IDEMPOTENCY_REQUIRED = ["graphql"]
    assert data(owner, "{ me { id } }")
    refused = errors(owner, 'mutation { api_lead_create(data: {name: "x"}) { id } }')[0]
    assert refused["extensions"]["code"] == "IDEMPOTENCY_KEY_REQUIRED"


def test_a_revoked_key_writes_nothing_from_that_moment(people, acme):
    """The process has just seen the key; a mutation asks anew all the same, and so does a query's read."""
    from apps.identity.models import ApiKey
    from apps.identity.services.keys import revoke_key

    who = caller("acme", make_key(acme, people.actor("owner")))
    assert data(who, "{ me { id } }")
    assert made(who)
    assert data(who, "{ api_lead_list(first: 1) { nodes { id } } }")
    with tenant_scope(acme):
        newest = ApiKey.objects.order_by("-id").first()
        revoke_key(key_id=newest.id, by=people.actor("owner"))
    for text in (CREATE, "{ api_lead_list(first: 1) { nodes { id } } }", "{ me { id } }"):
        answer = post(who, text, {"data": {"name": "Late"}} if text == CREATE else {})
        assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")


def test_strangers_are_told_nothing_of_a_document(nobody):
    for text in ("{ me {", "{ nope }", "mutation { nope }"):
        assert post(nobody, text).status_code == 401


def test_the_records_of_another_tenant_are_absent(owner, keys):
    theirs = (
        caller("globex", keys["owner@globex"]).post("/api/v1/data/api_lead", {"name": "CANARY"}).json()["id"]
    )
    texts = {
        "query($id: ID!) { api_lead(id: $id) { name } }": None,
        "query($id: ID!) { api_lead_list(where: {id: {eq: $id}}) { totalCount nodes { name } } }": None,
        'mutation($id: ID!) { api_lead_update(id: $id, data: {name: "x"}) { name } }': "RECORD_NOT_FOUND",
        "mutation($id: ID!) { api_lead_delete(id: $id) }": "RECORD_NOT_FOUND",
        "mutation($id: ID!) { api_lead_restore(id: $id) { name } }": "RECORD_NOT_FOUND",
    }
    for text, expected in texts.items():
        body = post(owner, text, {"id": theirs}).json()
        assert "CANARY" not in str(body)
        assert body.get("errors", [{"extensions": {"code": None}}])[0]["extensions"]["code"] == expected
    mine = caller("globex", keys["owner@globex"])
    assert data(mine, next(iter(texts)), {"id": theirs}) == {"api_lead": {"name": "CANARY"}}, (
        "negative control"
    )
