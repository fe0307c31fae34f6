"""Reading over GraphQL: connections, cursors, filters, relations both ways, in the shape that was asked for."""

from decimal import Decimal
from json import loads

import pytest
from django.db import connections

from apps.core.actor import SYSTEM
from apps.objects.parse import load_yaml
from apps.objects.publish import publish_in
from tests.api.graphql.conftest import code, data, errors, post
from tests.round_trips import statements

pytestmark = pytest.mark.usefixtures("api")


def leads(account, rest, **arguments):
    given = {"where": f'{{account: {{eq: "{account["id"]}"}}}}', "orderBy": "[{score: ASC}]"} | arguments
    return f"{{ api_lead_list({', '.join(f'{k}: {v}' for k, v in given.items())}) {{ {rest} }} }}"


def test_the_answer_has_the_shape_of_the_question(owner, account):
    answer = post(owner, leads(account, "__typename n: nodes { __typename title: name score name }", first=1))
    assert loads(answer.content, object_pairs_hook=list)[0][1][0][1] == [
        ("__typename", "ApiLeadConnection"),
        ("n", [[("__typename", "ApiLead"), ("title", "Lead 0"), ("score", 0), ("name", "Lead 0")]]),
    ]
    assert answer["Content-Type"] == "application/json"


def test_numbers_keep_every_digit(owner, account):
    raw = post(owner, leads(account, "nodes { amount }", first=1)).content
    assert loads(raw, parse_float=Decimal)["data"]["api_lead_list"]["nodes"] == [
        {"amount": Decimal("12345678.91")}
    ]


def test_cursors_lead_through_the_whole_list(owner, account):
    rest = "edges { cursor node { score } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    seen, after = [], '""'
    for _ in range(4):
        page = data(owner, leads(account, rest, first=2, after=after))["api_lead_list"]
        seen += [edge["node"]["score"] for edge in page["edges"]]
        info = page["pageInfo"]
        assert info["startCursor"] == page["edges"][0]["cursor"]
        assert info["endCursor"] == page["edges"][-1]["cursor"]
        assert info["hasPreviousPage"] == (after != '""')
        if not info["hasNextPage"]:
            break
        after = f'"{info["endCursor"]}"'
    assert seen == [0, 1, 2, 3, 4]


def test_a_cursor_of_another_order_is_refused(owner, account):
    cursor = data(owner, leads(account, "pageInfo { endCursor }", first=2))["api_lead_list"]["pageInfo"][
        "endCursor"
    ]
    assert (
        code(owner, leads(account, "nodes { id }", after=f'"{cursor}"', orderBy="[{name: ASC}]"))
        == "INVALID_QUERY"
    )


@pytest.mark.parametrize(
    ("where", "scores"),
    [
        ("{score: {gte: 3}}", [3, 4]),
        ('{score: {between: [1, 2]}, name: {startsWith: "Lead"}}', [1, 2]),
        ('{_or: [{score: {eq: 0}}, {name: {in: ["Lead 4"]}}]}', [0, 4]),
        ("{_not: {score: {lt: 4}}}", [4]),
        ("{company: null, score: {lte: 0}}", [0]),
        ("{company: {null: false}}", []),
        ("{_and: [{score: {gt: 0}}, {score: {lt: 2}}]}", [1]),
        ('{created_at: {lt: "{today}"}}', []),
        ('{created_by: {eq: "{current_user_id}"}, score: {eq: 2}}', [2]),
    ],
)  # fmt: skip
def test_filters_are_the_protocols(owner, account, where, scores):
    both = f'{{_and: [{{account: {{eq: "{account["id"]}"}}}}, {where}]}}'
    found = data(owner, leads(account, "nodes { score }", where=both))["api_lead_list"]["nodes"]
    assert [row["score"] for row in found] == scores


def test_a_filter_from_a_variable_is_the_same_filter(owner, account):
    text = "query($w: ApiLeadWhere, $n: Int = 1) { api_lead_list(where: $w, first: $n) { totalCount nodes { name } } }"
    where = {"account": {"eq": account["id"]}, "score": {"gte": 2}}
    assert data(owner, text, {"w": where, "n": 9})["api_lead_list"]["totalCount"] == 3
    assert len(data(owner, text, {"w": where})["api_lead_list"]["nodes"]) == 1


def test_nodes_and_edges_of_one_list_may_show_different_fields(owner, account):
    rest = "nodes { score amount } edges { node { name } } again: nodes { name }"
    page = data(owner, leads(account, rest, first=1))["api_lead_list"]
    assert page["nodes"] == [{"score": 0, "amount": 12345678.91}]
    assert page["edges"] == [{"node": {"name": "Lead 0"}}]
    assert page["again"] == [{"name": "Lead 0"}]


def test_aliases_cannot_meet_names_of_the_statement(owner, account):
    rest = "nodes { x: name y: score r: name t: id i: score n0: name e1: company z: account { x: name } }"
    row = data(owner, leads(account, rest, first=1))["api_lead_list"]["nodes"][0]
    assert (row["x"], row["i"], row["z"]) == ("Lead 0", 0, {"x": account["name"]})


def test_fields_cannot_meet_names_of_the_statement_either(owner, acme):
    named = "\n".join(
        f"  {name}: {{type: text, label: A}}" for name in ("x", "y", "r", "class", "keys", "from")
    )
    text = f"name: g_words\nlabel: Words\nsharingModel: public_read_write\nfields:\n{named}\n"
    publish_in(acme, [load_yaml(text)], by=SYSTEM)
    given = {"x": "1", "y": "2", "class": "3", "keys": "4", "from": "5"}
    made = owner.post("/api/v1/data/g_words", given).json()["record"]
    assert given.items() <= made.items()
    assert given.items() <= owner.get("/api/v1/data/g_words?after=*").json()["records"][0].items()
    text = '{ g_words_list(where: {class: {eq: "3"}}) { nodes { x y class keys from } } }'
    assert data(owner, text)["g_words_list"]["nodes"] == [given]


def test_relations_both_ways_in_one_statement(owner, account):
    text = """query($id: ID!) { api_account(id: $id) {
      name
      api_lead_by_account(first: 2, orderBy: [{score: DESC}]) {
        __typename totalCount hasMore
        nodes { score owner { name } account_id account { name api_lead_by_account(first: 1) { nodes { __typename } } } }
      } } }"""
    found = data(owner, text, {"id": account["id"]})["api_account"]["api_lead_by_account"]
    assert (found["__typename"], found["totalCount"], found["hasMore"]) == ("ApiLeadSlice", 5, True)
    assert [row["score"] for row in found["nodes"]] == [4, 3]
    first = found["nodes"][0]
    assert (first["owner"]["name"], first["account_id"]) == ("Owner Acme", account["id"])
    assert first["account"] == {
        "name": account["name"],
        "api_lead_by_account": {"nodes": [{"__typename": "ApiLead"}]},
    }
    last = data(owner, text.replace("first: 2", "first: 2, offset: 4"), {"id": account["id"]})["api_account"]
    assert not last["api_lead_by_account"]["hasMore"]


@pytest.mark.parametrize("records", [1, 5])
def test_nesting_costs_no_further_statement(owner, account, records):
    """No N+1: one statement however many records, and however deep."""
    nested = "nodes { name account { name api_lead_by_account(first: 5) { totalCount nodes { name owner { name } } } } }"
    text = leads(account, nested, first=records)
    data(owner, text)
    connections["default"].ensure_connection()
    with statements() as seen:
        data(owner, text)
    assert len(seen) == 1
    with statements() as seen:
        data(owner, f"{{ a: {leads(account, 'totalCount')[2:-2]} b: {leads(account, 'totalCount')[2:-2]} }}")
    assert len(seen) == 2


def test_absent_and_impossible_ids_are_null(owner, account):
    text = "query($id: ID!) { api_lead(id: $id) { id } }"
    for absent in ("01a1f900-0000-7000-8000-000000000000", "nonsense", account["id"]):
        assert data(owner, text, {"id": absent}) == {"api_lead": None}


def test_an_error_of_one_field_leaves_the_others(owner, account):
    text = '{ bad: api_lead_list(where: {name: {like: "x\\\\"}}) { nodes { id } } me { name } }'
    body = post(owner, text).json()
    assert body["data"] == {"bad": None, "me": {"name": "Owner Acme"}}
    (error,) = body["errors"]
    assert error["path"] == ["bad"]
    assert error["locations"] == [{"line": 1, "column": 3}]
    assert error["extensions"]["code"] == "INVALID_FILTER"


def test_skip_include_and_fragments(owner, account):
    text = """query($no: Boolean = false) { api_lead_list(first: 1) { nodes { ...some id @include(if: $no) } } }
      fragment some on ApiLead { name @skip(if: $no) ... on ApiLead { __typename } }"""
    assert set(data(owner, text)["api_lead_list"]["nodes"][0]) == {"name", "__typename"}
    assert set(data(owner, text, {"no": True})["api_lead_list"]["nodes"][0]) == {"id", "__typename"}


def test_what_is_wrong_is_told_with_place_and_code(owner):
    (error,) = errors(owner, "{\n  nope\n}")
    assert error["locations"] == [{"line": 2, "column": 3}]
    assert error["extensions"] == {"code": "GRAPHQL_VALIDATION_FAILED"}
    assert code(owner, "{ me {") == "GRAPHQL_PARSE_FAILED"
    assert code(owner, "query($x: ID!) { api_lead(id: $x) { id } }") == "BAD_USER_INPUT"
    assert (
        code(owner, "{ api_lead_list(orderBy: [{name: ASC, score: ASC}]) { totalCount } }") == "INVALID_SORT"
    )
    assert code(owner, "{ api_lead_list(first: -1) { totalCount } }") == "INVALID_QUERY"
    assert code(owner, "subscription { api_lead_list { totalCount } }") == "GRAPHQL_SUBSCRIPTION_ELSEWHERE"
    assert code(owner, "query a { me { id } } query b { me { id } }") == "GRAPHQL_OPERATION_UNKNOWN"


def test_a_get_reads_and_never_writes(owner):
    assert owner.get("/api/v1/graphql?query={me{name}}").json() == {"data": {"me": {"name": "Owner Acme"}}}
    answer = owner.get('/api/v1/graphql?query=mutation{api_lead_create(data:{name:"x"}){id}}')
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_a_persisted_query_is_asked_for_by_its_hash(owner, sales, stranger):
    import hashlib

    text = "{ me { name } } # kept"
    sha = hashlib.sha256(text.encode()).hexdigest()
    asked = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha}}}
    answer = owner.post("/api/v1/graphql", asked)
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (200, "PersistedQueryNotFound")
    wrong = owner.post("/api/v1/graphql", asked | {"query": "{ me { id } }"}).json()["errors"][0]
    assert wrong["extensions"]["code"] == "PERSISTED_QUERY_MISMATCH"
    assert owner.post("/api/v1/graphql", asked | {"query": text}).status_code == 200
    assert sales.post("/api/v1/graphql", asked).json()["data"]["me"]["name"] == "Sales Acme"


def test_a_persisted_query_stays_within_its_tenant(owner, keys):
    import hashlib

    from tests.api.conftest import caller

    text = "{ me { id } } # of acme"
    asked = {
        "extensions": {
            "persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(text.encode()).hexdigest()}
        }
    }
    owner.post("/api/v1/graphql", asked | {"query": text})
    assert "data" in owner.post("/api/v1/graphql", asked).json()
    other = caller("globex", keys["owner@globex"]).post("/api/v1/graphql", asked).json()
    assert other["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


def test_groups_are_the_figures_of_rest(owner, account):
    for score, status in ((1, "lost"), (2, "lost"), (30, "working")):
        lead = {"name": "Group", "account": account["id"], "score": score, "status": status}
        owner.post("/api/v1/data/api_lead", lead)
    where = {"account": account["id"], "name": "Group"}
    rest = {
        "where": where,
        "groupBy": ["status", {"field": "created_at", "dateGranularity": "month", "alias": "month"}],
        "aggregations": [
            {"function": "count", "alias": "n"},
            {"function": "sum", "field": "score", "alias": "total", "filter": {"score": {"$gt": 1}}},
        ],
        "having": {"n": {"$gte": 2}},
        "orderBy": [{"field": "total", "order": "desc"}],
    }
    expected = owner.post("/api/v1/data/api_lead/query", rest).json()["records"]
    text = """query($w: ApiLeadWhere, $h: JSON) { api_lead_groups(where: $w, having: $h
      by: [{field: status}, {field: created_at, granularity: month, as: "month"}]
      measures: [{function: count, as: "n"}, {function: sum, field: score, as: "total", where: {score: {gt: 1}}}]
      orderBy: [{key: "total", direction: DESC}]) }"""
    given = {"w": {key: {"eq": value} for key, value in where.items()}, "h": rest["having"]}
    found = data(owner, text, given)["api_lead_groups"]
    assert found == expected
    assert [(row["status"], row["n"], row["total"]) for row in found] == [("lost", 2, 2)]
    literal = text.replace("having: $h", "having: {_not: {_or: [{n: {lt: 2}}, {total: {null: true}}]}}")
    assert data(owner, literal.replace(", $h: JSON", ""), given)["api_lead_groups"] == expected
    counted = data(owner, f'{{ api_lead_groups(where: {{account: {{eq: "{account["id"]}"}}}}) }}')
    assert counted["api_lead_groups"] == [{"count": 8}]


def test_figures_that_cannot_be_made_are_refused(owner):
    for arguments in ("measures: [{function: sum, field: name}]", "by: [{field: name, granularity: month}]"):
        assert code(owner, f"{{ api_lead_groups({arguments}) }}") == "INVALID_QUERY"
