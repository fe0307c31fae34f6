"""Shares, rules, groups, assignments, emergencies and questions over the API, in the shapes of the protocol."""

import pytest

LEADS = "/api/v1/data/api_lead"
pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def theirs(owner):
    """A lead of the owner's."""
    made = owner.post(LEADS, {"name": "Shared", "secret": "psst"}).json()["record"]
    yield made
    owner.send("DELETE", f"{LEADS}/{made['id']}")


def user(people, name):
    return str(people.users[f"{name}@acme"].id)


def explained(who, record, operation="read", **more):
    asked = {"object": "api_lead", "operation": operation, "recordId": record["id"], **more}
    return who.post("/api/v1/security/explain", asked).json()


def test_sharing_a_record(owner, sales, people, theirs):
    where = f"{LEADS}/{theirs['id']}"
    assert sales.get(where).status_code == 404
    assert sales.get(f"{where}/shares").status_code == 404
    given = {"recipientType": "user", "recipientId": user(people, "sales"), "accessLevel": "read"}
    made = owner.post(f"{where}/shares", given)
    assert made.status_code == 201
    body = made.json()
    assert (body["object_name"], body["record_id"], body["recipient_type"]) == (
        "api_lead",
        theirs["id"],
        "user",
    )
    assert (body["access_level"], body["source"], body["reason"]) == ("read", "manual", None)
    assert sales.get(where).json()["record"]["name"] == "Shared"
    assert "secret" not in sales.get(where).json()["record"]
    assert sales.send("PATCH", where, {"name": "x"}).status_code == 403
    assert sales.post(f"{where}/shares", given).status_code == 403
    assert [row["id"] for row in sales.get(f"{where}/shares").json()["data"]] == [body["id"]]
    told = explained(owner, theirs, userId=user(people, "sales"))
    assert told["allowed"] is True
    sharing = next(layer for layer in told["layers"] if layer["layer"] == "sharing")
    assert sharing["record"]["matchesRecord"] is True
    assert owner.send("DELETE", f"{where}/shares/{body['id']}").status_code == 204
    assert owner.send("DELETE", f"{where}/shares/{body['id']}").status_code == 404
    assert sales.get(where).status_code == 404
    assert explained(owner, theirs, userId=user(people, "sales"))["allowed"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "recipientType"),
        ({"recipientType": "planet", "recipientId": "x"}, "recipient"),
        ({"recipientType": "user", "recipientId": "x"}, "recipient"),
        ({"recipientType": "team", "recipientId": "absent"}, "recipient"),
        ({"recipientType": "everyone", "accessLevel": "own"}, "accessLevel"),
        ({"recipientType": "everyone", "validUntil": "tomorrow"}, "validUntil"),
        ({"recipientType": "everyone", "validUntil": "2001-01-01T00:00:00Z"}, "valid_until"),
        ({"recipientType": "everyone", "reason": 5}, "reason"),
        ({"recipientType": "everyone", "colour": "red"}, "colour"),
    ],
)
def test_shares_that_are_none(owner, theirs, body, field):
    answer = owner.post(f"{LEADS}/{theirs['id']}/shares", body)
    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["fields"]] == [field]


def test_sharing_rules(owner, sales, people, theirs):
    rule = {
        "name": "by_name",
        "label": "By name",
        "object": "api_lead",
        "criteria": {"name": "Shared"},
        "recipientType": "user",
        "recipientId": user(people, "sales"),
        "accessLevel": "edit",
        "active": True,
    }
    assert sales.post("/api/v1/sharing/rules", rule).status_code == 403
    assert sales.get("/api/v1/sharing/rules").status_code == 403
    made = owner.post("/api/v1/sharing/rules", rule)
    assert made.status_code == 201
    assert made.json()["criteria"] == {"name": "Shared"}
    assert sales.send("PATCH", f"{LEADS}/{theirs['id']}", {"name": "Shared"}).status_code == 200
    counted = owner.post("/api/v1/sharing/rules/by_name/evaluate", {}).json()
    assert (counted["matchedRecords"], counted["expandedUsers"]) == (1, 1)
    assert owner.get("/api/v1/sharing/rules/by_name").json()["object_name"] == "api_lead"
    wrong = owner.post("/api/v1/sharing/rules", rule | {"criteria": "name = 1"})
    assert (wrong.status_code, wrong.json()["fields"][0]["field"]) == (400, "criteria")
    assert owner.send("DELETE", "/api/v1/sharing/rules/by_name").status_code == 204
    assert sales.get(f"{LEADS}/{theirs['id']}").status_code == 404


def test_roles_teams_and_assignments(owner, sales, people, theirs):
    where, member = "/api/v1/security/groups", user(people, "sales")
    assert owner.post(where, {"name": "api_crew", "kind": "team", "label": "Crew"}).status_code == 201
    assert owner.send("PUT", f"{where}/api_crew/members/{member}").json() == {"changed": True}
    listed = next(row for row in owner.get(where).json()["data"] if row["name"] == "api_crew")
    assert [row["user_id"] for row in listed["members"]] == [member]
    share = {"recipientType": "business_unit", "recipientId": "api_crew"}
    made = owner.post(f"{LEADS}/{theirs['id']}/shares", share).json()
    assert sales.get(f"{LEADS}/{theirs['id']}").status_code == 200
    assert owner.send("DELETE", f"{where}/api_crew").json()["code"] == "DELETE_RESTRICTED"
    owner.send("DELETE", f"{LEADS}/{theirs['id']}/shares/{made['id']}")
    assert owner.send("DELETE", f"{where}/api_crew/members/{member}").status_code == 204
    assert owner.send("DELETE", f"{where}/api_crew").status_code == 204
    given = {"userId": member, "permissionSet": "viewer_readonly", "validUntil": "2099-01-01T00:00:00Z"}
    assert owner.post("/api/v1/security/assignments", given).json() == {"changed": True}
    assert sales.get(f"{LEADS}/{theirs['id']}").status_code == 200
    assert owner.send("DELETE", f"/api/v1/security/assignments/{member}/viewer_readonly").status_code == 204
    assert sales.get(f"{LEADS}/{theirs['id']}").status_code == 404


def test_restrictions(owner, theirs):
    where, wall = "/api/v1/security/restrictions", {"name": "api_wall", "object": "api_lead"}
    made = owner.post(where, wall | {"operations": ["read"], "criteria": "name != 'Shared'"})
    assert made.status_code == 201
    assert owner.get(f"{LEADS}/{theirs['id']}").status_code == 404
    assert owner.send("DELETE", f"{where}/api_wall").status_code == 204
    assert owner.get(f"{LEADS}/{theirs['id']}").status_code == 200
    assert owner.post(where, wall | {"operations": ["fly"]}).json()["fields"][0]["field"] == "operations"


def test_what_if_suggestions_and_the_matrix(owner, sales, people, theirs):
    asked = {
        "object": "api_lead",
        "operation": "read",
        "recordId": theirs["id"],
        "userId": user(people, "sales"),
    }
    assert sales.post("/api/v1/security/suggest", asked).status_code == 403
    found = owner.post("/api/v1/security/suggest", asked).json()["suggestions"]
    assert found[0] == {"kind": "share", "principal": f"user:{asked['userId']}", "level": 1, "cost": 1}
    grant = {"kind": "share", "principal": "everyone"}
    told = owner.post("/api/v1/security/what-if", asked | {"grant": grant}).json()
    assert (told["before"], told["after"]) == (False, True)
    assert asked["userId"] in told["gains"]
    bad = owner.post(
        "/api/v1/security/what-if", asked | {"grant": {"kind": "give", "name": "nope", "group": "nope"}}
    )
    assert bad.status_code == 400
    one, two = (owner.get("/api/v1/security/matrix").content for _ in range(2))
    assert one == two
    sets = owner.get("/api/v1/security/matrix?of=sets").json()["subjects"]
    sales_row = next(row for row in sets if row["name"] == "api_sales")
    assert sales_row["objects"]["api_lead"]["records"]["read"] == "own"
    assert "secret" in sales_row["objects"]["api_lead"]["hidden"]
    assert sales.get("/api/v1/security/matrix").status_code == 403


def test_an_api_key_breaks_no_glass(owner, sales):
    """Only a signed-in member may, and must say why; see tests/permissions/test_sharing.py for what it gives."""
    for who in (owner, sales):
        answer = who.post("/api/v1/security/emergency", {"reason": "Nobody else is here"})
        assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_DENIED")
    assert owner.get("/api/v1/security/emergency").json() == {"data": []}
    assert sales.get("/api/v1/security/emergency").status_code == 403
