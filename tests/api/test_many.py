"""Many records at once: lists, queries, batches, transactions, search."""

import json

import pytest

from tests.api.test_data import refused

pytestmark = pytest.mark.usefixtures("api")
DATA = "/api/v1/data"
LEADS = f"{DATA}/api_lead"
ACCOUNTS = f"{DATA}/api_account"


def test_find_with_every_parameter(owner):
    for index in range(3):
        owner.post(ACCOUNTS, {"name": f"Find {index}", "industry": "tech", "employees": index})
    base = f"{ACCOUNTS}?search=Find&sort=-employees&select=id,name,employees"
    page = owner.get(f"{base}&top=2&count=true").json()
    assert [record["name"] for record in page["records"]] == ["Find 2", "Find 1"]
    assert (page["total"], page["hasMore"]) == (3, True)
    assert [record["name"] for record in owner.get(f"{base}&skip=2").json()["records"]] == ["Find 0"]
    assert owner.get(f"{ACCOUNTS}?industry=tech&name=Find+1").json()["records"][0]["employees"] == 1
    wanted = json.dumps(["and", ["name", "starts_with", "Find"], ["employees", ">=", 1]])
    assert len(owner.get(ACCOUNTS, QUERY_STRING=f"filter={wanted}").json()["records"]) == 2
    odata = "$top=1&$skip=1&$orderby=employees desc&$select=name&$search=Find&$count=true"
    assert owner.get(ACCOUNTS, QUERY_STRING=odata).json()["records"] == [{"name": "Find 1"}]
    first = owner.get(f"{base}&top=2&after=*").json()
    assert owner.get(f"{base}&top=2&after={first['nextCursor']}").json()["records"][0]["name"] == "Find 0"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("bogus=1", "INVALID_FIELD"),
        ("score=%5Bobject+Object%5D", "INVALID_FILTER"),
        ("%24and=x", "UNSUPPORTED_QUERY_PARAM"),
        ("filter=%7Bbad", "INVALID_FILTER"),
        ("filter=%7B%22name%22%3A%7B%22%24bogus%22%3A1%7D%7D", "INVALID_FILTER"),
        ("sort=bogus", "INVALID_SORT"),
        ("top=-1", "INVALID_QUERY"),
        ("top=many", "INVALID_QUERY"),
        ("search=%00", "INVALID_REQUEST"),
        ("name=a&name=b", "INVALID_FILTER"),
        ("top=1&limit=2", "INVALID_QUERY"),
        ("after=forged", "INVALID_QUERY"),
    ],
)
def test_a_query_string_that_cannot_be_meant_is_refused(owner, query, code):
    refused(owner.get(f"{LEADS}?{query}"), 400, code)


def test_a_query_of_a_thousand_parameters_is_refused(owner):
    assert owner.get(f"{LEADS}?" + "&".join(f"a{index}=1" for index in range(1500))).status_code == 400


def test_query_with_groups(owner):
    for amount in (1, 2):
        owner.post(LEADS, {"name": "Group", "status": "working", "score": amount})
    body = {
        "where": {"name": "Group"},
        "groupBy": ["status"],
        "aggregations": [
            {"function": "sum", "field": "score", "alias": "s"},
            {"function": "count", "alias": "n"},
        ],
    }
    assert owner.post(f"{LEADS}/query", body).json()["records"] == [{"status": "working", "s": 3, "n": 2}]
    assert owner.post(f"{LEADS}/query").status_code == 200
    refused(owner.post(f"{LEADS}/query", {"distinct": True}), 400, "INVALID_QUERY")
    refused(owner.post(f"{LEADS}/query", {"wherre": {}}), 400, "INVALID_FIELD")


def test_create_many_is_all_or_nothing(owner):
    made = owner.post(f"{ACCOUNTS}/createMany", [{"name": "Many 1"}, {"name": "Many 2"}])
    assert made.status_code == 201
    assert made.json()["count"] == 2
    assert [record["name"] for record in made.json()["records"]] == ["Many 1", "Many 2"]
    refused(owner.post(f"{ACCOUNTS}/createMany", [{"name": "Many 3"}, {}]), 400, "VALIDATION_FAILED")
    assert owner.get(f"{ACCOUNTS}?name=Many+3").json()["records"] == []
    refused(owner.post(f"{ACCOUNTS}/createMany", {"name": "x"}), 400, "VALIDATION_FAILED")
    refused(owner.post(f"{ACCOUNTS}/createMany", [{"name": "x"}] * 201), 413, "PAYLOAD_TOO_LARGE")


def test_update_and_delete_many(owner):
    ids = [
        record["id"]
        for record in owner.post(f"{ACCOUNTS}/createMany", [{"name": "UM 1"}, {"name": "UM 2"}]).json()[
            "records"
        ]
    ]
    body = {"records": [{"id": ids[0], "data": {"employees": 7}}, {"id": "nope", "data": {"employees": 7}}]}
    answer = owner.post(f"{ACCOUNTS}/updateMany", body | {"options": {"continueOnError": True}}).json()
    assert (answer["success"], answer["operation"], answer["succeeded"], answer["failed"]) == (
        False,
        "update",
        1,
        1,
    )
    assert answer["results"][0]["data"]["employees"] == 7
    assert answer["results"][1]["errors"][0]["code"] == "RECORD_NOT_FOUND"
    gone = owner.post(f"{ACCOUNTS}/deleteMany", {"ids": ids}).json()
    assert gone["success"] is True
    assert [item["id"] for item in gone["results"]] == ids
    refused(owner.post(f"{ACCOUNTS}/deleteMany", {"ids": [1]}), 400, "VALIDATION_FAILED")
    refused(
        owner.post(f"{ACCOUNTS}/updateMany", {"records": [], "options": {"other": True}}),
        400,
        "VALIDATION_FAILED",
    )


def test_batch(owner):
    rows = [{"data": {"name": "B 1"}}, {"data": {"industry": "tech"}}]
    failed = owner.post(
        f"{ACCOUNTS}/batch", {"operation": "create", "records": rows, "options": {"atomic": True}}
    )
    assert failed.status_code == 200
    codes = [item["errors"][0]["code"] for item in failed.json()["results"]]
    assert codes == ["ROLLED_BACK", "VALIDATION_FAILED"]
    assert owner.get(f"{ACCOUNTS}?name=B+1").json()["records"] == []
    made = owner.post(
        f"{ACCOUNTS}/batch", {"operation": "create", "records": rows[:1], "options": {"returnRecords": True}}
    ).json()
    assert made["results"][0]["data"]["name"] == "B 1"
    upsert = {"operation": "upsert", "records": [{"externalId": "ext-1", "data": {"name": "U 1"}}]}
    first = owner.post(f"{ACCOUNTS}/batch", upsert).json()["results"][0]["id"]
    assert owner.post(f"{ACCOUNTS}/batch", upsert).json()["results"][0]["id"] == first
    refused(
        owner.post(f"{ACCOUNTS}/batch", {"operation": "explode", "records": []}), 400, "VALIDATION_FAILED"
    )


def test_a_transaction_across_objects(owner):
    operations = [
        {"object": "api_account", "action": "create", "data": {"name": "TX 1"}},
        {"object": "api_lead", "action": "create", "data": {"name": "TX lead", "account": {"$ref": 0}}},
        {"object": "api_lead", "action": "update", "id": {"$ref": 1}, "data": {"score": 9}},
    ]
    results = owner.post("/api/v1/batch", {"operations": operations, "atomic": True}).json()["results"]
    assert results[1]["account"] == results[0]["id"]
    assert (results[2]["id"], results[2]["score"]) == (results[1]["id"], 9)
    broken = [{"object": "api_account", "data": {"name": "TX 2"}}, {"object": "api_lead", "data": {}}]
    body = refused(owner.post("/api/v1/batch", {"operations": broken}), 400, "VALIDATION_FAILED")
    assert body["index"] == 1
    assert owner.get(f"{ACCOUNTS}?name=TX+2").json()["records"] == []
    forward = [{"object": "api_lead", "data": {"name": "x", "account": {"$ref": 1}}}]
    refused(owner.post("/api/v1/batch", {"operations": forward}), 400, "BATCH_UNRESOLVED_REF")
    refused(owner.post("/api/v1/batch", {"operations": [], "atomic": False}), 400, "BATCH_NOT_ATOMIC")
    refused(owner.post("/api/v1/batch", {"operations": [{}] * 1001}), 400, "BATCH_TOO_LARGE")


def test_search_finds_only_what_may_be_read(owner, sales):
    owner.post(LEADS, {"name": "Zebra lead"})
    owner.post(ACCOUNTS, {"name": "Zebra account"})
    found = owner.get("/api/v1/search?q=zebra").json()
    assert {hit["object"] for hit in found["hits"]} == {"api_lead", "api_account"}
    assert {"object", "id", "title", "snippet", "record"} == set(found["hits"][0])
    assert {hit["object"] for hit in sales.get("/api/v1/search?q=zebra").json()["hits"]} == {"api_account"}
    refused(owner.get("/api/v1/search"), 400, "INVALID_QUERY")
    refused(owner.get("/api/v1/search?q=a&limit=0"), 400, "INVALID_QUERY")
