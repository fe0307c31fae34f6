"""Chores: one job per chore and period, whoever looks; a chore that fails is seen as a failed job."""

from collections.abc import Iterator

import pytest

from apps.core.chores import Chore, chores
from apps.core.scope import TenantRef, platform_scope
from apps.events.jobs import runner
from apps.events.jobs.chores import call_due
from apps.events.models import Job

NOW = 1_900_000_000.0


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


def jobs() -> list[Job]:
    with platform_scope("test"):
        return list(Job.objects.filter(name="core.chore"))


def test_two_clocks_make_one_job_a_period(counted: list[str]) -> None:
    call_due(NOW)
    call_due(NOW + 60)
    assert len(jobs()) == 1
    call_due(NOW + 3600)
    assert len(jobs()) == 2
    while runner.run_next():
        pass
    assert counted == ["x", "x"]
    assert {(job.state, job.result["outcome"]) for job in jobs()} == {("done", "counted")}


def test_a_failing_chore_is_a_failed_job(counted: list[str]) -> None:
    def fail() -> None:
        message = "the ledger does not hold"
        raise RuntimeError(message)

    chores.register("test.fail", Chore("Fail", 3600, fail))
    call_due(NOW + 7200)
    while runner.run_next():
        pass
    failed = [job for job in jobs() if job.args == {"name": "test.fail"}]
    assert "the ledger does not hold" in failed[0].error


def test_the_product_s_chores_are_registered() -> None:
    assert {"tenants.remove_due", "identity.old_sessions", "api.old_answers", "audit.verify"} <= set(chores)
