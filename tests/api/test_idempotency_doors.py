"""`Idempotency-Key` at every door that writes: one effect, one answer, sealed where it holds a secret.

A new door that forgets what it answered fails the first test until somebody says why.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.urls import get_resolver

from apps.api import checks, idempotency
from apps.api.models import IdempotencyAnswer
from apps.api.openapi import document
from apps.core.scope import TenantRef, tenant_scope
from tests.api.conftest import Caller, caller
from tests.people import People

WRITES = ("POST", "PUT", "PATCH", "DELETE")
NO_TENANT = "one's own account: it needs no tenant, and repeating it ends in the same state"
# Doors that write and keep no answers, each with the reason.
FORGETFUL = {
    "api/v1/hooks/in/<str:name>": "the sender is known by its signature alone, and repeats by the message",
    "api/v1/auth/sign-in/email": "a session is a secret of its own; signing in again makes another",
    "api/v1/auth/sign-up/email": "always refused",
    "api/v1/auth/sign-out": NO_TENANT,
    "api/v1/auth/token": "a token is a secret of its own; asking again makes another",
    "api/v1/auth/token/refresh": "a refresh token is good for one use by its nature",
    "api/v1/auth/token/revoke": NO_TENANT,
    "api/v1/auth/revoke-session": NO_TENANT,
    "api/v1/auth/revoke-sessions": NO_TENANT,
    "api/v1/auth/revoke-other-sessions": NO_TENANT,
    "api/v1/auth/update-user": NO_TENANT,
    "api/v1/auth/change-password": NO_TENANT,
    "api/v1/auth/change-email": NO_TENANT,
    "api/v1/auth/verify-email": "the link is good for one use by its nature",
    "api/v1/auth/request-password-reset": "the answer is always the same",
    "api/v1/auth/reset-password": "the link is good for one use by its nature",
    "api/v1/auth/organization/accept-invitation": "the link is good for one use by its nature",
}


def mark() -> str:
    return os.urandom(4).hex()


def lead(who: Caller) -> str:
    return str(who.post("/api/v1/data/api_lead", {"name": mark()}).json()["id"])


def gone(who: Caller) -> str:
    made = lead(who)
    assert who.send("DELETE", f"/api/v1/data/api_lead/{made}").status_code == 200
    return made


def invited(who: Caller) -> str:
    body = {"email": f"{mark()}@idem.test", "role": "member"}
    return str(who.post("/api/v1/auth/organization/invite-member", body).json()["id"])


def person(who: Caller) -> str:
    email = f"{mark()}@idem.test"
    body = {"email": email, "name": "Idem", "password": "correct horse battery"}
    assert who.post("/api/v1/auth/admin/create-user", body).status_code == 200
    return email


def membership(who: Caller) -> str:
    email = person(who)
    rows = who.get("/api/v1/auth/organization/list-members").json()["members"]
    return str(next(row["id"] for row in rows if row["user"]["email"] == email))


Prepared = tuple[str, Any]
DATA: dict[tuple[str, str], Callable[[Caller], Prepared]] = {
    ("POST", "{d}/<str:name>"): lambda _: ("{d}/api_lead", {"name": mark()}),
    ("POST", "{d}/<str:name>/createMany"): lambda _: ("{d}/api_lead/createMany", [{"name": mark()}]),
    ("POST", "{d}/<str:name>/updateMany"): lambda who: (
        "{d}/api_lead/updateMany",
        {"records": [{"id": lead(who), "data": {"company": mark()}}]},
    ),
    ("POST", "{d}/<str:name>/deleteMany"): lambda who: ("{d}/api_lead/deleteMany", {"ids": [lead(who)]}),
    ("POST", "{d}/<str:name>/batch"): lambda _: (
        "{d}/api_lead/batch",
        {"operation": "create", "records": [{"data": {"name": mark()}}]},
    ),
    ("PATCH", "{d}/<str:name>/<str:record_id>"): lambda who: (
        "{d}/api_lead/" + lead(who),
        {"company": mark()},
    ),
    ("DELETE", "{d}/<str:name>/<str:record_id>"): lambda who: ("{d}/api_lead/" + lead(who), None),
    ("POST", "{d}/<str:name>/<str:record_id>/clone"): lambda who: (
        "{d}/api_lead/" + lead(who) + "/clone",
        {"overrides": {"name": mark()}},
    ),
    ("POST", "{d}/<str:name>/<str:record_id>/restore"): lambda who: (
        "{d}/api_lead/" + gone(who) + "/restore",
        None,
    ),
}
A = "api/v1/auth"
CASES: dict[tuple[str, str], Callable[[Caller], Prepared]] = {
    **{(verb, route.replace("{d}", "api/v1/data")): made for (verb, route), made in DATA.items()},
    **{(verb, route.replace("{d}", "api/data")): made for (verb, route), made in DATA.items()},
    ("POST", "api/v1/batch"): lambda _: (
        "api/v1/batch",
        {"operations": [{"object": "api_lead", "action": "create", "data": {"name": mark()}}]},
    ),
    ("PUT", "api/v1/meta/object/<str:name>"): lambda _: (
        f"api/v1/meta/object/x_{(name := mark())}",
        {"name": f"x_{name}", "label": "X", "fields": {"name": {"type": "text", "label": "Name"}}},
    ),
    ("POST", "api/v1/keys"): lambda _: ("api/v1/keys", {"name": mark()}),
    ("POST", f"{A}/organization/invite-member"): lambda _: (
        f"{A}/organization/invite-member",
        {"email": f"{mark()}@idem.test", "role": "member"},
    ),
    ("POST", f"{A}/organization/cancel-invitation"): lambda who: (
        f"{A}/organization/cancel-invitation",
        {"invitationId": invited(who)},
    ),
    ("POST", f"{A}/organization/update-member-role"): lambda who: (
        f"{A}/organization/update-member-role",
        {"memberId": membership(who), "role": "admin"},
    ),
    ("POST", f"{A}/organization/remove-member"): lambda who: (
        f"{A}/organization/remove-member",
        {"memberIdOrEmail": person(who)},
    ),
    ("POST", f"{A}/admin/create-user"): lambda _: (
        f"{A}/admin/create-user",
        {"email": f"{mark()}@idem.test", "name": "Idem", "password": "correct horse battery"},
    ),
}


def writing() -> list[tuple[str, Any]]:
    """Return every address with a door that writes."""
    found = checks.routes(get_resolver("apps.api.urls").url_patterns)
    return [
        (route, door) for route, door in found if not door.reading_posts and {*door.methods()} & {*WRITES}
    ]


def test_every_door_that_writes_keeps_its_answers_or_says_why_not() -> None:
    assert {route for route, door in writing() if not door.replays} == set(FORGETFUL)


def test_every_case_is_a_door() -> None:
    known = {(verb, route) for route, door in writing() for verb in door.methods()}
    assert set(CASES) <= known


@pytest.fixture(scope="module")
def token(people: People) -> str:
    """A session of acme's owner: an API key may not make keys."""
    body = {"email": people.email("owner"), "password": people.password}
    answer = caller("acme").post("/api/v1/auth/sign-in/email", body)
    return str(answer.json()["token"])


@pytest.fixture
def owner(token: str, acme: TenantRef) -> Caller:
    """The owner of acme, signed in."""
    return caller("acme", None, HTTP_AUTHORIZATION=f"Bearer {token}")


def effects(ref: TenantRef) -> int:
    """Return how many ledger entries of the tenant wait (nothing chains them here)."""
    with tenant_scope(ref), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.audit_pending WHERE tenant_id = %s", [ref.id])
        return int(cursor.fetchone()[0])


# Asked twice, these make two things (or refuse the second); what the others do twice ends in the same state.
MAKING = ("data/<str:name>", "createMany", "/batch", "/clone", "v1/keys", "invite-member", "create-user")


def prepared(verb: str, route: str, who: Caller) -> Prepared:
    path, body = CASES[verb, route](who)
    return path.replace("{d}", "api/v1/data" if route.startswith("api/v1") else "api/data"), body


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(("verb", "route"), list(CASES), ids=lambda text: text)
def test_the_second_call_changes_nothing_and_gets_the_first_answer(
    verb: str, route: str, owner: Caller, acme: TenantRef
) -> None:
    path, body = prepared(verb, route, owner)
    key = {"HTTP_IDEMPOTENCY_KEY": mark()}
    first = owner.send(verb, f"/{path}", body, **key)
    assert 200 <= first.status_code < 300, first.content
    before = effects(acme)
    second = owner.send(verb, f"/{path}", body, **key)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second["Idempotency-Replayed"] == "true"
    assert effects(acme) == before


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(("verb", "route"), list(CASES), ids=lambda text: text)
def test_control_without_a_key_the_second_call_is_another_one(
    verb: str, route: str, owner: Caller, acme: TenantRef
) -> None:
    path, body = prepared(verb, route, owner)
    first = owner.send(verb, f"/{path}", body)
    assert 200 <= first.status_code < 300, first.content
    second = owner.send(verb, f"/{path}", body)
    assert "Idempotency-Replayed" not in second.headers
    if route.endswith(MAKING):
        assert second.content != first.content


def stored(ref: TenantRef) -> IdempotencyAnswer:
    with tenant_scope(ref):
        return IdempotencyAnswer.objects.order_by("-created_at")[0]


@pytest.mark.usefixtures("api")
def test_an_answer_with_a_secret_is_kept_sealed(owner: Caller, acme: TenantRef, settings: Any) -> None:
    def make() -> Any:
        return owner.post("/api/v1/keys", {"name": "sealed"}, HTTP_IDEMPOTENCY_KEY="seal-1")

    secret = make().json()["data"]["key"]
    row = stored(acme)
    assert row.sealed
    assert secret.encode() not in bytes(row.body)
    assert make().json()["data"]["key"] == secret
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another secret key, as after a rotation, long enough to be one"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert make().json()["data"]["key"] == secret
    settings.SECRET_KEY_FALLBACKS = []
    lost = make()
    assert (lost.status_code, lost.json()["code"]) == (409, "IDEMPOTENCY_ANSWER_LOST")


@pytest.mark.usefixtures("api")
def test_control_an_answer_without_a_secret_is_kept_as_it_is(owner: Caller, acme: TenantRef) -> None:
    name = mark()
    owner.post("/api/v1/data/api_lead", {"name": name}, HTTP_IDEMPOTENCY_KEY=mark())
    row = stored(acme)
    assert not row.sealed
    assert name.encode() in bytes(row.body)


@pytest.mark.usefixtures("api")
def test_where_a_key_is_required_a_write_without_one_is_refused(
    owner: Caller, acme: TenantRef, settings: Any
) -> None:
    settings.API_IDEMPOTENCY_REQUIRED = ["data"]
    before = effects(acme)
    for path in ("/api/v1/data/api_lead", "/api/data/api_lead"):
        answer = owner.post(path, {"name": mark()})
        assert (answer.status_code, answer.json()["code"]) == (400, "IDEMPOTENCY_KEY_REQUIRED")
        assert "Idempotency-Key" in answer.json()["cure"]
    assert effects(acme) == before
    made = owner.post("/api/v1/data/api_lead", {"name": mark()}, HTTP_IDEMPOTENCY_KEY=mark())
    assert made.status_code == 201
    assert owner.send("PATCH", f"/api/v1/data/api_lead/{made.json()['id']}", {}).status_code == 400
    # What only reads, what may be repeated by its nature, and other areas go on as before.
    assert owner.post("/api/v1/data/api_lead/query", {}).status_code == 200
    assert owner.send("DELETE", f"/api/v1/data/api_lead/{made.json()['id']}").status_code == 200
    assert owner.post("/api/v1/keys", {"name": "other area"}).status_code == 201
    settings.API_IDEMPOTENCY_REQUIRED = ["*"]
    assert owner.post("/api/v1/keys", {"name": "every area"}).json()["code"] == "IDEMPOTENCY_KEY_REQUIRED"


@pytest.mark.usefixtures("api")
def test_control_where_no_key_is_required_plain_clients_write(owner: Caller, settings: Any) -> None:
    settings.API_IDEMPOTENCY_REQUIRED = []
    assert owner.post("/api/v1/data/api_lead", {"name": mark()}).status_code == 201


@pytest.mark.usefixtures("api")
def test_the_document_says_where_a_key_is_required(owner: Caller, settings: Any) -> None:
    def asked(path: str, method: str) -> bool:
        document.general.cache_clear()  # made once per process: settings do not change while it runs
        told = owner.get("/api/v1/openapi.json").json()["paths"][path][method]["parameters"]
        return bool(next(item["required"] for item in told if item["name"] == "Idempotency-Key"))

    assert not asked("/api/v1/batch", "post")
    settings.API_IDEMPOTENCY_REQUIRED = ["batch"]
    assert asked("/api/v1/batch", "post")
    assert not asked("/api/v1/keys", "post")
    document.general.cache_clear()


def test_an_area_that_is_none_is_refused_at_the_start(settings: Any) -> None:
    settings.API_IDEMPOTENCY_REQUIRED = ["data", "*"]
    assert [fault for fault in run_checks() if fault.id == "api.E001"] == []
    settings.API_IDEMPOTENCY_REQUIRED = ["dta"]
    assert [fault.id for fault in run_checks() if fault.id == "api.E001"] == ["api.E001"]


def test_answers_are_swept_by_a_chore() -> None:
    from apps.core.chores import chores

    assert chores["api.old_answers"].run is idempotency.sweep
