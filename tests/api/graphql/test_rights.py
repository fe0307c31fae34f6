"""R22 for GraphQL: what a reader may not see is not in their schema, and no filter, order, search or error tells it."""

import json

import pytest

from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.objects.parse import load_yaml
from apps.objects.publish import publish_in
from apps.permissions.services import assign
from tests.api.graphql.conftest import code, data, post

pytestmark = pytest.mark.usefixtures("api")
HIDDEN = "canary-7f3a"
INTROSPECTION = """{ __schema { types { name description fields { name description args { name } } inputFields { name }
  enumValues { name } } } }"""


@pytest.fixture
def lead(owner, account):
    """A lead of the owner with a secret, and sales' own lead with one of its own."""
    made = owner.post("/api/v1/data/api_lead", {"name": "Veiled", "secret": HIDDEN, "account": account["id"]})
    return made.json()["record"]


@pytest.fixture
def given(owner, people, lead):
    """The same lead, given to sales: the record is theirs to see, the field is not."""
    to = str(people.users["sales@acme"].id)
    assert owner.send("PATCH", f"/api/v1/data/api_lead/{lead['id']}", {"owner_id": to}).status_code == 200
    return lead


ORACLES = {
    "select": '{ api_lead(id: "%s") { secret } }',
    "list": "{ api_lead_list { nodes { secret } } }",
    "an alias": "{ api_lead_list { nodes { name: secret } } }",
    "a fragment": "{ api_lead_list { nodes { ...x } } } fragment x on ApiLead { secret }",
    "filter": '{ api_lead_list(where: {secret: {startsWith: "canary"}}) { totalCount } }',
    "a filter within not": '{ api_lead_list(where: {_not: {_or: [{secret: {eq: "x"}}]}}) { totalCount } }',
    "presence": "{ api_lead_list(where: {secret: {null: false}}) { totalCount } }",
    "order": "{ api_lead_list(orderBy: [{secret: ASC}]) { nodes { id } } }",
    "nested": "{ api_account_list { nodes { api_lead_by_account { nodes { secret } } } } }",
    "a nested filter": '{ api_account_list { nodes { api_lead_by_account(where: {secret: {eq: "x"}}) { totalCount } } } }',
    "a nested order": "{ api_account_list { nodes { api_lead_by_account(orderBy: [{secret: ASC}]) { totalCount } } } }",
    "groups": "{ api_lead_groups(by: [{field: secret}]) }",
    "a measure": "{ api_lead_groups(measures: [{function: count, field: secret}]) }",
    "a measure's filter": '{ api_lead_groups(measures: [{function: count, where: {secret: {eq: "x"}}}]) }',
    "its type": '{ __type(name: "ApiLead") { fields { name } } }',
    "creation": 'mutation { api_lead_create(data: {name: "x", secret: "y"}) { id } }',
    "change": 'mutation { api_lead_update(id: "%s", data: {secret: "y"}) { id } }',
    "what a change answers": 'mutation { api_lead_update(id: "%s", data: {score: 1}) { secret } }',
}


@pytest.mark.parametrize("name", ORACLES)
def test_a_hidden_field_is_no_field(sales, owner, given, name):
    text = ORACLES[name]
    text = text % given["id"] if "%s" in text else text
    answer = post(sales, text)
    assert HIDDEN not in answer.content.decode()
    if name == "its type":
        assert b'"name"' in answer.content
        assert b'"secret"' not in answer.content
    else:
        asked = {error["extensions"]["code"] for error in answer.json()["errors"]}
        assert asked <= {"GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}
        strange = post(sales, text.replace("secret", "absent")).json()["errors"][0]["message"]
        told = answer.json()["errors"][0]["message"]
        assert (
            told.partition(" Did you mean")[0]
            == strange.replace("absent", "secret").partition(" Did you mean")[0]
        )
    seen = post(owner, text).content
    assert b"GRAPHQL_VALIDATION_FAILED" not in seen, "negative control: who may read the field asks the same"


@pytest.mark.parametrize("field", ["secret", "absent"])
def test_a_variable_tells_no_more(sales, given, field):
    text = "query($w: ApiLeadWhere) { api_lead_list(where: $w) { totalCount } }"
    body = post(sales, text, {"w": {field: {"eq": HIDDEN}}}).json()
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert f"Field '{field}' is not defined by type 'ApiLeadWhere'." in body["errors"][0]["message"]


def test_the_filter_of_groups_tells_nothing(sales, owner, given):
    text = "query($h: JSON) { api_lead_groups(having: $h) }"
    assert code(sales, text, {"h": {"secret": HIDDEN}}) == code(sales, text, {"h": {"absent": HIDDEN}})
    mine = "{ api_lead_groups(measures: [{function: count}]) }"
    assert data(sales, mine)["api_lead_groups"][0]["count"] < data(owner, mine)["api_lead_groups"][0]["count"]


def test_a_search_does_not_look_into_it(sales, owner, given):
    text = f'{{ api_lead_list(search: "{HIDDEN}") {{ totalCount }} }}'
    assert data(sales, text)["api_lead_list"]["totalCount"] == 0


def test_records_of_others_count_nowhere(sales, owner, account, lead):
    text = """query($id: ID!, $lead: ID!) { api_account(id: $id) { api_lead_by_account { totalCount hasMore nodes { id } } }
      api_lead(id: $lead) { id } api_lead_list(where: {id: {eq: $lead}}) { totalCount nodes { id } } }"""
    asked = {"id": account["id"], "lead": lead["id"]}
    assert data(sales, text, asked) == {
        "api_account": {"api_lead_by_account": {"totalCount": 0, "hasMore": False, "nodes": []}},
        "api_lead": None,
        "api_lead_list": {"totalCount": 0, "nodes": []},
    }
    assert data(owner, text, asked)["api_account"]["api_lead_by_account"]["totalCount"] == 6


def test_the_schema_of_a_reader_names_only_what_they_read(sales, owner, keys):
    seen, all_of_it = (json.dumps(data(who, INTROSPECTION)) for who in (sales, owner))
    assert '"secret"' in all_of_it
    assert "ApiClosed" not in all_of_it, "the API does not serve it"
    assert '"secret"' not in seen
    assert "api_lead_delete" not in seen
    assert "api_lead_delete" in all_of_it


def test_who_may_read_nothing_may_still_ask_who_they_are(keys):
    from tests.api.conftest import caller

    reader = caller("acme", keys["reader@acme"])
    assert set(
        data(reader, "{ __schema { queryType { fields { name } } } }")["__schema"]["queryType"]["fields"][0]
    ) == {"name"}
    assert data(reader, "{ me { name } }") == {"me": {"name": "Reader Acme"}}
    assert code(reader, "{ api_lead_list { totalCount } }") == "GRAPHQL_VALIDATION_FAILED"


def test_nobody_sees_no_schema(nobody):
    answer = post(nobody, INTROSPECTION)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert b"ApiLead" not in answer.content


NOTE = """
name: g_note
label: Note
sharingModel: public_read
fields:
  name: {{type: text, label: Name}}
  {field}: {{type: text, label: Added}}
permission_sets:
  g_notes: {{allowRead: true}}
"""


def test_a_published_change_and_a_new_right_show_at_once(owner, sales, acme, people):
    publish_in(acme, [load_yaml(NOTE.format(field="before"))], by=SYSTEM)
    assert data(owner, "{ g_note_list { nodes { before } } }")
    assert code(sales, "{ g_note_list { totalCount } }") == "GRAPHQL_VALIDATION_FAILED"
    with tenant_scope(acme):
        assign(name="g_notes", user_id=people.users["sales@acme"].id, by=SYSTEM)
    assert data(sales, "{ g_note_list { nodes { before } } }")
    publish_in(acme, [load_yaml(NOTE.format(field="later"))], by=SYSTEM, allow_destructive=True)
    assert data(owner, "{ g_note_list { nodes { later } } }")
    assert code(owner, "{ g_note_list { nodes { before } } }") == "GRAPHQL_VALIDATION_FAILED"


WATCHED = """
name: g_chart
label: Chart
sharingModel: public_read
enable: {trackReads: true}
fields:
  name: {type: text, label: Name}
  size: {type: number, label: Size}
  parent: {type: lookup, label: Parent, reference: g_chart}
"""


def test_reads_of_watched_objects_are_in_the_ledger(owner, acme):
    from apps.audit import queries

    publish_in(acme, [load_yaml(WATCHED)], by=SYSTEM)
    parent = owner.post("/api/v1/data/g_chart", {"name": "Parent", "size": "12345678901234567890.5"}).json()[
        "id"
    ]
    child = owner.post("/api/v1/data/g_chart", {"name": "Child", "parent": parent}).json()["id"]
    text = """query($id: ID!) { g_chart_list(where: {id: {eq: $id}}) { nodes { name parent { size
      g_chart_by_parent { nodes { name } } } } } }"""
    before = _read(acme, queries)
    found = json.loads(post(owner, text, {"id": child}).content, parse_float=str)["data"]["g_chart_list"][
        "nodes"
    ]
    inner = {"size": "12345678901234567890.5", "g_chart_by_parent": {"nodes": [{"name": "Child"}]}}
    assert found == [{"name": "Child", "parent": inner}]
    after = _read(acme, queries)
    assert len(after) - len(before) == 1
    assert set(after[0].details["records"]) == {parent, child}


def _read(tenant, queries):
    with tenant_scope(tenant):
        found = [entry for entry in queries.history("object:g_chart") if entry.action == "g_chart.read"]
    return sorted(found, key=lambda entry: entry.at, reverse=True)


CARD = """
name: g_card
label: Card
sharingModel: public_read
fields:
  name: {type: text, label: Name}
  iban: {type: text, label: IBAN, encrypted: equality}
  number: {type: text, label: Number, maskingRule: last4}
  others: {type: lookup, label: Others, reference: g_card, multiple: true}
  friends: {type: user, label: Friends, multiple: true}
permission_sets:
  g_cards: {allowRead: true}
"""


@pytest.fixture
def cards(owner, acme, people):
    """Two cards, the first with an encrypted and a masked value and references to both; sales may read them."""
    publish_in(acme, [load_yaml(CARD)], by=SYSTEM)
    with tenant_scope(acme):
        assign(name="g_cards", user_id=people.users["sales@acme"].id, by=SYSTEM)
    other = owner.post("/api/v1/data/g_card", {"name": "Other"}).json()["id"]
    mine = str(people.users["owner@acme"].id)
    card = {
        "name": "Mine",
        "iban": "DE02",
        "number": "4111-canary-9876",
        "others": [other],
        "friends": [mine],
    }
    made = owner.post("/api/v1/data/g_card", card)
    assert made.status_code == 201, made.content
    return made.json()["record"]


def test_encrypted_and_masked_fields_and_references_to_several(sales, owner, people, cards):
    text = '{ g_card_list(where: {iban: {eq: "DE02"}}) { nodes { iban number others { name } others_ids friends { name } } } }'
    seen = data(sales, text)["g_card_list"]["nodes"][0]
    assert (seen["iban"], seen["others"], seen["others_ids"]) == (
        "DE02",
        [{"name": "Other"}],
        cards["others"],
    )
    assert seen["friends"] == [{"name": "Owner Acme"}]
    assert seen["number"].endswith("9876")
    assert "canary" not in seen["number"]
    asked = '{ g_card_list(where: {number: {startsWith: "4111"}}) { totalCount } }'
    assert code(sales, asked) == "GRAPHQL_VALIDATION_FAILED"
    assert (
        code(sales, "{ g_card_list(orderBy: [{number: ASC}]) { totalCount } }") == "GRAPHQL_VALIDATION_FAILED"
    )
    assert data(owner, asked)["g_card_list"]["totalCount"] == 1, (
        "negative control: the owner sees through the mask"
    )
    assert (
        code(owner, '{ g_card_list(where: {iban: {startsWith: "DE"}}) { totalCount } }')
        == "GRAPHQL_VALIDATION_FAILED"
    )


def test_records_that_may_not_be_seen_are_left_out_of_several(owner, sales, acme, people, cards):
    from apps.objects import records

    with tenant_scope(acme):
        records.delete("g_card", cards["others"][0], by=people.actor("owner"))
    text = '{ g_card_list(where: {iban: {eq: "DE02"}}) { nodes { others { name } } } }'
    assert {"others": []} in data(sales, text)["g_card_list"]["nodes"]
