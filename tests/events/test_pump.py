"""The pump: sequencer, relay and sweeper go on after the database has thrown them out, and end when told to."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections

from apps.audit import ledger, queries
from apps.core import queue
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events import outbox, pump, registry
from apps.events.jobs import runner
from apps.events.registry import EventType
from apps.events.types import Event
from tests.events.working import clear, job, until

OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = 'aibos_app' AND pid <> %s
"""


@pytest.fixture
def running(acme: TenantRef, own_tasks: None) -> Iterator[list[Event]]:
    """The pump and a worker in threads; yields what was delivered."""
    clear()
    seen: list[Event] = []
    registry.register(EventType("pump.tested", "A test."))
    registry.subscribe("pump", "pump.tested")(seen.append)
    stop = threading.Event()

    def work() -> None:
        runner.work_forever(stop, pause=0.05)
        connections.close_all()

    threads = [threading.Thread(target=pump.run, args=(stop,)), threading.Thread(target=work)]
    for thread in threads:
        thread.start()
    yield seen
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    clear()


def write(tenant: TenantRef) -> tuple[str, str]:
    with tenant_scope(tenant):
        event_id = outbox.emit("pump.tested", by=SYSTEM)
        ledger.record("pump.tested", by=SYSTEM, target=f"event:{event_id}")
        job_id = queue.enqueue("pump.work", tenant=tenant.id, args={}, title="Work", by=SYSTEM)
    return str(event_id), str(job_id)


def test_they_come_back_after_their_connections_were_ended(
    acme: TenantRef, running: list[Event], superuser_url: str
) -> None:
    queue.task("pump.work")(lambda _: None)
    with platform_scope("test"):
        mine = connections["default"].connection.info.backend_pid
    for _ in range(3):
        event_id, job_id = write(acme)

        def all_done(event_id: str = event_id, job_id: str = job_id) -> bool:
            with tenant_scope(acme):
                chained = all(entry.chained for entry in queries.history(f"event:{event_id}"))
            return (
                chained and job(job_id).state == "done" and event_id in {str(event.id) for event in running}
            )

        until(all_done)
        with psycopg.connect(superuser_url, autocommit=True) as admin:
            assert len(admin.execute(OTHERS, [mine]).fetchall()) >= 3
    assert len({event.id for event in running}) == len(running) == 3
