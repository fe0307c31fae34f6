"""Records over HTTP, in the protocol's shapes, through every door to them."""

import pytest

pytestmark = pytest.mark.usefixtures("api")
DATA = "/api/v1/data"
LEADS = f"{DATA}/api_lead"
ACCOUNTS = f"{DATA}/api_account"
ABSENT = "01a1f900-0000-7000-8000-000000000000"


def refused(answer, status, code):
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.content
    return answer.json()


@pytest.fixture
def lead(owner):
    return owner.post(LEADS, {"name": "Ann", "score": 60, "amount": 12345678.91, "interests": ["aa"]}).json()


# -- one record -----------------------------------------------------------------------------------------


def test_create_answers_the_record(owner):
    answer = owner.post(LEADS, {"name": "Ann", "amount": 12345678.91, "birthday": "1990-02-03", "vip": True})
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"object", "id", "record"}
    assert body["object"] == "api_lead"
    assert body["record"]["id"] == body["id"]
    assert body["record"]["status"] == "new"
    assert b"12345678.91" in answer.content
    assert body["record"]["created_at"].endswith("Z")
    assert len(body["record"]["created_at"]) == len("2026-11-20T13:23:39.324Z")


def test_readonly_fields_are_dropped_and_said(owner):
    answer = owner.post(LEADS, {"name": "Ann", "fixed": "x", "created_at": "2001-01-01T00:00:00.000Z"})
    assert answer.status_code == 201
    dropped = answer.json()["droppedFields"]
    assert {name for item in dropped for name in item["fields"]} == {"fixed", "created_at"}
    assert "reason=readonly" in answer["X-ObjectStack-Dropped-Fields"]


def test_get_select_and_expand(owner, lead):
    account = owner.post(ACCOUNTS, {"name": f"Get {lead['id']}"}).json()
    owner.send("PATCH", f"{LEADS}/{lead['id']}", {"account": account["id"]})
    body = owner.get(f"{LEADS}/{lead['id']}?select=id,name,account&expand=account").json()
    assert set(body["record"]) == {"id", "name", "account"}
    assert body["record"]["account"]["name"] == f"Get {lead['id']}"


def test_get_has_a_validator(owner, lead):
    first = owner.get(f"{LEADS}/{lead['id']}")
    again = owner.get(f"{LEADS}/{lead['id']}", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    owner.send("PATCH", f"{LEADS}/{lead['id']}", {"score": 61})
    assert owner.get(f"{LEADS}/{lead['id']}", HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 200
    head = owner.send("HEAD", f"{LEADS}/{lead['id']}")
    assert (head.status_code, head.content) == (200, b"")


def test_update_with_the_right_and_the_wrong_version(owner, lead):
    where = f"{LEADS}/{lead['id']}"
    stamp = lead["record"]["updated_at"]
    changed = owner.send("PATCH", where, {"score": 70}, HTTP_IF_MATCH=stamp)
    assert changed.status_code == 200
    assert changed.json()["record"]["score"] == 70
    body = refused(owner.send("PATCH", where, {"score": 71}, HTTP_IF_MATCH=stamp), 409, "CONCURRENT_UPDATE")
    assert body["currentVersion"] == changed.json()["record"]["updated_at"]
    assert body["currentRecord"]["score"] == 70
    refused(owner.send("PATCH", where, {"score": 71, "expectedVersion": stamp}), 409, "CONCURRENT_UPDATE")
    refused(owner.send("DELETE", where, HTTP_IF_MATCH=stamp), 409, "CONCURRENT_UPDATE")
    refused(owner.send("PATCH", where, {"score": 71}, HTTP_IF_MATCH="yesterday"), 400, "INVALID_QUERY")


def test_delete_and_restore(owner, lead):
    where = f"{LEADS}/{lead['id']}"
    assert owner.send("DELETE", where).json() == {"object": "api_lead", "id": lead["id"], "success": True}
    refused(owner.get(where), 404, "RECORD_NOT_FOUND")
    assert owner.post(f"{where}/restore").json()["record"]["name"] == "Ann"
    assert owner.get(where).status_code == 200


def test_clone(owner, lead):
    answer = owner.post(f"{LEADS}/{lead['id']}/clone", {"overrides": {"name": "Copy"}})
    assert answer.status_code == 201
    body = answer.json()
    assert body["sourceId"] == lead["id"]
    assert body["id"] != lead["id"]
    assert (body["record"]["name"], body["record"]["score"]) == ("Copy", 60)
    assert owner.post(f"{LEADS}/{lead['id']}/clone").status_code == 201
    refused(owner.post(f"{LEADS}/{lead['id']}/clone", {"over": {}}), 400, "VALIDATION_FAILED")


def test_history_tells_what_changed_to_whom_may_know(owner, sales):
    mine = sales.post(LEADS, {"name": "Mine"}).json()["id"]
    owner.send("PATCH", f"{LEADS}/{mine}", {"score": 5, "secret": "hush"})
    full = owner.get(f"{LEADS}/{mine}/history").json()
    assert [event["action"] for event in full["events"]] == ["api_lead.updated", "api_lead.created"]
    assert {"field": "score", "before": None, "after": 5} in full["events"][0]["changes"]
    assert b"hush" in owner.get(f"{LEADS}/{mine}/history").content
    assert b"hush" not in sales.get(f"{LEADS}/{mine}/history").content
    page = owner.get(f"{LEADS}/{mine}/history?limit=1").json()
    rest = owner.get(f"{LEADS}/{mine}/history?limit=1&cursor={page['nextCursor']}").json()
    assert [event["action"] for event in rest["events"]] == ["api_lead.created"]


def test_somebody_elses_history_is_not_there(owner, sales, lead):
    refused(sales.get(f"{LEADS}/{lead['id']}/history"), 404, "RECORD_NOT_FOUND")


# -- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "field", "why"),
    [
        ({"company": "x"}, "VALIDATION_FAILED", "name", "required"),
        ({"name": "x" * 41}, "VALIDATION_FAILED", "name", "max_length"),
        ({"name": "x", "score": 500}, "VALIDATION_FAILED", "score", "max_value"),
        ({"name": "x", "score": "abc"}, "VALIDATION_FAILED", "score", "invalid_number"),
        ({"name": "x", "email": "nope"}, "VALIDATION_FAILED", "email", "invalid_email"),
        ({"name": "x", "status": "zzz"}, "VALIDATION_FAILED", "status", "invalid_option"),
        ({"name": "x", "birthday": "soon"}, "VALIDATION_FAILED", "birthday", "invalid_date"),
        ({"name": "x", "vip": "maybe"}, "VALIDATION_FAILED", "vip", "invalid_boolean"),
        ({"name": "x", "account": ABSENT}, "VALIDATION_FAILED", "account", "reference_not_found"),
        ({"name": "x", "bogus": 1}, "INVALID_FIELD", None, None),
        ([1], "VALIDATION_FAILED", None, None),
        (None, "VALIDATION_FAILED", None, None),
    ],
)
def test_a_wrong_record_is_refused(owner, body, code, field, why):
    answer = refused(owner.post(LEADS, body), 400, code)
    if field:
        assert (field, why) in {(item["field"], item["code"]) for item in answer["fields"]}


def test_all_faults_come_at_once(owner):
    body = refused(owner.post(LEADS, {"score": 500, "email": "x"}), 400, "VALIDATION_FAILED")
    assert {item["field"] for item in body["fields"]} == {"name", "score", "email"}


def test_what_is_not_there_is_not_found(owner):
    for method, path, sent in (
        ("GET", f"{DATA}/nope", None),
        ("POST", f"{DATA}/nope", {"a": 1}),
        ("POST", f"{DATA}/nope/query", {}),
        ("GET", f"{DATA}/nope/export", None),
    ):
        refused(owner.send(method, path, sent), 404, "OBJECT_NOT_FOUND")
    for method, path, sent in (
        ("GET", f"{LEADS}/nope", None),
        ("GET", f"{LEADS}/{ABSENT}", None),
        ("PATCH", f"{LEADS}/nope", {"name": "x"}),
        ("DELETE", f"{LEADS}/{ABSENT}", None),
        ("POST", f"{LEADS}/{ABSENT}/clone", None),
        ("POST", f"{LEADS}/{ABSENT}/restore", None),
        ("GET", f"{LEADS}/{ABSENT}/history", None),
    ):
        refused(owner.send(method, path, sent), 404, "RECORD_NOT_FOUND")
    refused(owner.get("/api/v1/nope"), 404, "ENDPOINT_NOT_FOUND")
    refused(owner.send("PUT", f"{LEADS}/x", {}), 405, "METHOD_NOT_ALLOWED")


def test_a_taken_value_conflicts(owner):
    owner.post(ACCOUNTS, {"name": "Taken"})
    refused(owner.post(ACCOUNTS, {"name": "Taken"}), 409, "UNIQUE_VIOLATION")


def test_api_can_be_switched_off(owner):
    refused(owner.get(f"{DATA}/api_closed"), 403, "OBJECT_API_DISABLED")
    refused(owner.post(f"{DATA}/api_closed", {"name": "x"}), 403, "OBJECT_API_DISABLED")


def test_api_methods(owner):
    assert owner.get(f"{DATA}/api_readable").status_code == 200
    refused(owner.post(f"{DATA}/api_readable", {"name": "x"}), 403, "OBJECT_API_DISABLED")
    refused(owner.post(f"{DATA}/api_readable/createMany", [{"name": "x"}]), 403, "OBJECT_API_DISABLED")
    batch = {"operations": [{"object": "api_readable", "action": "create", "data": {}}]}
    refused(owner.post("/api/v1/batch", batch), 403, "OBJECT_API_DISABLED")


# -- rights ---------------------------------------------------------------------------------------------


def test_members_see_their_own_records_and_fields(owner, sales, lead):
    mine = sales.post(LEADS, {"name": "Mine"}).json()
    assert "secret" not in mine["record"]
    found = sales.get(f"{LEADS}?top=1000").json()["records"]
    assert mine["id"] in {record["id"] for record in found}
    assert lead["id"] not in {record["id"] for record in found}
    refused(sales.get(f"{LEADS}/{lead['id']}"), 404, "RECORD_NOT_FOUND")
    refused(sales.send("PATCH", f"{LEADS}/{mine['id']}", {"secret": "x"}), 403, "PERMISSION_DENIED")
    refused(sales.post(f"{LEADS}/query", {"where": {"secret": "x"}}), 403, "PERMISSION_DENIED")
    refused(sales.get(f"{LEADS}?sort=secret"), 403, "PERMISSION_DENIED")
    refused(sales.send("DELETE", f"{LEADS}/{mine['id']}"), 403, "PERMISSION_DENIED")
    refused(sales.get(f"{LEADS}/export"), 403, "EXPORT_NOT_PERMITTED")
    assert sales.post(f"{LEADS}/query", {"fields": ["id", "secret"], "limit": 1}).json()["records"][
        0
    ].keys() == {"id"}


# -- the rest -------------------------------------------------------------------------------------------


def test_explain(owner, sales, people, lead):
    mine = sales.post("/api/v1/security/explain", {"object": "api_lead", "operation": "delete"}).json()
    assert mine["allowed"] is False
    assert any(layer["verdict"] == "denies" for layer in mine["layers"])
    user = str(people.users["sales@acme"].id)
    asked = {"object": "api_lead", "operation": "read", "recordId": lead["id"], "userId": user}
    body = owner.post("/api/v1/security/explain", asked).json()
    assert body["allowed"] is False
    assert body["principal"]["permissionSets"] == ["member_default", "api_sales"]
    own = owner.post(
        "/api/v1/security/explain", {"object": "api_lead", "operation": "read", "recordId": lead["id"]}
    )
    assert own.json()["allowed"] is True
    other = {"object": "api_lead", "operation": "read", "userId": str(people.users["owner@acme"].id)}
    assert sales.post("/api/v1/security/explain", other).status_code == 403
    refused(
        owner.post("/api/v1/security/explain", {"object": "nope", "operation": "read"}),
        404,
        "OBJECT_NOT_FOUND",
    )


def test_the_addresses_of_objectos(owner, lead):
    assert owner.get(f"/api/data/api_lead/{lead['id']}").json()["id"] == lead["id"]
    assert owner.post("/api/data/api_lead/query", {"limit": 1}).status_code == 200
    made = owner.post("/api/data/api_lead", {"name": "Alias"})
    assert made.status_code == 201
    assert owner.send("PATCH", f"/api/data/api_lead/{made.json()['id']}", {"score": 1}).status_code == 200
    assert owner.send("DELETE", f"/api/data/api_lead/{made.json()['id']}").status_code == 200
    assert owner.get("/api/metadata/api_lead").json()["name"] == "api_lead"


def test_the_same_key_makes_one_record(owner):
    answers = [owner.post(ACCOUNTS, {"name": "Once"}, HTTP_IDEMPOTENCY_KEY="once") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert len(owner.get(f"{ACCOUNTS}?name=Once").json()["records"]) == 1


def test_discovery_names_what_is_served_and_nothing_else(owner, nobody):
    body = nobody.get("/api/v1/discovery").json()
    assert body == nobody.get("/api/v1").json()
    assert body["routes"]["data"] == DATA
    assert body["routes"]["metadata"] == "/api/v1/meta"
    for path in body["routes"].values():
        probe = owner.get({"/api/v1/auth": "/api/v1/auth/config"}.get(path, path))
        assert probe.json().get("code") in (None, "ENDPOINT_NOT_FOUND"), path
    assert body["capabilities"]["transactionalBatch"]["enabled"] is True
    assert body["capabilities"]["ai"]["enabled"] is False
    assert nobody.get("/.well-known/objectstack").json() == {"success": True, "data": body}


def test_health(nobody, owner):
    assert nobody.get("/api/v1/health").json()["data"]["status"] == "ok"
    assert nobody.get("/healthz").json() == {"status": "ok"}
    assert nobody.get("/readyz").status_code in (200, 503)
    assert nobody.get("/diagz").status_code == 401
    assert owner.get("/diagz").status_code == 403
