"""Who gets past the console's door: operators' browser sessions on the platform's host, nothing else."""

from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from apps.core.scope import platform_scope, tenant_scope
from apps.identity.models import Membership, Session
from apps.identity.services.keys import create_key
from tests.console.conftest import sign_in
from tests.people import People

OPEN = {"console/login/", "console/theme.css", "console/forgot", "console/reset/x"}
FILL = {"uuid": "00000000-0000-7000-8000-000000000000", "path": "x", "slug": "x", "str": "x", "int": "1"}


def console_paths() -> list[str]:
    """Every address of the console, with made-up ids."""
    found: list[str] = []

    def walk(patterns: list[Any], prefix: str) -> None:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern) and route.startswith("console/"):
                found.append(route)

    walk(get_resolver("config.urls_platform").url_patterns, "")
    return sorted({fill(route) for route in found if "(?P" not in route})


def fill(route: str) -> str:
    """Put something into the placeholders of a route."""
    while "<" in route:
        start, end = route.index("<"), route.index(">")
        kind = route[start + 1 : end].partition(":")[0]
        route = route[:start] + FILL.get(kind, "x") + route[end + 1 :]
    return route


def guarded() -> list[str]:
    return [path for path in console_paths() if path not in OPEN]


def test_the_walk_finds_the_pages() -> None:
    paths = console_paths()
    assert len(paths) > 60
    assert {"console/ledger/", "console/tenants/new/", "console/tenants/tenant/x/do/x/"} <= set(paths)


def test_a_stranger_is_sent_to_the_sign_in_from_every_page(superuser: Client) -> None:
    stranger = Client(HTTP_HOST="localhost")
    for path in guarded():
        for method in ("get", "post"):
            answer = getattr(stranger, method)(f"/{path}")
            at_door = answer.status_code == 302 and answer["Location"].startswith("/console/login/")
            home = path == "console/logout/" and answer["Location"] in {"/console/", "/console/login/"}
            assert at_door or home or answer.status_code == 405, (method, path, answer.status_code)


def test_control_the_same_walk_lets_an_operator_in(superuser: Client) -> None:
    """Negative control: with an operator's session the same addresses do not lead to the sign-in."""
    at_door = [
        path
        for path in guarded()
        if "logout" not in path
        and (answer := superuser.get(f"/{path}")).status_code == 302
        and answer["Location"].startswith("/console/login/")
    ]
    assert at_door == []


def test_members_cannot_sign_in_here(people: People, clean_connection: None) -> None:
    browser = Client(HTTP_HOST="localhost")
    for email in ("owner@acme.test", "nobody@acme.test"):
        answer = browser.post("/console/login/", {"username": email, "password": People.password})
        assert answer.status_code == 401
        assert "Invalid email or password" in answer.content.decode()
    assert browser.get("/console/").status_code == 302


def test_the_console_does_not_exist_on_a_tenants_host(superuser: Client) -> None:
    answer = superuser.get("/console/", HTTP_HOST="acme.localhost")
    assert answer.status_code == 404 or answer["Location"].startswith("/login")
    assert b"Is everything well" not in answer.content


def test_a_key_of_an_operator_opens_nothing(people: People, superuser: Client) -> None:
    """A key is narrower than its person; even the superuser's own key is worth nothing at the console."""
    user = people.users["operator"]
    acme = people.tenants["acme"]
    with tenant_scope(acme):
        Membership.objects.get_or_create(tenant_id=acme.id, user=user, defaults={"role": "owner"})
        member = people.actor("owner")
        made = create_key(
            name="console?", by=type(member)(**{**vars(member), "id": str(user.id), "user_id": user.id})
        )
    key = Client(HTTP_HOST="localhost")
    for headers in ({"HTTP_X_API_KEY": made.key}, {"HTTP_AUTHORIZATION": f"Bearer {made.key}"}):
        answer = key.get("/console/", **headers)
        assert answer.status_code in {302, 401}
        assert b"Is everything well" not in answer.content
    with tenant_scope(acme):
        Membership.objects.filter(tenant_id=acme.id, user=user).delete()


def test_an_ended_session_is_over_at_the_next_request(people: People, clean_connection: None) -> None:
    browser = sign_in("operator@aibos.test")
    assert browser.get("/console/").status_code == 200
    with platform_scope("tests of the console"):
        newest = Session.objects.filter(user=people.users["operator"], ended_at=None).latest("created_at")
    answer = browser.post(f"/console/identity/session/{newest.pk}/do/end/")
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    assert browser.get("/console/")["Location"].startswith("/console/login/")


def test_posts_need_the_csrf_token(people: People, clean_connection: None) -> None:
    browser = sign_in("operator@aibos.test")
    browser.handler.enforce_csrf_checks = True
    acme = people.tenants["acme"]
    for path in (f"/console/tenants/tenant/{acme.id}/do/suspend/", "/console/ledger/", "/console/modules/"):
        assert browser.post(path, {"reason": "x"}).status_code == 403


def test_signing_in_is_in_the_ledger_and_signing_out_ends_the_session(
    people: People, clean_connection: None, entries: Any
) -> None:
    browser = sign_in("operator@aibos.test")
    newest = entries(action="session.started")[0]
    assert newest.actor.kind == "operator"
    assert browser.post("/console/logout/").status_code == 302
    assert browser.get("/console/").status_code == 302
    assert browser.get("/console/logout/").status_code in {302, 405}


@pytest.mark.parametrize("wanted", ["//evil.test/x", "https://evil.test/", "/\\evil.test"])
def test_the_sign_in_leads_nowhere_else(people: People, clean_connection: None, wanted: str) -> None:
    browser = Client(HTTP_HOST="localhost")
    answer = browser.post(
        "/console/login/", {"username": "operator@aibos.test", "password": People.password, "next": wanted}
    )
    assert answer["Location"] == "/console/"


def test_an_address_of_the_platform_that_leads_nowhere_is_a_page(
    people: People, clean_connection: None
) -> None:
    answer = Client(HTTP_HOST="localhost").get("/nothing-is-here")
    text = answer.content.decode()
    assert answer.status_code == 404
    assert "There is no page at this address." in text
    assert 'href="/"' in text
