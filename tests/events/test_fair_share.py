"""Ten thousand jobs of one tenant do not keep the single job of another waiting."""

import json
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections

from apps.core import queue
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import runner, work
from apps.events.jobs.claim import TURNS
from tests.events.working import clear, job, until, worker

CROWD = 10_000
MARK = queue.Task("test.mark", print)
FILL = """
INSERT INTO public.events_job (id, tenant_id, name, title, args, actor)
SELECT gen_random_uuid(), %s, 'test.mark', 'Mark', jsonb_build_object('number', n), %s::jsonb
FROM generate_series(1, %s) n
"""
BETWEEN = """
SELECT count(*) FROM public.events_job WHERE tenant_id = %s AND started_at >= %s AND started_at < %s
"""
FIRST_COME = "SELECT tenant_id FROM public.events_job WHERE state = 'queued' ORDER BY run_at, id LIMIT 1"


@pytest.fixture(autouse=True)
def crowd(acme: TenantRef, superuser_url: str, own_tasks: None) -> Iterator[None]:
    """Ten thousand waiting jobs of acme."""
    clear()
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute(FILL, [acme.id, json.dumps(SYSTEM.as_dict()), CROWD])
        admin.execute("VACUUM ANALYZE public.events_job")  # rows of earlier tests are still in the index
    yield
    for connection in connections.all():
        connection.scopes = []
    clear()


def ask(tenant: TenantRef, number: int = 0) -> object:
    with tenant_scope(tenant):
        return work.Work().enqueue(MARK, tenant=tenant.id, args={"number": number}, title="Mark", by=SYSTEM)


def claimed() -> TenantRef | None:
    taken = runner.claim()
    assert taken is not None
    return taken.tenant


def test_the_next_free_worker_takes_the_other_tenants_job(acme: TenantRef, globex: TenantRef) -> None:
    assert [claimed() for _ in range(3)] == [acme] * 3, "nobody else has work"
    ask(globex)
    assert claimed() == globex
    assert claimed() == acme


def test_two_crowds_share_the_workers(acme: TenantRef, globex: TenantRef) -> None:
    for number in range(20):
        ask(globex, number)
    assert Counter(claimed() for _ in range(10)) == {acme: 5, globex: 5}


def test_first_come_first_served_would_let_it_wait(acme: TenantRef, globex: TenantRef) -> None:
    """Negative control: without turns the crowd is served to its end before the other's job."""
    ask(globex)
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(FIRST_COME)
        assert cursor.fetchone()[0] == acme.id
        cursor.execute("SELECT count(*) FROM public.events_job WHERE tenant_id = %s", [acme.id])
        assert cursor.fetchone()[0] == CROWD


def test_a_crowd_costs_the_choice_nothing(superuser_url: str, globex: TenantRef) -> None:
    """Whose turn it is, is read from the ends of the index, not from ten thousand rows."""
    ask(globex)
    with psycopg.connect(superuser_url) as admin:
        (plan,) = admin.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + TURNS).fetchone()[0]
        (whole,) = admin.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT DISTINCT tenant_id FROM public.events_job"
        ).fetchone()[0]
    read, all_of_it = (found["Plan"]["Shared Hit Blocks"] for found in (plan, whole))
    assert read < 50
    assert all_of_it > 200, "negative control: what a plain look at the table reads"


def test_with_real_workers_few_jobs_of_the_crowd_come_before(
    acme: TenantRef, globex: TenantRef, superuser_url: str
) -> None:
    workers = [worker("30") for _ in range(2)]
    try:
        with psycopg.connect(superuser_url, autocommit=True) as admin:
            done = "SELECT count(*) > 20 FROM public.events_job WHERE state = 'done'"
            until(lambda: admin.execute(done).fetchone()[0])
            single = ask(globex)
            until(lambda: job(single).state == "done")
            row = job(single)
            before = admin.execute(BETWEEN, [acme.id, row.created_at, row.started_at]).fetchone()[0]
            waiting = admin.execute(
                "SELECT count(*) FROM public.events_job WHERE tenant_id = %s AND state = 'queued'", [acme.id]
            ).fetchone()[0]
    finally:
        for process in workers:
            process.kill()
            process.wait()
            process.stdout.close()
    assert before <= 40, "each free worker chooses at least by chance between the two"
    assert waiting > CROWD / 2, "the crowd was not served first"
