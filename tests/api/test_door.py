"""The door itself, with doors of the test behind it: who enters, in whose scope, and how refusals look."""

import json

import pytest
from django.db import DatabaseError, connections
from django.test import override_settings
from django.urls import path

from apps.api import answers, limits
from apps.api.buckets import Limiter, Policy
from apps.api.door import NONE, Door
from apps.core import context
from apps.core.errors import FieldError, Invalid
from apps.core.scope import current_tenant, platform_scope, scope_of
from apps.tenants.lifecycle import move
from apps.tenants.middleware import hosts
from apps.tenants.states import State
from tests.api.conftest import caller, make_key


class Echo(Door):
    """Tells who entered, where."""

    def get(self, call):
        return answers.send(
            {"tenant": current_tenant().slug, "actor": call.actor.id, "kind": call.actor.kind}
        )

    def post(self, call):
        return answers.send({"got": call.body, "tenant": current_tenant().slug}, status=201)


class Open(Door):
    public = True
    needs_tenant = False
    opens = NONE

    def get(self, call):
        return answers.send({"known": call.identity is not None, "scope": scope_of() is not None})


class Fails(Door):
    def get(self, call, how):
        if how == "fields":
            raise Invalid("Two faults.", [FieldError("name", "required", "Name is required")], cure="Fix it.")
        if how == "sql":
            raise DatabaseError('relation "secret_table" does not exist')
        if how == "sql-real":
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT secret_column FROM secret_table")
        raise RuntimeError("secret internals")


urlpatterns = [
    path("api/echo", Echo.as_view()),
    path("api/open", Open.as_view()),
    path("api/fails/<str:how>", Fails.as_view()),
]
here = pytest.mark.usefixtures("routes")


@pytest.fixture
def routes(serving):
    with serving(urlpatterns):
        yield


def error(response, status, code):
    assert response.status_code == status, response.content
    body = json.loads(response.content)
    assert body["code"] == code, body
    assert body["message"]
    assert isinstance(body["error"], str)
    assert body["requestId"] == response["X-Request-Id"]
    return body


@here
def test_a_key_enters_its_tenant(owner, people):
    answer = owner.get("/api/echo")
    assert answer.status_code == 200
    assert answer.json()["tenant"] == "acme"
    assert answer.json()["kind"] == "api_key"
    assert scope_of() is None


@here
def test_on_the_platforms_host_the_key_names_the_tenant(keys, acme):
    assert caller(None, keys["owner@acme"]).get("/api/echo").json()["tenant"] == "acme"


@here
def test_nobody_is_refused(nobody):
    body = error(nobody.get("/api/echo"), 401, "UNAUTHENTICATED")
    assert body["error"] == "UNAUTHENTICATED"


@here
@pytest.mark.parametrize("header", [{"HTTP_AUTHORIZATION": "Bearer nope"}, {"HTTP_X_API_KEY": "osk_x_y"}])
def test_a_wrong_credential_is_refused(acme, header):
    assert caller("acme", **header).get("/api/echo").status_code == 401


@here
def test_the_other_tenants_key_is_refused_here(stranger):
    error(stranger.get("/api/echo"), 403, "TENANT_MISMATCH")


@here
def test_header_host_and_credential_must_agree(keys, acme, globex):
    key = keys["owner@acme"]
    assert caller(None, key, HTTP_X_TENANT="acme").get("/api/echo").status_code == 200
    error(caller(None, key, HTTP_X_TENANT="globex").get("/api/echo"), 403, "TENANT_MISMATCH")
    error(caller(None, key, HTTP_X_TENANT="nobody").get("/api/echo"), 403, "TENANT_MISMATCH")
    error(caller("acme", key, HTTP_X_TENANT="globex").get("/api/echo"), 403, "TENANT_MISMATCH")
    error(caller("globex", key).get("/api/echo"), 403, "TENANT_MISMATCH")


@here
def test_a_public_door_lets_anybody_in(nobody, owner):
    assert nobody.get("/api/open").json() == {"known": False, "scope": False}
    assert owner.get("/api/open").json() == {"known": True, "scope": False}
    assert caller("acme", HTTP_AUTHORIZATION="Bearer nope").get("/api/open").json()["known"] is False


@here
def test_a_suspended_tenant_is_closed_with_its_reason(fresh_tenant, people):
    from apps.identity.models import Membership

    user = people.users["owner@acme"]
    with platform_scope("test"):
        Membership.objects.create(tenant_id=fresh_tenant.id, user=user, role="owner")
    actor = people.actor("owner")
    key = make_key(fresh_tenant, type(actor)(**{**actor.__dict__, "tenant_id": fresh_tenant.id}))
    guest = caller(fresh_tenant.slug, key)
    assert guest.get("/api/echo").status_code == 200
    with platform_scope("test"):
        move(tenant_id=fresh_tenant.id, to=State.SUSPENDED, by=people.operator(), reason="bill not paid")
    hosts.clear()
    body = error(guest.get("/api/echo"), 403, "TENANT_SUSPENDED")
    assert "bill not paid" in body["message"]
    error(caller(None, key).get("/api/echo"), 403, "TENANT_SUSPENDED")
    with platform_scope("test"):
        move(tenant_id=fresh_tenant.id, to=State.ACTIVE, by=people.operator())
    assert guest.get("/api/echo").status_code == 200


@here
def test_a_reading_key_may_not_write(people, acme):
    reading = caller("acme", make_key(acme, people.actor("owner"), ("crm_lead:read",)))
    assert reading.get("/api/echo").status_code == 200
    error(reading.post("/api/echo", {}), 403, "FORBIDDEN")


@here
def test_every_refusal_has_one_shape(owner):
    body = error(owner.get("/api/fails/fields"), 400, "VALIDATION_FAILED")
    assert body["fields"] == [{"field": "name", "code": "required", "message": "Name is required"}]
    assert body["cure"] == "Fix it."


@here
@pytest.mark.parametrize(
    ("how", "code"), [("sql", "DATABASE_ERROR"), ("sql-real", "DATABASE_ERROR"), ("x", "INTERNAL_ERROR")]
)
def test_a_failure_tells_nothing(owner, how, code):
    answer = owner.get(f"/api/fails/{how}")
    error(answer, 500, code)
    assert b"secret" not in answer.content
    assert scope_of() is None


@here
def test_other_methods_are_named(owner):
    answer = owner.send("PUT", "/api/echo", {})
    body = error(answer, 405, "METHOD_NOT_ALLOWED")
    assert body["details"]["allowed"] == ["GET", "HEAD", "POST"]
    assert answer["Allow"] == "GET, HEAD, POST"
    assert owner.send("TRACE", "/api/echo").status_code == 405


@here
def test_head_is_get_without_a_body(owner):
    answer = owner.send("HEAD", "/api/echo")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer["Content-Length"]) == len(owner.get("/api/echo").content)


@here
def test_a_broken_body_is_refused_before_anything_runs(owner):
    error(owner.post("/api/echo", b'{"name": '), 400, "INVALID_JSON")
    error(owner.send("POST", "/api/echo", b"{}", CONTENT_TYPE="text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE")
    error(owner.post("/api/echo", b" " * 1_100_000), 413, "PAYLOAD_TOO_LARGE")


@here
def test_answers_are_not_kept_or_sniffed(owner, nobody):
    for answer in (owner.get("/api/echo"), nobody.get("/api/echo")):
        assert answer["Cache-Control"] == "no-store"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Request-Id"]


@here
def test_without_an_allow_list_no_other_site_may_call(owner):
    answer = owner.get("/api/echo", HTTP_ORIGIN="https://other.example")
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


@here
def test_an_allowed_site_may_call(owner, nobody):
    with override_settings(CORS_ORIGINS=["https://app.example"]):
        answer = owner.get("/api/echo", HTTP_ORIGIN="https://app.example")
        assert answer["Access-Control-Allow-Origin"] == "https://app.example"
        assert "Origin" in answer["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        asked = nobody.send(
            "OPTIONS",
            "/api/echo",
            HTTP_ORIGIN="https://app.example",
            HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        )
        assert asked.status_code == 204
        assert "POST" in asked["Access-Control-Allow-Methods"]
        refused = owner.get("/api/echo", HTTP_ORIGIN="https://evil.example")
        assert "Access-Control-Allow-Origin" not in refused.headers


@here
def test_limits_are_told_and_kept(owner, monkeypatch):
    fresh = Limiter(None)
    monkeypatch.setattr(limits, "limiter", lambda: fresh)
    with override_settings(RATE_LIMIT_USER="3/m", RATE_LIMIT_IP="100/m"):
        answers_ = [owner.get("/api/echo") for _ in range(4)]
    assert [a.status_code for a in answers_] == [200, 200, 200, 429]
    assert answers_[0]["RateLimit-Policy"] == '"caller";q=3;w=60, "tenant";q=6000;w=60'
    assert answers_[0]["RateLimit"].startswith('"caller";r=2;t=')
    assert int(answers_[3]["Retry-After"]) in range(1, 21)
    error(answers_[3], 429, "RATE_LIMIT_EXCEEDED")


@here
def test_an_address_is_limited_before_it_is_known(nobody, monkeypatch):
    fresh = Limiter(None)
    monkeypatch.setattr(limits, "limiter", lambda: fresh)
    with override_settings(RATE_LIMIT_IP="2/m"):
        assert [nobody.get("/api/echo").status_code for _ in range(3)] == [401, 401, 429]


def test_policies_of_different_callers_do_not_meet():
    limiter = Limiter(None)
    one = Policy("caller", 1)
    assert limiter.check("a:1", one).allowed
    assert limiter.check("b:1", one).allowed


@here
def test_nothing_of_a_request_stays(owner):
    owner.get("/api/echo")
    assert context.actor.get() is None
