"""Heartbeats and healing of what vanished: real processes, killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connections

from apps.audit import queries
from apps.core import queue
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.health import healing, probe, processes
from apps.events.jobs.claim import claim
from apps.events.models import Process
from tests.events.working import ROOT, clear, job, until
from tests.servers import live_server

SILENT = (
    "UPDATE public.events_process SET seen_at = clock_timestamp() - %s * interval '1 second' WHERE id = %s"
)


@pytest.fixture(autouse=True)
def nobody(database: dict[str, TenantRef]) -> None:
    """No process is known, no job waits."""
    clear()
    with platform_scope("test"):
        Process.objects.all().delete()


def silence(row_id: object, seconds: float) -> None:
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(SILENT, [seconds, row_id])


def rows() -> list[Process]:
    with platform_scope("test"):
        return list(Process.objects.order_by("seen_at"))


def heals(what: str) -> int:
    healing.side.drain()
    with platform_scope("test"):
        return len(queries.history(f"health:{what}", limit=200))


def test_a_process_that_ends_in_order_leaves_and_is_not_lost() -> None:
    heart = processes.Heartbeat(processes.WORKER, lambda: {"slots": 3})
    heart.beat()
    (row,) = rows()
    assert (row.kind, row.pid, row.details) == ("worker", os.getpid(), {"slots": 3})
    assert processes.workers().figures == {"workers_alive": 1, "workers_slots": 3}
    heart.stop()
    assert rows() == []
    assert processes.mark_lost() == 0


def test_a_process_that_goes_without_a_word_is_marked_once_and_comes_back_when_heard() -> None:
    heart = processes.Heartbeat(processes.WORKER)
    heart.beat()
    before = heals("lost_process")
    silence(heart.id, processes.LOST_AFTER - 10)
    assert processes.mark_lost() == 0, "negative control: a late one is not lost"
    silence(heart.id, processes.LOST_AFTER + 1)
    assert processes.mark_lost() == 1
    assert processes.mark_lost() == 0
    assert heals("lost_process") == before + 1
    assert processes.workers().status == "degraded"
    heart.beat()
    assert rows()[0].lost_at is None
    assert processes.workers().status == "ok"


def test_nobody_there_while_jobs_are_due_is_an_outage(acme: TenantRef, own_tasks: None) -> None:
    queue.task("health.idle")(lambda _job: None)
    with tenant_scope(acme):
        job_id = queue.enqueue("health.idle", tenant=acme.id, args={}, title="Idle", by=SYSTEM)
    assert processes.workers().status == "degraded"
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(
            "UPDATE public.events_job SET run_at = clock_timestamp() - interval '10 minutes' WHERE id = %s",
            [job_id],
        )
    assert processes.workers().status == "failed"
    processes.Heartbeat(processes.WORKER).beat()
    assert processes.workers().status == "ok"


def test_a_killed_worker_is_noticed() -> None:
    """A real worker process says that it lives, until it is killed without a chance to say goodbye."""
    started = subprocess.Popen(
        [sys.executable, "manage.py", "work", "--threads", "1"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
    )
    try:
        until(lambda: [row.pid for row in rows()] == [started.pid])
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait(30)
    (row,) = rows()
    assert (row.kind, row.details) == ("worker", {"slots": 1})
    silence(row.id, processes.LOST_AFTER + 1)
    before = heals("lost_process")
    probe.heal()
    assert rows()[0].lost_at is not None
    assert heals("lost_process") == before + 1


def test_a_lease_that_no_sweeper_took_back_is_taken_back(acme: TenantRef, own_tasks: None) -> None:
    queue.task("health.idle")(lambda _job: None)
    with tenant_scope(acme):
        job_id = queue.enqueue("health.idle", tenant=acme.id, args={}, title="Idle", by=SYSTEM)
    assert claim() is not None
    before = heals("stale_lease")
    probe.heal()
    assert (job(job_id).state, heals("stale_lease")) == ("running", before), (
        "negative control: a lease that holds"
    )
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(
            "UPDATE public.events_job SET lease_until = clock_timestamp() - interval '1 minute' WHERE id = %s",
            [job_id],
        )
    probe.heal()
    assert (job(job_id).state, heals("stale_lease")) == ("queued", before + 1)


def test_loops_that_do_not_come_round_fail_the_check() -> None:
    stuck = {"relay": {"stuck": True, "restarts": 2}, "sweeper": {"stuck": False, "restarts": 0}}
    heart = processes.Heartbeat(processes.PUMP, lambda: {"loops": stuck})
    assert processes.loops().status == "degraded"
    assert processes.schedulers().status == "degraded"
    heart.beat()
    found = processes.loops()
    assert (found.status, found.figures["loops_stuck"], found.figures["loops_restarts"]) == ("failed", 1, 2)
    assert "relay" in found.message
    stuck["relay"]["stuck"] = False
    heart.beat()
    assert processes.loops().status == "ok"
    assert processes.schedulers().status == "ok"


def test_a_server_that_is_stopped_says_goodbye_and_one_that_is_killed_cannot(tmp_path: Path) -> None:
    with live_server(tmp_path):
        until(lambda: [row.kind for row in rows()] == ["web"])
    assert rows() == []
    with live_server(tmp_path):
        until(lambda: [row.kind for row in rows()] == ["web"])
        os.kill(rows()[0].pid, signal.SIGKILL)
    assert [row.kind for row in rows()][:1] == ["web"], (
        "negative control: it is still listed, to be found lost"
    )
