"""Workers as processes: every effect in its tenant (R15), and a killed worker's job done once by another."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections
from psycopg import sql

from apps.core import queue
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import queries, runner, sweeper, work
from tests.audit.settling import settle
from tests.events.working import clear, job, until, worker

JOBS = 500
MARK = queue.Task("test.mark", print)
SLOW = queue.Task("test.slow", print, max_attempts=10)


@pytest.fixture(autouse=True)
def quiet(acme: TenantRef, own_tasks: None) -> Iterator[None]:
    """No jobs of earlier tests; none left behind."""
    clear()
    yield
    clear()


def effects(tenant: TenantRef, superuser_url: str, kind: str = "mark") -> list[str]:
    """Return the targets marked in a tenant's chain, read past every wall."""
    settle(tenant)
    statement = sql.SQL("SELECT target FROM {} WHERE target LIKE %s").format(
        sql.Identifier(tenant.schema, "audit_entry")
    )
    with psycopg.connect(superuser_url) as admin:
        return [row[0] for row in admin.execute(statement, [f"{kind}:%"]).fetchall()]


def all_ended() -> bool:
    with platform_scope("test"):
        counts = queries.counts()
    return not (counts["queued"] or counts["running"])


def test_500_mixed_jobs_on_four_workers(acme: TenantRef, globex: TenantRef, superuser_url: str) -> None:
    expected: dict[TenantRef, set[str]] = {acme: set(), globex: set()}
    for number in range(JOBS):
        tenant = (acme, globex)[number * 7 % 3 % 2]
        with tenant_scope(tenant):
            work.Work().enqueue(MARK, tenant=tenant.id, args={"number": number}, title="Mark", by=SYSTEM)
        expected[tenant].add(f"mark:{number}")
    workers = [worker("30") for _ in range(4)]
    try:
        until(all_ended, 120)
    finally:
        for process in workers:
            process.kill()
            process.wait()
            process.stdout.close()
    for tenant, targets in expected.items():
        found = Counter(effects(tenant, superuser_url))
        assert set(found) == targets, tenant.slug
        assert set(found.values()) == {1}, "an effect happened twice"
    with platform_scope("test"):
        assert queries.counts()["done"] == JOBS


def test_without_the_carrier_effects_go_astray(acme: TenantRef, globex: TenantRef) -> None:
    """Negative control: handlers that use a scope left behind in their thread write into the wrong tenant."""
    left_behind = threading.local()
    wrong = 0
    for number in range(20):
        meant = (acme, globex)[number % 2]
        if number % 3 == 0 or not hasattr(left_behind, "tenant"):
            left_behind.tenant = meant
        with tenant_scope(left_behind.tenant), connections["default"].cursor() as cursor:
            cursor.execute("SELECT current_setting('app.tenant')")
            wrong += cursor.fetchone()[0] != str(meant.id)
    assert wrong > 0


def test_a_killed_workers_job_is_done_once_by_another(acme: TenantRef, superuser_url: str) -> None:
    """kill -9 after the effect and before the completion: the effect went with the worker's transaction."""
    with tenant_scope(acme):
        job_id = work.Work().enqueue(SLOW, tenant=acme.id, args={"seconds": 60}, title="Slow", by=SYSTEM)
    victim = worker("2")
    try:
        assert victim.stdout.readline().strip() == f"started {job_id}"
        until(lambda: job(job_id).state == "running")
    finally:
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        victim.stdout.close()
    until(lambda: sweeper.sweep() == 1)
    assert job(job_id).state == "queued"
    assert effects(acme, superuser_url, "slow") == []
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("UPDATE public.events_job SET args = '{\"seconds\": 0}' WHERE id = %s", [job_id])
    successor = worker("30")
    try:
        until(lambda: job(job_id).state == "done")
    finally:
        successor.kill()
        successor.wait()
        successor.stdout.close()
    assert effects(acme, superuser_url, "slow") == [f"slow:{job_id}"]
    assert job(job_id).attempt == 2


def test_a_stopped_worker_wakes_up_too_late(acme: TenantRef, superuser_url: str) -> None:
    """SIGSTOP for longer than the lease: another finishes, and the zombie's commit is refused by the fence."""
    with tenant_scope(acme):
        job_id = work.Work().enqueue(SLOW, tenant=acme.id, args={"seconds": 1}, title="Slow", by=SYSTEM)
    zombie = worker("1")
    try:
        zombie.stdout.readline()
        os.kill(zombie.pid, signal.SIGSTOP)
        until(lambda: sweeper.sweep() == 1)
        queue.task("test.slow", max_attempts=10)(_finish)
        assert runner.run_next()
        assert (job(job_id).state, job(job_id).result) == ("done", {"by": "another"})
        os.kill(zombie.pid, signal.SIGCONT)
        until(lambda: _transactions_of_others(superuser_url) == 0)
    finally:
        zombie.kill()
        zombie.wait()
        zombie.stdout.close()
    assert (job(job_id).state, job(job_id).result) == ("done", {"by": "another"})
    assert f"slow:{job_id}" not in effects(acme, superuser_url, "slow")


def _finish(handle: queue.JobHandle, *, seconds: int) -> dict[str, str]:
    assert seconds == 1
    return {"by": "another"}


def _transactions_of_others(superuser_url: str) -> int:
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_xid IS NOT NULL"
    )
    with psycopg.connect(superuser_url) as admin:
        return int(admin.execute(statement).fetchone()[0])
