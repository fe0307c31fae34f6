"""Chores: each has a schedule of the platform; one job per period, and one that fails is seen as a failed job."""

import datetime as dt
from collections.abc import Iterator

import pytest

from apps.core.actor import SYSTEM
from apps.core.chores import Chore, chores
from apps.core.scope import TenantRef, platform_scope
from apps.events.jobs import runner
from apps.events.models import Job, Schedule
from apps.events.schedules import scheduler, services, standing

NOW = dt.datetime(2030, 3, 17, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def counted(acme: TenantRef) -> Iterator[list[str]]:
    """A chore of this test alone among the registered ones."""
    done: list[str] = []
    kept = dict(chores._values)
    chores._values.clear()
    chores.register("test.count", Chore("Count", 3600, lambda: done.append("x") or "counted"))
    yield done
    chores._values.clear()
    chores._values.update(kept)
    with platform_scope("test"):
        Job.objects.filter(name="core.chore").delete()
        Schedule.objects.all().delete()


def jobs() -> list[Job]:
    with platform_scope("test"):
        return list(Job.objects.filter(name="core.chore"))


def run() -> None:
    while runner.run_next():
        pass


def test_two_looks_make_one_job_a_period(counted: list[str]) -> None:
    standing.ensure()
    assert [scheduler.tick(NOW), scheduler.tick(NOW), scheduler.tick(NOW + HOUR / 2)] == [1, 0, 0]
    run()
    assert len(jobs()) == 1
    scheduler.tick(NOW + HOUR)
    run()
    assert counted == ["x", "x"]
    assert {(job.state, job.result["outcome"]) for job in jobs()} == {("done", "counted")}


def test_a_failing_chore_is_a_failed_job(counted: list[str]) -> None:
    def fail() -> None:
        message = "the ledger does not hold"
        raise RuntimeError(message)

    chores.register("test.fail", Chore("Fail", 3600, fail))
    standing.ensure()
    scheduler.tick(NOW)
    run()
    failed = [job for job in jobs() if job.args == {"name": "test.fail"}]
    assert "the ledger does not hold" in failed[0].error


def test_a_paused_chore_stays_paused_and_one_that_is_gone_goes(counted: list[str]) -> None:
    chores.register("test.old", Chore("Old", 60, lambda: None))
    standing.ensure()
    with platform_scope("test"):
        mine = Schedule.objects.get(key="chore:test.count")
        services.pause(mine.pk, by=SYSTEM)
    chores._values["test.count"] = Chore("Count often", 600, lambda: None)
    del chores._values["test.old"]
    standing.ensure()
    with platform_scope("test"):
        (mine,) = Schedule.objects.all()
    assert (mine.title, mine.every, mine.state) == ("Count often", 600, "paused")
    assert scheduler.tick(NOW) == 0


def test_the_product_s_chores_are_registered() -> None:
    assert {"tenants.remove_due", "identity.old_sessions", "api.old_answers", "audit.verify"} <= set(chores)
