"""Heartbeats: every process of the product says every ten seconds that it lives, and what it does."""

import atexit
import contextlib
import datetime as dt
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize
from typing import Any
from uuid import UUID

from django.db import connections
from django.utils.translation import gettext_lazy as _

from apps.audit.aside import Aside
from apps.core.db import loss
from apps.core.health import Finding, Status, check
from apps.core.ids import uuid7
from apps.core.scope import platform_scope
from apps.core.version import product_version
from apps.events.health.healing import healed
from apps.events.models import Process

logger = logging.getLogger("aibos.health")

EVERY = 10.0
LOST_AFTER = 45.0
FORGET_AFTER = 86_400.0
WORKER, PUMP, SCHEDULER, WEB, LIVE = "worker", "pump", "scheduler", "web", "live"
BEAT = """
INSERT INTO public.events_process (id, kind, name, host, pid, version, details)
VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb)
ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), lost_at = NULL, details = excluded.details
"""
# One of several pumps marks a process, the others find it marked.
LOST = """
UPDATE public.events_process SET lost_at = clock_timestamp()
WHERE lost_at IS NULL AND seen_at < clock_timestamp() - %s * interval '1 second'
RETURNING kind, name, host, pid, extract(epoch FROM clock_timestamp() - seen_at)
"""
FORGOTTEN = "DELETE FROM public.events_process WHERE lost_at < clock_timestamp() - %s * interval '1 second'"
DUE = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(run_at)), 0)
FROM public.events_job WHERE state = 'queued' AND run_at <= clock_timestamp()
"""
side = Aside("heartbeat")


class Heartbeat:
    """Says that this process lives, from a thread of its own, until it ends."""

    def __init__(self, kind: str, details: Callable[[], dict[str, Any]] = dict) -> None:
        self.id: UUID = uuid7()
        self._kind, self._details, self._pid = kind, details, os.getpid()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> "Heartbeat":
        """Beat from now on; a database that is away costs a beat, not the process."""
        self._thread.start()
        atexit.register(self.stop)
        Finalize(None, self.stop, exitpriority=1)  # children of a server end without `atexit`
        return self

    def beat(self) -> None:
        """Say it once, now."""
        host, pid = socket.gethostname(), os.getpid()
        row: list[Any] = [
            self.id,
            self._kind,
            f"{host}:{pid}",
            host,
            pid,
            product_version(),
            json.dumps(self._details()),
        ]

        def write() -> None:
            with connections["default"].cursor() as cursor:
                cursor.execute(BEAT, row)

        with contextlib.suppress(TimeoutError, *loss.ERRORS):
            side.call(write)

    def stop(self) -> None:
        """Say goodbye: a process that ends in order is not lost. Once, and not by a fork of the process."""
        if self._stop.is_set() or os.getpid() != self._pid:
            return
        self._stop.set()

        def leave() -> None:
            Process.objects.filter(pk=self.id).delete()

        with contextlib.suppress(TimeoutError, *loss.ERRORS):
            side.call(leave)

    def _run(self) -> None:
        while True:
            try:
                self.beat()
            except Exception:
                logger.exception("A heartbeat could not be written.")
            if self._stop.wait(EVERY):
                return


def alive() -> list[Process]:
    """Return the processes heard of lately, by kind and name; in the platform's scope."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=LOST_AFTER)
    return list(Process.objects.filter(lost_at=None, seen_at__gte=since).order_by("kind", "name"))


def everyone() -> list[Process]:
    """Return the living and those lost within a day, the lost ones last; in the platform's scope."""
    return sorted(Process.objects.all(), key=lambda row: (row.lost_at is not None, row.kind, row.name))


def mark_lost() -> int:
    """Mark processes that went without a word and write it down; forget those of yesterday. Return how many."""
    with platform_scope("health: lost processes"), connections["default"].cursor() as cursor:
        cursor.execute(LOST, [LOST_AFTER])
        lost = cursor.fetchall()
        cursor.execute(FORGOTTEN, [FORGET_AFTER])
    for kind, name, host, pid, silent in lost:
        message = f"The {kind} {name} went without a word; its work is given to others."
        healed("lost_process", message, kind=kind, host=host, pid=pid, silent_seconds=round(float(silent)))
    return len(lost)


@check("workers", title=_("Workers"), group="work", measure="workers_alive")
def workers() -> Finding:
    """Judge whether somebody takes the jobs; nobody there while jobs are due is an outage."""
    with platform_scope("health: workers"), connections["default"].cursor() as cursor:
        found = [row for row in alive() if row.kind == WORKER]
        cursor.execute(DUE)
        due, age = cursor.fetchone()
    slots = sum(int(row.details.get("slots", 1)) for row in found)
    figures = {"workers_alive": len(found), "workers_slots": slots}
    if found:
        return Finding("ok", f"{len(found)} workers with {slots} places are there.", figures)
    status: Status = "failed" if due and age > LOST_AFTER else "degraded"
    return Finding(status, f"No worker has been heard of; {due} jobs are due. Start one.", figures)


@check("schedulers", title=_("Schedulers"), group="work", measure="schedulers_alive")
def schedulers() -> Finding:
    """Judge whether a clock runs: the pump's own (chores, schedules, sweeper), and Celery's beat beside it."""
    with platform_scope("health: schedulers"):
        found = alive()
    pumps = [row for row in found if row.kind == PUMP]
    beats = [row for row in found if row.kind == SCHEDULER]
    figures = {
        "schedulers_alive": len(pumps) + len(beats),
        "schedulers_pumps": len(pumps),
        "schedulers_beats": len(beats),
    }
    if not pumps:
        return Finding("degraded", "No pump has been heard of; nothing is started by the clock.", figures)
    return Finding("ok", f"{len(pumps)} pumps keep the time, {len(beats)} beats ring beside them.", figures)


@check("loops", title=_("Loops of the pump"), group="events", measure="loops_stuck")
def loops() -> Finding:
    """Judge the loops of every pump: each must come round."""
    with platform_scope("health: loops"):
        pumps = [row for row in alive() if row.kind == PUMP]
    turning = [(name, state) for row in pumps for name, state in row.details.get("loops", {}).items()]
    stuck = sorted({name for name, state in turning if state.get("stuck")})
    figures = {
        "loops_running": len(turning),
        "loops_stuck": len(stuck),
        "loops_restarts": sum(int(state.get("restarts", 0)) for _name, state in turning),
    }
    if stuck:
        return Finding("failed", f"{_listed(stuck)} does not come round; it is being freed.", figures)
    if not pumps:
        return Finding("degraded", "No pump has been heard of; nothing is chained or delivered.", figures)
    return Finding("ok", f"All {len(turning)} loops come round.", figures)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
