"""Fixtures that every test may use: a database per file with two tenants, scopes, and a live server."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections, transaction

from apps.core.actor import SYSTEM
from apps.core.scope import Scope, TenantRef, platform_scope, tenant_scope
from tests import databases, programs
from tests.people import People, create_people
from tests.servers import LiveServer, live_server

SHARED = Path(os.environ.get("AIBOS_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--ledger-watch FILE`: judge what every request, job and command wrote; the routes that wrote go to FILE."""
    parser.addoption("--ledger-watch", metavar="FILE", help="judge the ledger's coverage")


@pytest.fixture(scope="session", autouse=True)
def ledger_watch(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The watch over the ledger's coverage, or None."""
    target = request.config.getoption("--ledger-watch")
    if not target:
        yield None
        return
    from tests.ledger_watch import suite

    suite.install()
    yield suite
    with Path(target).open("a", encoding="utf-8") as out:
        out.writelines(f"{route}\t{int(wrote)}\n" for route, wrote in sorted(suite.routes.items()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """After a whole run under the watch every mutating route must have been seen writing."""
    target = session.config.getoption("--ledger-watch")
    whole = session.config.args == session.config.getini("testpaths")
    if not target or not whole or hasattr(session.config, "workerinput") or not Path(target).exists():
        return
    from tests.ledger_watch import never_written

    if left := never_written(Path(target)):
        print("\nNo test was seen writing through:", *left, sep="\n  ")
        session.exitstatus = 1


@pytest.fixture(autouse=True)
def covered_by_the_ledger(ledger_watch: Any) -> Iterator[None]:
    """Fail the test whose requests changed something without an entry."""
    yield
    if ledger_watch is not None and ledger_watch.faults:
        faults, ledger_watch.faults = ledger_watch.faults, []
        pytest.fail("The ledger does not cover:\n" + "\n".join(faults))


LONGEST = ("tests/cli/test_journey.py", "tests/tenants/test_pooler.py", "tests/api/test_schemathesis.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each file of tests a database of its own; whatever was made in the last one goes with it."""
    if "database_name" in metafunc.fixturenames:
        file = metafunc.definition.path.as_posix()
        metafunc.parametrize(
            "database_name", [file], indirect=True, scope="session", ids=[pytest.HIDDEN_PARAM]
        )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files come first, so that two processes end at about the same time."""
    programs.leave_out(config, items)
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests could not run on this machine."""
    for line in programs.said():
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def admin_url() -> str:
    """The administrator's URL of the test server; `make test` starts one and says where."""
    url = os.environ.get("DATABASE_ADMIN_URL", "")
    if not url:
        pytest.fail("DATABASE_ADMIN_URL is not set: run the tests with `make test`.")
    return url


@pytest.fixture(scope="session")
def database_name(admin_url: str, django_db_blocker: Any, ledger_watch: Any) -> Iterator[str]:
    """This file's database, created and dropped; Django's connections lead to it."""
    name, app, owner = databases.create(admin_url)
    os.environ |= {"DATABASE_URL": app, "DATABASE_OWNER_URL": owner}
    from apps.tenants.middleware import hosts
    from config.settings.base import database

    for alias, url in (("default", app), ("owner", owner)):
        connections.settings[alias].update(database(url, owner=alias == "owner"))
        connections[alias].settings_dict.update(connections.settings[alias])
        connections[alias].close()
    cache.clear()
    hosts.clear()  # keeps what it saw for a second
    if ledger_watch is not None:
        ledger_watch.begin(databases.as_superuser(admin_url, name))
    with django_db_blocker.unblock():
        yield name
        if ledger_watch is not None:
            ledger_watch.end()
        for connection in connections.all():
            connection.close()
    databases.drop(admin_url, name)


@pytest.fixture(scope="session")
def superuser_url(admin_url: str, database_name: str) -> str:
    """The administrator's URL of this file's database: the attacker that has everything."""
    return databases.as_superuser(admin_url, database_name)


@pytest.fixture(scope="session")
def database(database_name: str) -> dict[str, TenantRef]:
    """The migrated database with the tenants acme and globex, committed."""
    from apps.tenants.provision import Order, create_tenant

    made = {}
    for slug in ("acme", "globex"):
        wanted = Order(slug=slug, name=slug.title(), time_zone="Europe/Berlin")
        made[slug] = create_tenant(by=SYSTEM, wanted=wanted, default_host=f"{slug}.localhost").ref
    return made


@pytest.fixture
def clean_connection() -> Iterator[None]:
    """No scope or transaction of one test reaches the next."""
    yield
    for connection in connections.all():
        connection.scopes = []
        if connection.in_atomic_block:
            connection.close()


@pytest.fixture
def acme(database: dict[str, TenantRef], clean_connection: None) -> TenantRef:
    """The tenant acme."""
    return database["acme"]


@pytest.fixture
def globex(database: dict[str, TenantRef], clean_connection: None) -> TenantRef:
    """The tenant globex."""
    return database["globex"]


@pytest.fixture
def in_acme(acme: TenantRef) -> Iterator[Scope]:
    """Acme's scope; what the test writes is rolled back."""
    with tenant_scope(acme) as scope:
        yield scope
        transaction.set_rollback(True)


@pytest.fixture
def platform(database: dict[str, TenantRef], clean_connection: None) -> Iterator[Scope]:
    """The platform's scope; what the test writes is rolled back."""
    with platform_scope("test") as scope:
        yield scope
        transaction.set_rollback(True)


@pytest.fixture
def fresh_tenant(database: dict[str, TenantRef], clean_connection: None) -> Iterator[TenantRef]:
    """A tenant of this test alone, committed, removed afterwards."""
    from apps.audit.erasure import close_ledger
    from apps.core.db.owner import owner_session
    from apps.tenants.models import Tenant
    from apps.tenants.provision import Order, create_tenant, drop_schema

    slug = f"fresh-{os.urandom(3).hex()}"
    made = create_tenant(by=SYSTEM, wanted=Order(slug=slug, name="Fresh"), default_host=f"{slug}.localhost")
    yield made.ref
    for connection in connections.all():
        if not connection.in_atomic_block:
            connection.scopes = []
    with owner_session(), platform_scope("test is over"):
        for tenant in Tenant.objects.filter(pk=made.pk):
            drop_schema(tenant=tenant, by=SYSTEM)
            close_ledger(tenant.ref, by=SYSTEM, reason="test is over")
            tenant.delete()


@pytest.fixture(scope="session")
def people(database: dict[str, TenantRef]) -> People:
    """Members of both tenants with different rights, and an operator; committed, password `People.password`."""
    return create_people(database)


@pytest.fixture(scope="session")
def server(database: dict[str, TenantRef], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The product's own web server on a free port, on this file's database."""
    with live_server(tmp_path_factory.mktemp("server")) as running:
        yield running
