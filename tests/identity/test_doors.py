"""The better-auth dialect as the official client meets it, through HTTP requests on the product's own URLs."""

import json

import pytest
from django.test import Client

from apps.core.scope import tenant_scope
from apps.identity.models import ApiKey, Membership, Session, User
from apps.identity.services import keys

PASSWORD = "correct horse battery"


class Program:
    """A client of one host that sends JSON and, once signed in, its token."""

    def __init__(self, host="acme.localhost", token=None, **headers):
        self.client, self.host, self.headers = Client(raise_request_exception=False), host, dict(headers)
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method, path, body=None, **headers):
        response = self.client.generic(
            method,
            f"/api/v1/{path}",
            json.dumps(body) if body is not None else b"",
            content_type="application/json",
            headers={"Host": self.host, **self.headers, **headers},
        )
        return response.status_code, json.loads(response.content) if response.content else None

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, body=None, **headers):
        return self.ask("POST", path, {} if body is None else body, **headers)


@pytest.fixture
def signed_in(people):
    def make(name="sales", tenant="acme", host=None):
        program = Program(host or f"{tenant}.localhost")
        status, body = program.post(
            "auth/sign-in/email", {"type": "email", "email": people.email(name, tenant), "password": PASSWORD}
        )
        assert status == 200, body
        program.headers["Authorization"] = f"Bearer {body['token']}"
        return program

    return make


def test_signing_in_looking_and_signing_out(people, signed_in):
    program = signed_in()
    status, body = program.get("auth/get-session")
    assert status == 200
    assert body["user"]["email"] == people.email("sales")
    assert body["user"]["positions"] == ["org_member", "everyone"]
    assert body["user"]["isPlatformAdmin"] is False
    assert body["session"]["activeOrganizationId"] == str(people.tenants["acme"].id)
    assert f"Bearer {body['session']['token']}" == program.headers["Authorization"]
    assert program.post("auth/sign-out") == (200, {"success": True})
    assert program.get("auth/get-session") == (200, None)
    assert program.get("auth/list-sessions")[0] == 401


def test_signing_in_fails_the_same_way_for_everybody(people, signed_in):
    answers = [
        Program(host).post("auth/sign-in/email", {"email": email, "password": password})
        for host, email, password in [
            ("acme.localhost", people.email("sales"), "wrong"),
            ("acme.localhost", "nobody@acme.test", "wrong"),
            ("acme.localhost", people.email("sales", "globex"), PASSWORD),
            ("acme.localhost", "operator@aibos.test", PASSWORD),
            ("acme.localhost", people.email("sales"), "x" * 4000),
        ]
    ]
    for _status, body in answers:
        body.pop("requestId")
    assert {status for status, _ in answers} == {401}
    assert all(body == answers[0][1] for _, body in answers)
    assert answers[0][1]["code"] == "INVALID_EMAIL_OR_PASSWORD"
    assert answers[0][1]["message"] == "Invalid email or password"
    signed_in()  # the negative control: the right password works


def test_signing_up_is_closed_and_what_a_page_may_know(people):
    status, body = Program().post(
        "auth/sign-up/email", {"email": "a@b.test", "password": PASSWORD, "name": "A"}
    )
    assert (status, body["code"]) == (403, "SELF_REGISTRATION_CLOSED")
    status, body = Program().get("auth/config")
    assert (status, body["success"], body["data"]["emailPassword"]["disableSignUp"]) == (200, True, True)
    assert Program().get("auth/bootstrap-status") == (200, {"hasOwner": True})
    assert Program("localhost").get("auth/bootstrap-status") == (200, {"hasOwner": True})


def test_sessions_are_listed_and_ended(people, signed_in):
    one, two, three = signed_in("reader"), signed_in("reader"), signed_in("reader")
    status, listed = one.get("auth/list-sessions")
    assert status == 200
    current = next(row for row in listed if row["current"])
    others = [row for row in listed if not row["current"]]
    assert len(others) >= 2
    token = two.headers["Authorization"].removeprefix("Bearer ")
    assert token not in json.dumps(listed)
    assert one.post("auth/revoke-session", {"token": token}) == (200, {"status": True})
    assert two.get("auth/list-sessions")[0] == 401
    assert three.get("auth/list-sessions")[0] == 200
    assert one.post("auth/revoke-other-sessions") == (200, {"status": True})
    assert three.get("auth/list-sessions")[0] == 401
    status, listed = one.get("auth/list-sessions")
    assert [row["id"] for row in listed] == [current["id"]]
    assert one.post("auth/revoke-sessions") == (200, {"status": True})
    assert one.get("auth/list-sessions")[0] == 401


def test_another_persons_session_is_as_absent_as_none(people, signed_in):
    mine, theirs = signed_in("sales"), signed_in("reader")
    foreign = theirs.get("auth/get-session")[1]["session"]["id"]
    answers = [
        mine.post("auth/revoke-session", {"token": token})
        for token in (foreign, "01900000-0000-7000-8000-000000000000", "nonsense")
    ]
    assert [status for status, _ in answers] == [404, 404, 404]
    assert theirs.get("auth/get-session")[1] is not None
    own = mine.get("auth/get-session")[1]["session"]["id"]
    assert mine.post("auth/revoke-session", {"token": own})[0] == 200  # the negative control


def test_a_tenants_token_at_the_other_tenant(people, signed_in):
    program = signed_in()
    stranger = Program("globex.localhost", **program.headers)
    status, body = stranger.get("auth/list-sessions")
    assert (status, body["code"]) == (403, "TENANT_MISMATCH")
    assert program.get("auth/list-sessions")[0] == 200
    assert program.get("auth/list-sessions", **{"X-Tenant": "globex"})[1]["code"] == "TENANT_MISMATCH"
    assert program.get("auth/list-sessions", **{"X-Tenant": "acme"})[0] == 200


def test_the_platforms_host_takes_the_tenant_from_the_credential(people, signed_in):
    program = signed_in(host="localhost")
    status, body = program.get("auth/me/permissions")
    assert (status, body["tenantId"]) == (200, str(people.tenants["acme"].id))
    assert body["permissionSets"]
    status, body = program.get("auth/me/localization")
    assert body == {"authenticated": True, "currency": "EUR", "locale": "en", "timezone": "Europe/Berlin"}


def test_profile_and_mass_assignment(people, signed_in):
    program = signed_in("manager")
    assert program.post("auth/update-user", {"name": "New Name", "timeZone": "Asia/Tokyo"}) == (
        200,
        {"status": True},
    )
    assert program.get("auth/get-session")[1]["user"]["name"] == "New Name"
    assert program.get("auth/me/localization")[1]["timezone"] == "Asia/Tokyo"
    with tenant_scope(people.tenants["acme"]):
        before = User.objects.filter(email=people.email("manager")).values().get()
    names = [field.attname for field in User._meta.get_fields() if hasattr(field, "attname")]
    names += ["groups", "user_permissions", "role", "memberships", "tenant", "tenant_id", "isPlatformAdmin"]
    for name in {*names} - {"name", "locale"}:
        status, body = program.post("auth/update-user", {name: "1"})
        assert (status, body["fields"][0]["code"]) == (400, "unknown_field"), name
    with tenant_scope(people.tenants["acme"]):
        assert User.objects.filter(email=people.email("manager")).values().get() == before
    assert program.post("auth/update-user", {"timeZone": "Mars/Base"})[0] == 400
    assert program.post("auth/update-user", {"name": 7})[1]["fields"][0]["code"] == "invalid_type"
    program.post("auth/update-user", {"name": "Manager Acme", "timeZone": ""})


@pytest.mark.parametrize(
    ("path", "model"),
    [("auth/sign-in/email", User), ("auth/token", Session), ("auth/change-password", User), ("keys", ApiKey)],
)
def test_no_door_takes_a_column_it_does_not_declare(people, signed_in, path, model):
    program = signed_in("owner")
    good = {
        "auth/sign-in/email": {"email": people.email("owner"), "password": PASSWORD},
        "auth/token": {"email": people.email("owner"), "password": PASSWORD},
        "auth/change-password": {"currentPassword": PASSWORD, "newPassword": PASSWORD},
        "keys": {"name": "k", "scopes": ["data:read"]},
    }[path]
    for field in model._meta.get_fields():
        name = getattr(field, "attname", field.name)
        if name in good:
            continue
        status, body = program.post(path, good | {name: str(people.tenants["globex"].id)})
        assert (status, body["fields"][0]["code"]) == (400, "unknown_field"), name
    assert program.post(path, good)[0] in (200, 201)  # the negative control


def test_a_key_is_shown_once_and_revoked(people, signed_in):
    program = signed_in()
    status, body = program.post("keys", {"name": "probe", "scopes": ["data:read"]})
    assert (status, body["success"]) == (201, True)
    made = body["data"]
    assert made["key"].startswith(f"{made['prefix']}_")
    status, body = program.get("keys")
    assert made["id"] in [row["id"] for row in body["data"]]
    assert made["key"] not in json.dumps(body)
    machine = Program(**{"x-api-key": made["key"]})
    assert machine.get("auth/me/permissions")[0] == 200
    assert machine.get("keys")[0] == 403  # its scopes do not include keys
    assert machine.post("keys", {"name": "child"})[0] == 403
    assert machine.get("auth/list-sessions")[0] == 403
    assert machine.post("auth/revoke-sessions")[0] == 403
    assert program.ask("DELETE", f"keys/{made['id']}")[0] == 200
    assert machine.get("auth/me/permissions")[1]["code"] == "INVALID_API_KEY"
    assert program.ask("DELETE", f"keys/{made['id']}")[0] == 404


def test_a_stranger_cannot_revoke_a_key_but_an_administrator_can(people, signed_in):
    with tenant_scope(people.tenants["acme"]):
        made = keys.create_key(name="k", by=people.actor("sales"))
    with tenant_scope(people.tenants["globex"]):
        foreign = keys.create_key(name="k", by=people.actor("sales", "globex"))
    assert signed_in("reader").ask("DELETE", f"keys/{made.row.id}")[0] == 404
    assert signed_in("admin").ask("DELETE", f"keys/{foreign.row.id}")[0] == 404
    assert signed_in("admin").ask("DELETE", f"keys/{made.row.id}")[0] == 200


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"name": "k", "scopes": ["root"]}, {"name": "k", "expiresAt": "soon"}]
)
def test_a_bad_key_is_refused(people, signed_in, body):
    assert signed_in().post("keys", body)[0] == 400
    assert signed_in().post("keys", {"name": "k", "expiresAt": "2999-01-01T00:00:00Z"})[0] == 201


def test_tokens_over_http(people):
    program = Program()
    status, pair = program.post("auth/token", {"email": people.email("sales"), "password": PASSWORD})
    assert (status, pair["expiresIn"], pair["tenantId"]) == (200, 900, str(people.tenants["acme"].id))
    bearer = Program(token=pair["accessToken"])
    assert bearer.get("auth/me/permissions")[0] == 200
    status, second = program.post("auth/token/refresh", {"refreshToken": pair["refreshToken"]})
    assert status == 200
    status, body = program.post("auth/token/refresh", {"refreshToken": pair["refreshToken"]})
    assert (status, body["code"]) == (401, "TOKEN_REUSED")
    assert bearer.get("auth/me/permissions")[0] == 401
    assert (
        program.post("auth/token/refresh", {"refreshToken": second["refreshToken"]})[1]["code"]
        == "INVALID_TOKEN"
    )
    assert program.post("auth/token/revoke", {"refreshToken": "unknown"}) == (200, {"status": True})


def test_the_tenant_as_an_organization(people, signed_in):
    owner, sales = signed_in("owner"), signed_in("sales")
    acme = str(people.tenants["acme"].id)
    assert [row["id"] for row in owner.get("auth/organization/list")[1]] == [acme]
    status, body = owner.get(f"auth/organization/get-full-organization?organizationId={acme}")
    assert (status, body["slug"]) == (200, "acme")
    assert {row["user"]["email"] for row in body["members"]} >= {people.email("owner"), people.email("sales")}
    globex = str(people.tenants["globex"].id)
    assert owner.get(f"auth/organization/list-members?organizationId={globex}")[0] == 404
    assert owner.get("auth/organization/get-active-member")[1]["role"] == "owner"
    assert owner.post("auth/organization/set-active", {"organizationId": acme})[1]["id"] == acme
    assert sales.get("auth/organization/list-invitations")[0] == 403
    assert sales.post("auth/organization/invite-member", {"email": "x@y.test", "role": "member"})[0] == 403


def test_inviting_and_accepting_over_http(people, signed_in):
    owner = signed_in("owner")
    status, body = owner.post("auth/organization/invite-member", {"email": "Iris@New.test", "role": "admin"})
    assert (status, body["email"], body["status"]) == (200, "iris@new.test", "pending")
    token = body["link"].rsplit("/", 1)[1]
    assert token not in json.dumps(owner.get("auth/organization/list-invitations")[1])
    newcomer = Program()
    path, good = (
        "auth/organization/accept-invitation",
        {"token": token, "password": "a long new sentence", "name": "Iris"},
    )
    assert Program("globex.localhost").post(path, good)[1]["code"] == "INVALID_TOKEN"
    assert newcomer.post(path, good | {"role": "owner"})[0] == 400
    status, body = newcomer.post(path, good)
    assert (status, body["user"]["name"]) == (200, "Iris")
    assert newcomer.post(path, good)[1]["code"] == "INVALID_TOKEN"
    iris = Program(token=body["token"])
    assert iris.get("auth/organization/get-active-member")[1]["role"] == "admin"
    with tenant_scope(people.tenants["acme"]):
        member = Membership.objects.get(user__email="iris@new.test")
    assert (
        owner.post("auth/organization/update-member-role", {"memberId": str(member.id), "role": "member"})[0]
        == 200
    )
    assert iris.get("auth/organization/get-active-member")[1]["role"] == "member"
    assert owner.post("auth/organization/remove-member", {"memberIdOrEmail": "iris@new.test"})[0] == 200
    assert iris.get("auth/organization/get-active-member")[0] == 401


def test_an_administrator_makes_a_user(people, signed_in):
    body = {"email": "made@new.test", "password": "a long new sentence", "name": "Made", "role": "user"}
    assert signed_in("sales").post("auth/admin/create-user", body)[0] == 403
    status, answer = signed_in("admin").post("auth/admin/create-user", body)
    assert (status, answer["user"]["email"]) == (200, "made@new.test")
    assert signed_in("admin").post("auth/admin/create-user", body)[1]["code"] == "USER_ALREADY_EXISTS"
    assert (
        Program().post("auth/sign-in/email", {"email": "made@new.test", "password": body["password"]})[0]
        == 200
    )
