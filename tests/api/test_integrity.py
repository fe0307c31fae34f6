"""The integrity report over HTTP: whose ledger it is about, who may ask, and what verifying answers."""

from typing import Any

import pytest
from django.test import Client

from apps.audit import report
from apps.core.actor import SYSTEM
from apps.core.scope import platform_scope
from apps.events.health import verifying
from apps.identity.models import User
from apps.identity.services import operators
from tests.audit.settling import settle
from tests.people import People

PATH = "/api/v1/ledger/integrity"


def browser(people: People, email: str, host: str) -> Client:
    client = Client(HTTP_HOST=host)
    door = "/console/login/" if host == "localhost" else "/sign-in"
    fields = {"username": email} if host == "localhost" else {"email": email}
    answer = client.post(door, fields | {"password": people.password})
    assert answer.status_code == 302
    return client


def post(client: Client, host: str) -> Any:
    return client.post(PATH, content_type="application/json", HTTP_ORIGIN=f"http://{host}")


def test_a_tenant_gets_its_own(people: People) -> None:
    for slug in ("acme", "globex"):
        host = f"{slug}.localhost"
        client = browser(people, people.email("owner", slug), host)
        made = post(client, host)
        assert made.status_code == 200, made.content
        found = client.get(PATH).json()
        assert (found["ledger"], found["tenant"]) == (slug, str(people.tenants[slug].id))
        assert found["status"] == "holds"
        assert report.signature_holds(found)


def test_a_long_one_becomes_a_job(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    settle()
    monkeypatch.setattr(verifying, "AT_ONCE", 0)
    answer = post(browser(people, people.email("owner"), "acme.localhost"), "acme.localhost")
    assert answer.status_code == 202
    assert set(answer.json()) == {"job"}


def test_nobody_and_members_without_the_right_are_refused(people: People) -> None:
    assert Client(HTTP_HOST="acme.localhost").get(PATH).status_code == 401
    member = browser(people, people.email("reader"), "acme.localhost")
    assert member.get(PATH).status_code == 403
    assert post(member, "acme.localhost").status_code == 403


def test_the_platforms_is_for_superusers(people: People) -> None:
    chief = browser(people, "operator@aibos.test", "localhost")
    found = chief.get(PATH).json()
    assert (found["ledger"], found["tenant"]) == ("platform", None)
    with platform_scope("test"):
        made: User = operators.create_operator(
            email="sam@aibos.test", name="Sam", password=people.password, by=SYSTEM
        )
    assert made.is_staff
    assert browser(people, "sam@aibos.test", "localhost").get(PATH).status_code == 403


def test_the_diagnosis_has_history_and_can_be_made_now(people: People) -> None:
    chief = browser(people, "operator@aibos.test", "localhost")
    for path in ("/diagz", "/diagz?now=1"):
        found = chief.get(path).json()
        assert {"ledger_lag", "workers", "bus"} <= set(found["checks"])
        assert found["checks"]["ledger_lag"]["title"] == "Ledger lag"
        assert isinstance(found["checks"]["ledger_lag"]["history"], list)
        assert found["checkedAt"]
