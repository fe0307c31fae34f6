"""A server that may be killed, a colony of workers and pumps, a service outside, and chains of jobs."""

import os
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.db import connections
from psycopg import sql

from apps.core.db import loss
from apps.core.scope import TenantRef, tenant_scope
from tests.chaos import FULL
from tests.chaos.colony import Colony, Nest
from tests.chaos.outside import Outside
from tests.chaos.server import Mortal, own_server, patient
from tests.chaos.worker import ask

TABLE = "CREATE TABLE IF NOT EXISTS public.chaos_effect (chain int, step int, job uuid)"
CLEAR = (
    "TRUNCATE public.chaos_effect",
    "DELETE FROM public.events_job",
    "DELETE FROM public.events_schedule",
)

Start = Callable[[int, int], None]


@pytest.fixture(scope="session")
def mortal() -> Iterator[Mortal]:
    """The server of these tests, in place of the one of all others."""
    with own_server() as server:
        yield server


@pytest.fixture(scope="session")
def admin_url(mortal: Mortal) -> str:
    """Where this folder's databases are made."""
    return mortal.url


@pytest.fixture
def clean(acme: TenantRef, globex: TenantRef, superuser_url: str) -> Iterator[str]:
    """No jobs, schedules and effects of earlier tests; the administrator's URL of the database."""
    app = urlsplit(os.environ["DATABASE_URL"]).username or ""
    with patient(superuser_url) as admin:
        admin.execute(TABLE)
        admin.execute(sql.SQL("GRANT INSERT ON public.chaos_effect TO {}").format(sql.Identifier(app)))
        for statement in CLEAR:
            admin.execute(statement)
    yield superuser_url
    for connection in connections.all():
        connection.close()


@pytest.fixture
def outside() -> Iterator[Outside]:
    """The service outside."""
    service = Outside()
    yield service
    service.close()


@pytest.fixture(scope="session")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nest]:
    """Where all processes of the chaos come from."""
    made = Nest(tmp_path_factory.mktemp("chaos") / "log")
    yield made
    made.end()


@pytest.fixture
def colony(clean: str, outside: Outside, nest: Nest) -> Iterator[Colony]:
    """Processes of this test; none lives on after it."""
    urls = {"app": os.environ["DATABASE_URL"], "owner": os.environ["DATABASE_OWNER_URL"]}
    made = Colony(nest, outside=outside.port, lease=1.5 if FULL else 0.8, **urls)
    yield made
    made.end()


@pytest.fixture
def start(acme: TenantRef, globex: TenantRef) -> Start:
    """Ask for the first step of the chains from one number to another, in turn for two tenants."""

    def begin(first: int, last: int) -> None:
        for chain in range(first, last):
            tenant = (acme, globex)[chain % 2]
            loss.reset()
            with tenant_scope(tenant):
                ask(tenant.id, chain, 1)

    return begin


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say what was done, in the long run."""

    def say(text: str) -> None:
        if FULL:
            print(f"\n  {request.node.name}: {text}", flush=True)

    return say
