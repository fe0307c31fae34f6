"""Operators at the console: a superuser, one with the tenant acme only, and the doors they come through."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from apps.audit.sequencer import run_until_empty
from apps.core.actor import SYSTEM
from apps.core.scope import platform_scope, tenant_scope
from apps.events.jobs import runner
from apps.identity.models import User
from apps.identity.services import operators
from apps.modules import catalogue
from tests.people import People


def sign_in(email: str, password: str = People.password, **client: Any) -> Client:
    """A browser that has signed in at the platform's host."""
    browser = Client(HTTP_HOST="localhost", **client)
    answer = browser.post("/console/login/", {"username": email, "password": password})
    assert answer.status_code == 302, answer.content[:2000]
    return browser


@pytest.fixture(scope="session")
def scoped_operator(people: People) -> User:
    """Sam, an operator to whom only acme has been granted."""
    with platform_scope("tests of the console"):
        user = operators.create_operator(
            email="sam@aibos.test", name="Sam Scoped", password=People.password, by=SYSTEM
        )
        operators.grant_tenant(user_id=user.pk, tenant_id=people.tenants["acme"].id, by=SYSTEM)
    return user


@pytest.fixture(scope="session")
def superuser_session(people: People) -> Client:
    return sign_in("operator@aibos.test")


@pytest.fixture(scope="session")
def scoped_session(scoped_operator: User) -> Client:
    return sign_in("sam@aibos.test")


@pytest.fixture
def superuser(superuser_session: Client, clean_connection: None) -> Client:
    """A browser of the superuser."""
    return superuser_session


@pytest.fixture
def scoped(scoped_session: Client, clean_connection: None) -> Client:
    """A browser of Sam."""
    return scoped_session


@pytest.fixture
def work() -> Callable[[], int]:
    """Run what is queued, as a worker would; return how many jobs ran."""

    def run() -> int:
        done = 0
        while runner.run_next():
            done += 1
        return done

    return run


@pytest.fixture(scope="session")
def crm(people: People) -> str:
    """The CRM in the catalogue."""
    with platform_scope("tests of the console"):
        made, kept_out = catalogue.register_all(by=SYSTEM, replace=True)
    assert not kept_out
    assert "crm" in {version.module.code for version in made}
    return "crm"


@pytest.fixture
def entries(database: dict[str, Any]) -> Iterator[Callable[..., list[Any]]]:
    """Read the newest entries of a ledger: the platform's, or a tenant's."""
    from apps.audit import queries

    def read(tenant: Any = None, **filters: str) -> list[Any]:
        run_until_empty()
        scope = tenant_scope(tenant) if tenant else platform_scope("tests of the console")
        with scope:
            return list(queries.browse(queries.Filters(**filters)).entries)

    yield read


def change_page(model: str, pk: Any) -> str:
    """The address of a row's page; `model` is app/model."""
    return f"/console/{model}/{pk}/change/"


def deed_page(model: str, pk: Any, deed: str) -> str:
    """The address of a deed's confirmation."""
    return f"/console/{model}/{pk}/do/{deed}/"
