"""The substrate under fire (R1, R2): whatever is killed, every job ends and each effect is there once."""

import datetime as dt
import random
import re
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from apps.events.schedules import scheduler, services
from apps.events.schedules.timing import Timing
from tests.chaos import scaled
from tests.chaos.colony import Colony
from tests.chaos.conftest import Start
from tests.chaos.judge import OPEN, all_once, settle
from tests.chaos.outside import Outside
from tests.chaos.points import PUMP, WORKER
from tests.chaos.server import Mortal, patient

Tell = Callable[[str], None]
CHAINS, KILLS = scaled(200, 24), scaled(20, 6)
RESTARTS, ZOMBIES = scaled(5, 1), scaled(50, 3)
RUNNING = """
SELECT id, fence, worker FROM public.events_job
WHERE state = 'running' AND name = 'chaos.step' AND lease_until > clock_timestamp() ORDER BY random()
"""
STILL = "SELECT state = 'running' AND fence = %s FROM public.events_job WHERE id = %s"
FINISHED = "SELECT state = 'done' AND fence > %s FROM public.events_job WHERE id = %s"
BEHIND = "SELECT id FROM public.events_schedule WHERE state = 'active' AND next_at <= clock_timestamp()"
TICKS = """
SELECT (args->>'number')::int, runs, floor(extract(epoch FROM at))::int, floor(extract(epoch FROM last_at))::int
FROM public.events_schedule
"""


def test_chains_survive_kills_at_random(
    colony: Colony, start: Start, clean: str, outside: Outside, tell: Tell
) -> None:
    colony.orders["seconds"] = 0.04
    colony.keep(worker=3, pump=2)
    wave = -(-4 * CHAINS // KILLS)
    for number in range(KILLS):
        start(number * wave, min((number + 1) * wave, CHAINS))
        time.sleep(random.uniform(0.05, 0.4))
        colony.kill_one()
    found = settle(clean)
    all_once(found, CHAINS, outside)
    tell(
        f"{CHAINS} chains of 5 steps, {colony.kills} × kill -9, {found.lost} attempts lost with their worker, "
        f"{sum(outside.asked.values())} calls outside for {len(outside.asked)} keys; "
        f"all ended {found.seconds:.1f} s after the last kill"
    )


@pytest.mark.parametrize("point", WORKER)
def test_a_worker_dies_at_its_point(
    point: str, colony: Colony, start: Start, clean: str, outside: Outside
) -> None:
    chains = scaled(40, 10)
    colony.keep(pump=1)
    start(0, chains)
    for turn in range(scaled(3, 1)):
        victim = colony.hatch("worker", point=point, time=1 + 2 * turn)
        assert colony.wait_for_death(victim) == signal.SIGKILL
    colony.keep(pump=1, worker=2)
    all_once(settle(clean), chains, outside)


@pytest.mark.parametrize("point", [name for name in PUMP if name.startswith("sweeper")])
def test_a_sweeper_dies_at_its_point(
    point: str, colony: Colony, start: Start, clean: str, outside: Outside
) -> None:
    chains = scaled(20, 4)
    start(0, chains)
    for _ in range(scaled(3, 1)):
        sleeper = colony.hatch("worker", seconds=60, point="none")
        _until(lambda: _rows(clean, RUNNING))
        colony.signal(sleeper, signal.SIGKILL)
        assert colony.wait_for_death(sleeper) == signal.SIGKILL
        victim = colony.hatch("pump", point=point)
        assert colony.wait_for_death(victim) == signal.SIGKILL
    colony.keep(worker=2, pump=2)
    all_once(settle(clean), chains, outside)


@pytest.mark.parametrize("point", [name for name in PUMP if name.startswith("scheduler")])
def test_a_scheduler_dies_at_its_point(point: str, colony: Colony, clean: str, acme: TenantRef) -> None:
    """Twenty moments of three schedules have passed: each is served once, whoever died over it, by two schedulers."""
    for number in range(3):
        with tenant_scope(acme):
            every = Timing("interval", every=10, at=scheduler.now() - dt.timedelta(seconds=200))
            wanted = {"title": "Tick", "task": "chaos.tick", "args": {"number": number}}
            services.create(timing=every, by=SYSTEM, overlap="allow", missed="all", **wanted)
    with patient(clean) as admin:
        admin.execute("UPDATE public.events_schedule SET next_at = at")
    for turn in range(scaled(3, 1)):
        victim = colony.hatch("pump", point=point, time=1 + turn % 2)
        assert colony.wait_for_death(victim) == signal.SIGKILL
    colony.keep(worker=2, pump=2)
    _until(lambda: not _rows(clean, BEHIND))
    colony.wanted = {"worker": 2}
    for pid in colony.plain("pump"):
        colony.signal(pid, signal.SIGKILL)
    found = settle(clean)
    assert found.doubled == {}
    for number, runs, first, last in _rows(clean, TICKS):
        moments = {step for chain, step in found.effects if chain == number}
        assert moments == set(range(first, last + 1, 10))
        assert runs == len(moments) >= 20


def test_work_survives_the_database_s_crashes(
    colony: Colony, start: Start, clean: str, outside: Outside, mortal: Mortal, tell: Tell
) -> None:
    """An immediate shutdown in the middle; no process is restarted: they find their way back by themselves."""
    colony.keep(worker=3, pump=2)
    wave = -(-CHAINS // (2 * RESTARTS))
    for number in range(RESTARTS):
        start(2 * number * wave, (2 * number + 1) * wave)
        time.sleep(random.uniform(0.2, 0.6))
        mortal.crash()
        assert mortal.recovered()
        start((2 * number + 1) * wave, (2 * number + 2) * wave)
    found = settle(clean)
    all_once(found, 2 * RESTARTS * wave, outside)
    assert colony.look() == {}, "a process ended instead of healing itself"
    tell(f"{mortal.restarts} immediate restarts, all ended {found.seconds:.1f} s after the last")


def freeze(colony: Colony, url: str, number: int, start: Start) -> tuple[int, int]:
    """Stop workers in the middle of a job until another has done it, then let them go on.

    Return how many were stopped so and how many chains were started for it.
    """
    colony.orders["seconds"] = 0.15
    colony.keep(worker=5, pump=1)
    frozen: dict[int, tuple[str, int, float]] = {}
    thawed = chains = 0
    while thawed < number:
        if _rows(url, OPEN)[0][0] < 12:
            start(chains, chains + 6)
            chains += 6
        for pid, (job, fence, since) in list(frozen.items()):
            finished = _rows(url, FINISHED, [fence, job])[0][0]
            if finished or time.monotonic() - since > 15:  # it holds the row's lock: nobody could take over
                colony.signal(pid, signal.SIGCONT)
                del frozen[pid]
                thawed += finished
        for job, fence, worker in _rows(url, RUNNING):
            pid = int(worker.split(":")[1])
            if len(frozen) < 2 and pid not in frozen and pid in colony.plain("worker"):
                colony.signal(pid, signal.SIGSTOP)
                if _rows(url, STILL, [fence, job])[0][0]:
                    frozen[pid] = (job, fence, time.monotonic())
                else:
                    colony.signal(pid, signal.SIGCONT)
        time.sleep(0.02)
    for pid in frozen:
        colony.signal(pid, signal.SIGCONT)
    return thawed, chains


def test_zombies_effects_are_taken_back(
    colony: Colony, start: Start, clean: str, outside: Outside, tell: Tell
) -> None:
    thawed, chains = freeze(colony, clean, ZOMBIES, start)
    found = settle(clean)
    all_once(found, chains, outside)
    refused = len(re.findall(r"The lease of job .{36} is gone", colony.said))
    assert refused > 0
    tell(
        f"{thawed} workers stopped until another had done their job: {refused} commits refused, no effect doubled"
    )


def test_without_the_fence_zombies_double_effects(colony: Colony, start: Start, clean: str) -> None:
    """Negative control: completion that does not ask whose claim it was."""
    colony.orders["broken"] = "fence"
    freeze(colony, clean, 2, start)
    assert settle(clean).doubled


def test_with_completion_apart_a_kill_doubles_the_effect(colony: Colony, start: Start, clean: str) -> None:
    """Negative control: the effect commits before the completion does."""
    colony.keep(pump=1)
    start(0, 2)
    victim = colony.hatch("worker", broken="apart", point="completion apart: effect committed")
    assert colony.wait_for_death(victim) == signal.SIGKILL
    colony.keep(pump=1, worker=1)
    assert settle(clean).doubled


def test_without_a_sweeper_a_killed_worker_s_job_stays(colony: Colony, start: Start, clean: str) -> None:
    """Negative control: the judge does see jobs that nobody takes up again."""
    start(0, 1)
    victim = colony.hatch("worker", point="before the effect")
    assert colony.wait_for_death(victim) == signal.SIGKILL
    colony.keep(worker=1)
    with pytest.raises(AssertionError, match="still open"):
        settle(clean, seconds=4)


def _rows(url: str, statement: str, params: Sequence[Any] | None = None) -> list[Any]:
    with patient(url) as admin:
        return admin.execute(statement, params).fetchall()


def _until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
