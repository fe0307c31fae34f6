"""Durable work: what a job's row goes through, and that effect and completion are one."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections, transaction

from apps.audit import ledger
from apps.audit import queries as entries
from apps.core import context, health, queue
from apps.core.actor import SYSTEM, Actor
from apps.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from apps.core.scope import (
    ScopeConflict,
    TenantRef,
    current_scope,
    current_tenant,
    platform_scope,
    tenant_scope,
)
from apps.events.jobs import history, pulse, queries, runner, sweeper, work
from apps.events.jobs.bell import bell
from apps.events.jobs.claim import TURNS, anything_due
from apps.events.jobs.history import me
from apps.events.jobs.states import ENDED, MOVES, JobState, may_follow
from apps.events.models import Job
from config.celery import app
from tests.events.working import clear, job, make_due, run_all

Handle = queue.JobHandle


@pytest.fixture(autouse=True)
def quiet(acme: TenantRef, own_tasks: None) -> Iterator[None]:
    """No jobs of earlier tests; none left behind."""
    clear()
    yield
    for connection in connections.all():
        connection.scopes = []
    clear()


def ask(tenant: TenantRef, name: str, by: Actor = SYSTEM, **more: Any) -> UUID:
    args = more.pop("args", {})
    with tenant_scope(tenant):
        return queue.enqueue(name, tenant=tenant.id, args=args, title="A job", by=by, **more)


def marks(tenant: TenantRef, target: str = "mark:1") -> int:
    with tenant_scope(tenant):
        return len(entries.history(target))


def test_a_job_runs_in_its_tenant_as_who_asked(acme: TenantRef, anna: Actor) -> None:
    seen: list[Any] = []

    @queue.task("test.look")
    def look(handle: Handle, *, word: str) -> dict[str, Any]:
        seen.append((current_tenant(), handle.by, context.actor.get(), context.request_id.get(), word))
        return {"word": word}

    with context.carrying(request_id="req-9"):
        job_id = ask(acme, "test.look", by=anna, args={"word": "Grüße"})
    assert run_all() == 1
    assert seen == [(acme, anna, anna, "req-9", "Grüße")]
    row = job(job_id)
    assert (row.state, row.result, row.attempt, row.error) == ("done", {"word": "Grüße"}, 1, "")
    assert row.started_at is not None
    assert row.finished_at is not None
    assert row.lease_until is None


def test_a_job_exists_only_with_its_transaction(acme: TenantRef) -> None:
    queue.task("test.nothing")(lambda _: None)
    with tenant_scope(acme):
        queue.enqueue("test.nothing", tenant=acme.id, args={}, title="Lost", by=SYSTEM)
        transaction.set_rollback(True)
    assert run_all() == 0


def test_the_bell_rings_after_the_commit(acme: TenantRef, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.task("test.nothing")(lambda _: None)
    rung: list[UUID] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    with tenant_scope(acme):
        job_id = queue.enqueue("test.nothing", tenant=acme.id, args={}, title="Ring", by=SYSTEM)
        assert rung == []
    assert rung == [job_id]


def test_effect_and_completion_are_one(acme: TenantRef) -> None:
    """A handler that fails after its effect leaves no effect, and the next attempt makes it once."""
    attempts: list[int] = []

    @queue.task("test.fragile")
    def fragile(handle: Handle) -> None:
        ledger.record("test.marked", by=SYSTEM, target="mark:1")
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("the printer is on fire")

    before = marks(acme)
    job_id = ask(acme, "test.fragile")
    run_all()
    row = job(job_id)
    assert (row.state, row.attempt, marks(acme)) == ("queued", 1, before)
    assert "printer" in row.error
    assert "RuntimeError" in row.traceback
    assert run_all() == 0, "it waits"
    make_due(job_id)
    run_all()
    assert (job(job_id).state, job(job_id).error, marks(acme)) == ("done", "", before + 1)


def test_poison_ends_as_failed_with_its_cause(acme: TenantRef) -> None:
    @queue.task("test.poison", max_attempts=3)
    def poison(handle: Handle) -> None:
        raise ZeroDivisionError("always")

    job_id = ask(acme, "test.poison")
    for _ in range(5):
        run_all()
        make_due(job_id)
    row = job(job_id)
    assert (row.state, row.attempt, row.error) == ("failed", 3, "ZeroDivisionError: always")
    assert "in poison" in row.traceback
    assert [(one["number"], one["state"], one["cause"]) for one in row.attempts] == [
        (1, "queued", "ZeroDivisionError: always"),
        (2, "queued", "ZeroDivisionError: always"),
        (3, "failed", "ZeroDivisionError: always"),
    ]
    assert all(one["started"] < one["ended"] and one["worker"] == me() for one in row.attempts)
    with tenant_scope(acme):
        newest = entries.history(f"job:{job_id}")[0]
    assert (newest.action, newest.details["cause"]) == ("job.failed", "ZeroDivisionError: always")


def test_a_refusal_is_not_tried_again(acme: TenantRef) -> None:
    @queue.task("test.refuse")
    def refuse(handle: Handle) -> None:
        raise Invalid("The file has no columns.")

    job_id = ask(acme, "test.refuse")
    run_all()
    assert (job(job_id).state, job(job_id).attempt) == ("failed", 1)
    assert job(job_id).error == "VALIDATION_FAILED: The file has no columns."


def test_a_refusal_keeps_its_cure(acme: TenantRef) -> None:
    @queue.task("test.cured")
    def cured(handle: Handle) -> None:
        raise Invalid("The key is unknown.", cure="Name its key: 0f3a")

    job_id = ask(acme, "test.cured")
    run_all()
    assert job(job_id).error == "VALIDATION_FAILED: The key is unknown. Name its key: 0f3a"


def test_back_off_doubles_with_chance() -> None:
    for attempt in range(1, 20):
        longest = min(2.0 * 2 ** (attempt - 1), 3600)
        waits = {runner.back_off(attempt) for _ in range(20)}
        assert all(longest / 2 <= wait <= longest for wait in waits)
        assert len(waits) > 1


@pytest.mark.parametrize(("kind", "given"), [("required", None), ("forbidden", "acme")])
def test_a_job_without_its_tenant_is_refused(acme: TenantRef, kind: str, given: str | None) -> None:
    """At the door, and again when a row without one is found in the table."""
    ran: list[int] = []
    queue.task("test.walled", tenant=kind)(lambda _: ran.append(1))
    tenant = acme.id if given else None
    with platform_scope("test"), pytest.raises(ValueError, match="tenant"):
        queue.enqueue("test.walled", tenant=tenant, args={}, title="No", by=SYSTEM)
    loose = queue.Task("test.walled", print, "optional")
    with platform_scope("test"):
        job_id = work.Work().enqueue(loose, tenant=tenant, args={}, title="No", by=SYSTEM)
    run_all()
    assert ran == []
    assert job(job_id).state == "failed"
    assert "may not run" in job(job_id).error


def test_a_tenant_cannot_ask_for_anothers_job(acme: TenantRef, globex: TenantRef) -> None:
    queue.task("test.any", tenant="optional")(lambda _: None)
    for foreign in (globex.id, None):
        with pytest.raises(Exception, match="row-level security"), tenant_scope(acme):
            queue.enqueue("test.any", tenant=foreign, args={}, title="No", by=SYSTEM)


def test_an_unknown_task_is_refused(acme: TenantRef) -> None:
    with pytest.raises(LookupError, match=r"test\.unknown"):
        ask(acme, "test.unknown")
    queue.task("test.removed")(lambda _: None)
    job_id = ask(acme, "test.removed")
    del queue.tasks._values["test.removed"]
    run_all()
    assert (job(job_id).state, job(job_id).error) == ("failed", "No task is registered as 'test.removed'.")


def test_a_platform_job_runs_in_the_platforms_scope() -> None:
    seen: list[str] = []
    queue.task("test.platform", tenant="forbidden")(lambda _: seen.append(current_scope().kind))
    with platform_scope("test"):
        queue.enqueue("test.platform", tenant=None, args={}, title="All", by=SYSTEM)
    run_all()
    assert seen == ["platform"]


def test_the_same_key_is_the_same_job(acme: TenantRef, globex: TenantRef) -> None:
    queue.task("test.nothing")(lambda _: None)
    first = ask(acme, "test.nothing", key="k-1")
    assert ask(acme, "test.nothing", key="k-1") == first
    assert ask(acme, "test.nothing", key="k-2") != first
    assert ask(globex, "test.nothing", key="k-1") != first
    assert run_all() == 3


def test_higher_priority_and_delay(acme: TenantRef) -> None:
    order: list[str] = []
    queue.task("test.order")(lambda _, *, name: order.append(name))
    ask(acme, "test.order", args={"name": "later"}, delay=60)
    ask(acme, "test.order", args={"name": "second"})
    ask(acme, "test.order", args={"name": "first"}, priority=5)
    run_all()
    assert order == ["first", "second"]


def test_one_tenants_crowd_does_not_keep_another_waiting(acme: TenantRef, globex: TenantRef) -> None:
    order: list[str] = []
    queue.task("test.who")(lambda _: order.append(current_tenant().slug))
    for _ in range(60):
        ask(acme, "test.who")
    ask(globex, "test.who")
    run_all()
    assert len(order) == 61
    assert order.index("globex") < 25, "chance of a fair pick to fail: 1 in 16 million"


def test_progress_and_log_are_seen_before_the_end(acme: TenantRef) -> None:
    seen: list[Any] = []

    @queue.task("test.long")
    def long(handle: Handle) -> None:
        handle.progress(1, 4, "Reading")
        handle.log("line 1")
        handle.log("line 2")
        seen.append(pulse.side.call(lambda: queries.get(handle.id)))
        handle.progress(4, 4, "Done")

    job_id = ask(acme, "test.long")
    run_all()
    (view,) = seen
    assert (view.state, view.done, view.total, view.percent, view.message) == ("running", 1, 4, 25, "Reading")
    assert view.log == "line 1\nline 2\n"
    with tenant_scope(acme):
        after = queries.get(job_id)
    assert (after.state, after.done, after.percent) == ("done", 4, 100)


def test_a_waiting_job_is_cancelled_at_once(acme: TenantRef, anna: Actor) -> None:
    ran: list[int] = []
    queue.task("test.ran")(lambda _: ran.append(1))
    job_id = ask(acme, "test.ran", by=anna)
    with tenant_scope(acme):
        work.cancel(job_id, by=anna)
        assert entries.history(f"job:{job_id}")[0].action == "job.cancelled"
    assert run_all() == 0
    assert (job(job_id).state, ran) == ("cancelled", [])


@pytest.mark.parametrize("raises", [False, True], ids=["ends early", "takes all back"])
def test_a_running_job_is_cancelled_at_its_next_safe_point(
    acme: TenantRef, anna: Actor, raises: bool
) -> None:
    @queue.task("test.patient")
    def patient(handle: Handle) -> dict[str, int]:
        ledger.record("test.marked", by=handle.by, target="mark:cancel")
        pulse.side.call(lambda: work.cancel(handle.id, by=SYSTEM))
        assert handle.cancelled()
        if raises:
            raise runner.Cancelled("on request")
        return {"kept": 1}

    before = marks(acme, "mark:cancel")
    job_id = ask(acme, "test.patient", by=anna)
    run_all()
    assert job(job_id).state == "cancelled"
    assert job(job_id).result == (None if raises else {"kept": 1})
    assert marks(acme, "mark:cancel") == before + (0 if raises else 1)


def test_retry_runs_once_however_often_it_is_pressed(acme: TenantRef, anna: Actor) -> None:
    ran: list[int] = []

    @queue.task("test.twice", max_attempts=1)
    def twice(handle: Handle) -> None:
        ran.append(1)
        if len(ran) == 1:
            raise OSError("no disk")

    job_id = ask(acme, "test.twice", by=anna)
    run_all()
    assert job(job_id).state == "failed"
    with tenant_scope(acme):
        work.retry(job_id, by=anna)
    with pytest.raises(Conflict, match="Waiting"), tenant_scope(acme):
        work.retry(job_id, by=anna)
    run_all()
    assert (job(job_id).state, len(ran)) == ("done", 2)
    with tenant_scope(acme):
        assert entries.history(f"job:{job_id}")[0].action == "job.retried"
        with pytest.raises(Conflict):
            work.retry(job_id, by=anna)


def test_who_may_change_a_job(acme: TenantRef, globex: TenantRef, anna: Actor) -> None:
    queue.task("test.nothing")(lambda _: None)
    job_id = ask(acme, "test.nothing", by=anna)
    bob = Actor(kind="member", id="bob", label="Bob", tenant_id=acme.id, role="member")
    with pytest.raises(PermissionDenied), tenant_scope(acme):
        work.cancel(job_id, by=bob)
    with pytest.raises(NotFound), tenant_scope(globex):
        work.cancel(job_id, by=SYSTEM)
    with pytest.raises(NotFound), tenant_scope(globex):
        queries.get(job_id)
    with tenant_scope(acme):
        work.cancel(job_id, by=Actor(kind="member", id="boss", label="Boss", tenant_id=acme.id, role="owner"))
    assert job(job_id).state == "cancelled"


def test_a_zombies_effects_are_taken_back(acme: TenantRef) -> None:
    """A worker that slept through its lease finds the job in other hands when it wants to commit."""
    runs: list[int] = []

    @queue.task("test.sleepy")
    def sleepy(handle: Handle) -> None:
        ledger.record("test.marked", by=SYSTEM, target="mark:zombie")
        runs.append(1)
        if len(runs) == 1:
            pulse.side.call(lambda: expire(handle.id))
            pulse.side.call(lambda: None)

    def expire(job_id: UUID) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "UPDATE public.events_job SET lease_until = now() - interval '1 s' WHERE id = %s", [job_id]
            )
            cursor.execute(sweeper.EXPIRED)

    before = marks(acme, "mark:zombie")
    job_id = ask(acme, "test.sleepy")
    runner.run_next()
    assert (job(job_id).state, marks(acme, "mark:zombie")) == ("queued", before)
    run_all()
    assert (job(job_id).state, job(job_id).attempt, len(runs)) == ("done", 2, 2)
    assert marks(acme, "mark:zombie") == before + 1


def test_a_lost_worker_counts_as_an_attempt(acme: TenantRef) -> None:
    """What kills every worker ends as failed, not in a circle."""
    queue.task("test.killer", max_attempts=2)(lambda _: None)
    job_id = ask(acme, "test.killer")
    for state in ("queued", "failed"):
        assert runner.claim(lease=-1.0) is not None
        assert sweeper.sweep() == 1
        assert job(job_id).state == state
    assert job(job_id).error == "The worker was lost during attempt 2."
    assert [(one["state"], one["cause"]) for one in job(job_id).attempts] == [
        ("queued", "The worker was lost during attempt 1."),
        ("failed", "The worker was lost during attempt 2."),
    ]
    with tenant_scope(acme):
        assert [entry.action for entry in entries.history(f"job:{job_id}")] == ["job.failed"]


@pytest.mark.parametrize(
    ("process", "where", "taken_back"),
    [("gone", "here", 1), ("alive", "here", 0), ("gone", "elsewhere", 0)],
)
def test_a_vanished_worker_s_job_is_taken_back_before_its_lease_ends(
    acme: TenantRef, process: str, where: str, taken_back: int
) -> None:
    """Only where the system can know: numbers of another machine's processes mean nothing here."""
    queue.task("test.nothing")(lambda _: None)
    job_id = ask(acme, "test.nothing")
    assert runner.claim(lease=600) is not None
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    pid = {"gone": ended.pid, "alive": os.getpid()}[process]
    worker = f"host:{pid}:{pid}:{history.place() if where == 'here' else 'abcdef012345'}"
    with platform_scope("test"):
        Job.objects.filter(pk=job_id).update(worker=worker)
    assert sweeper.sweep() == taken_back
    assert job(job_id).state == ("queued" if taken_back else "running")


def test_the_history_of_attempts_is_bounded(acme: TenantRef) -> None:
    queue.task("test.killer", max_attempts=1000)(lambda _: None)
    job_id = ask(acme, "test.killer")
    for _ in range(history.KEPT + 3):
        assert runner.claim(lease=-1.0) is not None
        sweeper.sweep()
    numbers = [one["number"] for one in job(job_id).attempts]
    assert numbers == list(range(4, history.KEPT + 4))


def test_a_dead_broker_neither_fails_nor_delays_the_caller(
    acme: TenantRef, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[float] = []

    def dead(*_args: Any, **_more: Any) -> None:
        time.sleep(0.5)
        heard.append(time.monotonic())
        raise ConnectionError("nobody there")

    monkeypatch.setattr("apps.events.jobs.bell.sender.send_task", dead)
    monkeypatch.setattr(bell, "silent", False)
    queue.task("test.nothing")(lambda _: None)
    job_id = ask(acme, "test.nothing")
    returned = time.monotonic()
    while not heard:
        time.sleep(0.01)
    assert returned < heard[0]
    assert run_all() == 1
    assert job(job_id).state == "done"
    while "Nobody hears the bell" not in caplog.text:
        time.sleep(0.01)


def test_the_sweeper_rings_for_what_nobody_heard(acme: TenantRef, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[UUID] = []
    monkeypatch.setattr(bell, "ring", lambda _: None)
    queue.task("test.nothing")(lambda _: None)
    due, later = ask(acme, "test.nothing"), ask(acme, "test.nothing", delay=60)
    monkeypatch.setattr(bell, "ring", rung.append)
    sweeper.sweep()
    assert due in rung
    assert later not in rung


def test_a_resting_job_is_woken_at_its_moment(acme: TenantRef, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[UUID] = []
    queue.task("test.nothing")(lambda _: None)
    job_id = ask(acme, "test.nothing", delay=60)
    monkeypatch.setattr(bell, "ring", rung.append)
    assert job(job_id).asleep
    rest = sweeper.wake_and_ring()
    assert rest is not None
    assert 50 < rest <= 60
    assert rung == []
    make_due(job_id)
    assert sweeper.wake_and_ring() is None
    assert rung == [job_id]
    assert not job(job_id).asleep


def test_jobs_of_later_cost_the_claim_nothing(acme: TenantRef, superuser_url: str) -> None:
    """Whose turn it is costs a few blocks, however many jobs rest; awake before its time, none runs."""
    queue.task("test.nothing")(lambda _: None)
    with tenant_scope(acme):
        for _ in range(2000):
            queue.enqueue("test.nothing", tenant=acme.id, args={}, title="Later", by=SYSTEM, delay=3600)

    def read() -> int:
        plan = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + TURNS
        with psycopg.connect(superuser_url) as admin:
            admin.execute("ANALYZE public.events_job")
            (found,) = admin.execute(plan).fetchone()[0]
        return int(found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"])

    runner.run_next()
    assert read() < 30
    with psycopg.connect(superuser_url) as admin:
        admin.execute("UPDATE public.events_job SET asleep = FALSE")
    assert runner.claim() is None, "awake by mistake, and yet not before its time"


def test_an_idle_worker_asks_in_one_round_trip(acme: TenantRef, globex: TenantRef) -> None:
    queue.task("test.nothing")(lambda _: None)
    assert not anything_due()
    later = ask(acme, "test.nothing", delay=60)
    assert not anything_due(), "it rests"
    make_due(later)
    assert anything_due()
    run_all()
    assert not anything_due()
    ask(globex, "test.nothing")
    assert anything_due(), "whosever it is"
    with pytest.raises(ScopeConflict), tenant_scope(acme):
        anything_due()


def test_arguments_follow_their_schema(acme: TenantRef) -> None:
    schema = {"type": "object", "required": ["count"], "properties": {"count": {"type": "integer"}}}
    queue.task("test.strict", schema=schema)(lambda _, *, count: {"count": count})
    with pytest.raises(Invalid, match=r"test\.strict.*count"):
        ask(acme, "test.strict", args={"count": "three"})
    with pytest.raises(Invalid, match="required"):
        ask(acme, "test.strict")
    job_id = ask(acme, "test.strict", args={"count": 3})
    run_all()
    assert job(job_id).result == {"count": 3}


def test_arguments_of_an_older_shape_are_brought_forward(acme: TenantRef) -> None:
    queue.task("test.shape")(lambda _, *, name: {"name": name})
    job_id = ask(acme, "test.shape", args={"name": "Ada Lovelace"})
    del queue.tasks._values["test.shape"]

    def split(args: dict[str, Any], version: int) -> dict[str, Any]:
        assert version == 1
        first, last = args["name"].split()
        return {"first": first, "last": last}

    queue.task("test.shape", version=2, upgrade=split)(lambda _, *, first, last: {"last": last})
    run_all()
    assert (job(job_id).state, job(job_id).result) == ("done", {"last": "Lovelace"})


def test_a_job_of_a_newer_release_is_put_back_uncounted(acme: TenantRef) -> None:
    queue.task("test.shape", version=2, max_attempts=1)(lambda _: None)
    job_id = ask(acme, "test.shape")
    del queue.tasks._values["test.shape"]
    queue.task("test.shape", max_attempts=1)(lambda _: None)
    for _ in range(3):
        run_all()
        assert (job(job_id).state, job(job_id).attempt, job(job_id).asleep) == ("queued", 0, True)
        make_due(job_id)
    del queue.tasks._values["test.shape"]
    queue.task("test.shape", version=2, max_attempts=1)(lambda _: None)
    run_all()
    assert job(job_id).state == "done"


def test_lists_filter_and_page(acme: TenantRef, globex: TenantRef, anna: Actor) -> None:
    queue.task("test.nothing")(lambda _: None)
    made = [ask(acme, "test.nothing", by=anna) for _ in range(5)]
    foreign = ask(globex, "test.nothing")
    runner.run_next()
    with tenant_scope(acme):
        first = queries.jobs(limit=3)
        second = queries.jobs(limit=3, cursor=first.next)
        assert [view.id for view in (*first.jobs, *second.jobs)] == made[::-1]
        assert second.next is None
        assert first.jobs[0].actor_label == "Anna Adler"
        assert sum(queries.counts().values()) == 5
        assert queries.jobs(tenant_id=globex.id).jobs[0].tenant_id == acme.id
        with pytest.raises(Invalid):
            queries.jobs(state="asleep")
    with platform_scope("test"):
        assert {view.id for view in queries.jobs().jobs} == {*made, foreign}
        assert [view.id for view in queries.jobs(tenant_id=globex.id).jobs] == [foreign]
        assert len(queries.jobs(state="done").jobs) == 1


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(JobState)
    assert MOVES[JobState.DONE] == MOVES[JobState.DISCARDED] == frozenset()
    assert {state for state in JobState if state not in ENDED} == {JobState.QUEUED, JobState.RUNNING}


@pytest.mark.parametrize("through", [None, JobState.QUARANTINED])
def test_what_failed_may_be_put_aside(through: JobState | None) -> None:
    now = through or JobState.FAILED
    assert through is None or may_follow(JobState.FAILED, through)
    assert may_follow(now, JobState.QUEUED)
    assert may_follow(now, JobState.DISCARDED)
    assert not may_follow(JobState.DISCARDED, JobState.QUEUED)
    assert not may_follow(JobState.DONE, JobState.QUARANTINED)


def test_the_command_runs_what_is_due(acme: TenantRef, capsys: pytest.CaptureFixture[str]) -> None:
    queue.task("test.nothing")(lambda _: None)
    job_id = ask(acme, "test.nothing")
    call_command("work", "--once")
    assert capsys.readouterr().out == "1 jobs run.\n"
    assert job(job_id).state == "done"


def test_the_queue_reports_its_lag(acme: TenantRef) -> None:
    queue.task("test.nothing")(lambda _: None)
    job_id = ask(acme, "test.nothing")
    for age, status in ((1, "ok"), (90, "degraded"), (900, "failed")):
        with platform_scope("test"), connections["default"].cursor() as cursor:
            cursor.execute(
                "UPDATE public.events_job SET run_at = now() - %s * interval '1 second' WHERE id = %s",
                [age, job_id],
            )
        found = health.run()["job_queue"]
        assert (found.status, found.figures["jobs_queued"]) == (status, 1)
    assert health.run()["outbox_lag"].status == "ok"


def test_old_jobs_are_forgotten_unless_they_failed(acme: TenantRef) -> None:
    queue.task("test.nothing")(lambda _: None)
    for _ in range(3):
        ask(acme, "test.nothing")
    run_all()
    with platform_scope("test"), connections["default"].cursor() as cursor:
        for number, state in enumerate(("done", "failed"), start=1):
            old = UUID(int=(1 << 80) + number)
            pick = "(SELECT id FROM public.events_job WHERE id > %s LIMIT 1)"
            cursor.execute(
                f"UPDATE public.events_job SET id = %s, state = %s WHERE id = {pick}",
                [old, state, UUID(int=1 << 90)],
            )
    sweeper.sweep()
    with platform_scope("test"):
        assert sorted(view.state for view in queries.jobs().jobs) == ["done", "failed"]


def test_a_handler_that_wants_to_end_the_process_has_failed(acme: TenantRef) -> None:
    @queue.task("test.exit", max_attempts=1)
    def leave(handle: Handle) -> None:
        raise SystemExit(3)

    job_id = ask(acme, "test.exit")
    run_all()
    assert (job(job_id).state, job(job_id).error) == ("failed", "SystemExit: 3")


def test_a_ring_survives_the_loss_of_the_database(acme: TenantRef, superuser_url: str) -> None:
    """The line is cut while the job runs: the attempt has failed, the worker has not, and the next ring works."""

    @queue.task("test.cut", waits=(0.0,))
    def cut(handle: Handle) -> None:
        if handle.attempt == 1:
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                (pid,) = cursor.fetchone()
            with psycopg.connect(superuser_url) as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    app.loader.import_default_modules()
    job_id = ask(acme, "test.cut")
    app.tasks["events.ring"](str(job_id))
    app.tasks["events.ring"](str(job_id))
    assert (job(job_id).state, job(job_id).attempt) == ("done", 2)
    cause = job(job_id).attempts[0]["cause"]
    assert "terminating connection" in cause or "closed" in cause


def test_celery_knows_the_bell_and_the_sweep(acme: TenantRef) -> None:
    queue.task("test.nothing")(lambda _: None)
    job_id = ask(acme, "test.nothing")
    app.loader.import_default_modules()
    assert {"events.ring", "events.sweep"} <= set(app.tasks)
    assert app.conf.beat_schedule["events.sweep"]["schedule"] == 5.0
    assert not app.tasks["events.ring"].acks_late, "a late acknowledgement to a dead broker ends the worker"
    app.tasks["events.ring"](str(job_id))
    assert job(job_id).state == "done"
    app.tasks["events.sweep"]()
