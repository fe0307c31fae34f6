"""Each check says ok when all is well, and not when it is not."""

import datetime as dt
from typing import NamedTuple

import pytest
from django.core.cache import cache
from django.db import connections

from apps.core import health, queue
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events import outbox
from apps.events.health import backlog, servers
from apps.events.registry import EventType, register
from apps.events.relay import deliver_all
from tests.events.working import clear, until


class Usage(NamedTuple):
    """What the system says of a disk."""

    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def nothing_waits(database: dict[str, TenantRef]) -> None:
    clear()


def age(table: str, column: str, **delta: int) -> None:
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(
            f"UPDATE public.{table} SET {column} = {column} - %s",
            [dt.timedelta(**delta)],
        )


def test_every_check_that_the_issue_names_is_there_and_has_words() -> None:
    known = health.checks()
    assert {
        *("database", "database_load", "walls", "cache", "broker", "bus", "outbox_lag", "ledger_lag"),
        *("job_queue", "dead_letters", "disk", "workers", "schedulers", "loops", "ledgers_verified"),
    } <= set(known)
    for name, item in known.items():
        assert str(item.title)
        assert item.group in {"data", "ledger", "events", "work", "machine"}, name


def test_a_measure_is_a_figure_of_its_check() -> None:
    for name, item in health.checks().items():
        if item.measure:
            assert item.measure in health.run_one(item).figures, name


def test_events_that_nobody_took(acme: TenantRef, own_tasks: None) -> None:
    register(EventType("health.tested", "A test."))
    until(delivered)
    with tenant_scope(acme):
        outbox.emit("health.tested", by=SYSTEM)
    assert backlog.outbox_lag().figures["outbox_waiting_events"] == 1
    age("events_outbox", "written_at", seconds=10)
    assert backlog.outbox_lag().status == "degraded"
    age("events_outbox", "written_at", minutes=10)
    assert backlog.outbox_lag().status == "failed"
    until(delivered)


def delivered() -> bool:
    """Deliver what is settled; a transaction that is open elsewhere on the server holds it up for a while."""
    deliver_all()
    return backlog.outbox_lag().status == "ok"


def test_jobs_that_nobody_took(acme: TenantRef, own_tasks: None) -> None:
    queue.task("health.idle")(lambda _job: None)
    assert backlog.job_queue().status == "ok"
    with tenant_scope(acme):
        queue.enqueue("health.idle", tenant=acme.id, args={}, title="Idle", by=SYSTEM)
    assert backlog.job_queue().status == "ok"
    age("events_job", "run_at", minutes=2)
    assert backlog.job_queue().status == "degraded"
    age("events_job", "run_at", minutes=20)
    assert backlog.job_queue().status == "failed"


def test_dead_letters_are_counted(acme: TenantRef, own_tasks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert backlog.dead_letters().status == "ok"
    queue.task("health.idle")(lambda _job: None)
    with tenant_scope(acme):
        for _ in range(3):
            queue.enqueue("health.idle", tenant=acme.id, args={}, title="Idle", by=SYSTEM)
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("UPDATE public.events_job SET state = 'failed', finished_at = clock_timestamp()")
    found = backlog.dead_letters()
    assert (found.status, found.figures["dead_letters"]) == ("degraded", 3)
    monkeypatch.setattr(backlog, "MANY_LETTERS", 3)
    assert backlog.dead_letters().status == "failed"
    age("events_job", "finished_at", hours=2)
    assert backlog.dead_letters().status == "ok", "old ones wait for a person; nothing is breaking now"


def test_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, status in ((50, "ok"), (9, "degraded"), (2, "failed")):
        usage = Usage(100, 100 - free, free)
        monkeypatch.setattr(servers.shutil, "disk_usage", lambda _path, usage=usage: usage)
        found = servers.disk()
        assert (found.status, found.figures["disk_used_ratio"]) == (status, round(1 - free / 100, 4))


def test_a_cache_that_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert servers.shared_cache().status == "ok"
    monkeypatch.setattr(cache, "get", lambda _key: None)
    assert servers.shared_cache().status == "failed"


def test_a_broker_that_is_away(settings: object) -> None:
    assert "No broker" in servers.broker().message
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"  # type: ignore[attr-defined]
    found = servers.broker()
    assert (found.status, "does not answer" in found.message) == ("degraded", True)


def test_the_connections_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    assert servers.database_load().status == "ok"
    figures = servers.database_load().figures
    assert figures["database_connections"] >= 1
    assert figures["database_size_bytes"] > 0
    monkeypatch.setattr(servers, "BUSY", 0.0)
    assert servers.database_load().status == "degraded"
    monkeypatch.setattr(servers, "FULL", 0.0)
    assert servers.database_load().status == "failed"


def test_a_check_that_raises_is_a_failure() -> None:
    def broken() -> health.Finding:
        msg = "no such thing"
        raise LookupError(msg)

    found = health.run_one(health.Check("broken", broken))
    assert (found.status, "LookupError: no such thing" in found.message) == ("failed", True)
