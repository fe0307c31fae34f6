"""Many dead letters at once (R45): a thousand by one job, at a pace, each once, stopped and gone on after a kill."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from apps.audit import queries as book
from apps.core import queue
from apps.core.actor import Actor
from apps.core.errors import Conflict, Invalid, PermissionDenied, Problem
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import letters, queries, replay, work
from apps.events.jobs.replay import Wish
from tests.events.working import clear, job, run_all

pytestmark = pytest.mark.usefixtures("own_tasks")
COPY = """
INSERT INTO public.events_job (id, tenant_id, name, title, args, actor, state, attempt, max_attempts,
                               error, finished_at, attempts)
SELECT gen_random_uuid(), tenant_id, name, title || ' ' || n, jsonb_build_object('number', n), actor, 'failed', 1,
       max_attempts, error, finished_at, attempts
FROM public.events_job, generate_series(1, %s) n WHERE id = %s
"""
PACE = """
SELECT count(*), extract(epoch FROM max(run_at) - min(run_at))::float8 FROM public.events_job
WHERE name = 'test.note' AND state = 'queued'
"""
broken = threading.Event()


@pytest.fixture(autouse=True)
def empty(acme: TenantRef) -> None:
    clear()
    broken.set()


@pytest.fixture
def boss(acme: TenantRef) -> Actor:
    return Actor(kind="member", id="0192-boss", label="Bo Boss", tenant_id=acme.id, role="owner")


@pytest.fixture(autouse=True)
def noted(own_tasks: None) -> list[int]:
    """A task that fails while `broken` is set; what it has done otherwise."""
    done: list[int] = []

    @queue.task("test.note", max_attempts=1)
    def run(_handle: queue.JobHandle, *, number: int) -> dict[str, Any]:
        if broken.is_set() or number < 0:
            msg = "It is broken."
            raise RuntimeError(msg)
        done.append(number)
        return {}

    return done


def dead(ref: TenantRef, by: Actor, number: int) -> list[UUID]:
    """So many dead letters: one that really failed, and its copies."""
    with tenant_scope(ref):
        first = queue.enqueue("test.note", tenant=ref.id, args={"number": 0}, title="Note", by=by)
    run_all()
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(COPY, [number - 1, first])
        cursor.execute("SELECT id FROM public.events_job WHERE state = 'failed' AND name = 'test.note'")
        return [row[0] for row in cursor.fetchall()]


def mended(*, wake: bool = True) -> None:
    broken.clear()
    if wake:
        awake()


def awake() -> None:
    """Let the resting letters' moments have come."""
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("UPDATE public.events_job SET run_at = clock_timestamp(), asleep = FALSE WHERE asleep")


def states(ref: TenantRef) -> dict[str, int]:
    with tenant_scope(ref):
        return {state: number for state, number in queries.counts().items() if number}


def test_a_thousand_are_queued_at_a_pace_and_each_runs_once(
    acme: TenantRef, anna: Actor, boss: Actor, noted: list[int]
) -> None:
    dead(acme, anna, 1000)
    with tenant_scope(acme):
        assert replay.matching(Wish(name="test.note")) == 1000
        asked = replay.replay(Wish(name="test.note"), by=boss, per_second=5)
    run_all(1)
    row = job(asked)
    assert (row.state, row.result) == ("done", {"queued": 1000, "refused": 0, "seconds": 200})
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(PACE)
        resting, spread = cursor.fetchone()
    assert resting == 1000
    assert spread > 190
    mended(wake=False)
    assert run_all() < 1000, "they rest until their turn"
    awake()
    run_all(2000)
    assert sorted(noted) == list(range(1000))
    assert states(acme) == {"done": 1001}


def test_control_without_a_pace_they_all_run_at_once(
    acme: TenantRef, anna: Actor, boss: Actor, noted: list[int]
) -> None:
    made = dead(acme, anna, 20)
    broken.clear()
    with tenant_scope(acme):
        for letter in made:
            work.retry(letter, by=boss)
    assert run_all() == 20


def test_every_letter_has_its_entry_and_names_the_replay(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    made = dead(acme, anna, 3)
    with tenant_scope(acme):
        asked = replay.replay(Wish(), by=boss)
    run_all(1)
    with tenant_scope(acme):
        found = {item: [entry.action for entry in book.history(f"job:{item}")] for item in made}
        assert [entry.action for entry in book.history(f"job:{asked}")] == ["job.replay_asked"]
    assert all(sorted(set(actions) - {"job.failed"}) == ["job.retried"] for actions in found.values())
    assert all(actions.count("job.retried") == 1 for actions in found.values())
    with tenant_scope(acme):
        acts = [queries.get(item).acts for item in made]
    assert all([act["act"] for act in one] == ["retried"] for one in acts)
    assert all(one[0]["replay"] == str(asked) and one[0]["by"]["id"] == "0192-boss" for one in acts)


def test_what_fails_again_is_not_queued_again_by_the_same_replay(
    acme: TenantRef, anna: Actor, boss: Actor
) -> None:
    dead(acme, anna, 5)
    with tenant_scope(acme):
        asked = replay.replay(Wish(), by=boss, per_second=100)
    run_all(1)
    awake()
    run_all()
    assert states(acme) == {"failed": 5, "done": 1}
    args = job(asked).args
    with tenant_scope(acme):
        again = replay.Wish(args["name"], None, args["lost"])
        assert replay.matching(again) == 5, "control: another replay takes them"
    handle = Handle(acme, boss)
    assert replay.run(handle, **args) == {"queued": 0, "refused": 0, "seconds": 0}


class Handle:
    """A job's handle without a job; stops after so many portions."""

    def __init__(self, ref: TenantRef, by: Actor, portions: int = 1000) -> None:
        self.id, self.tenant_id, self.by = UUID(int=7 << 80), ref.id, by
        self.portions, self.said = portions, 0

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        self.said += 1

    def log(self, text: str) -> None: ...

    def cancelled(self) -> bool:
        self.portions -= 1
        return self.portions < 0


class Killed(BaseException):
    """Ends a handler as a kill does: nothing after it happens."""


def test_killed_it_goes_on_with_those_that_are_still_dead(
    acme: TenantRef, anna: Actor, boss: Actor, noted: list[int], monkeypatch: Any
) -> None:
    dead(acme, anna, 120)
    with tenant_scope(acme):
        asked = replay.replay(Wish(), by=boss, per_second=100)
    args = job(asked).args
    real, calls = work.retry, []

    def dies(*given: Any, **more: Any) -> None:
        calls.append(given)
        if len(calls) == 70:
            raise Killed
        real(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(work, "retry", dies)
        with pytest.raises(Killed):
            replay.run(Handle(acme, boss), **args)
    assert states(acme) == {"failed": 70, "queued": 51}, "whole portions only"
    run_all(1)
    mended()
    run_all(200)
    assert sorted(noted) == list(range(120))


def test_stopped_the_rest_stays_dead(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    dead(acme, anna, 120)
    with tenant_scope(acme):
        asked = replay.replay(Wish(), by=boss)
    done = replay.run(Handle(acme, boss, portions=1), **job(asked).args)
    assert done["queued"] == replay.BATCH
    assert states(acme)["failed"] == 120 - replay.BATCH


def test_what_rests_is_put_back_and_what_has_begun_is_not(
    acme: TenantRef, anna: Actor, boss: Actor, noted: list[int]
) -> None:
    dead(acme, anna, 30)
    with tenant_scope(acme):
        asked = replay.replay(Wish(), by=boss, per_second=1)
    run_all(1)
    mended(wake=False)
    run_all()
    begun = len(noted)
    assert begun >= 1
    with tenant_scope(acme):
        stopped = replay.stop(asked, by=boss)
        assert replay.stop(asked, by=boss) == 0
    assert stopped == 30 - begun
    with tenant_scope(acme):
        letter = queries.jobs(state="failed").jobs[0]
        assert letter.error == "RuntimeError: It is broken."
        assert [act["act"] for act in queries.get(letter.id).acts] == ["retried", "put back"]
        assert replay.matching(Wish()) == stopped


def test_the_next_replay_begins_where_the_last_one_ends(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    dead(acme, anna, 20)
    with tenant_scope(acme):
        replay.replay(Wish(), by=boss, per_second=1)
    run_all(1)
    dead_ids = set(dead(acme, anna, 20))
    with tenant_scope(acme):
        replay.replay(Wish(), by=boss, per_second=1)
    run_all(1)
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT min(run_at) FILTER (WHERE id = ANY(%(late)s)) > max(run_at) FILTER (WHERE id <> ALL(%(late)s))"
            " FROM public.events_job WHERE state = 'queued' AND asleep",
            {"late": list(dead_ids)},
        )
        assert cursor.fetchone()[0]


def test_quarantined_letters_and_those_that_took_their_worker_are_left_out(
    acme: TenantRef, anna: Actor, boss: Actor
) -> None:
    first, second, third = dead(acme, anna, 3)
    with tenant_scope(acme):
        letters.quarantine(first, by=boss)
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(
            "UPDATE public.events_job SET error = 'The worker was lost during attempt 3.' WHERE id = %s",
            [second],
        )
    with tenant_scope(acme):
        assert replay.matching(Wish()) == 1
        assert replay.matching(Wish(lost=True)) == 2, "control"
        replay.replay(Wish(), by=boss)
    run_all(1)
    assert (job(first).state, job(second).state, job(third).state) == ("quarantined", "failed", "queued")


def test_a_letter_that_cannot_be_tried_again_is_told_and_left(
    acme: TenantRef, anna: Actor, boss: Actor
) -> None:
    first, _second = dead(acme, anna, 2)
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("""UPDATE public.events_job SET args = '{"number": "x"}' WHERE id = %s""", [first])
    with tenant_scope(acme):
        asked = replay.replay(Wish(), by=boss)
    run_all(1)
    assert job(asked).result == {"queued": 1, "refused": 1, "seconds": 0}
    assert str(first) in job(asked).log
    assert job(first).state == "failed"


def test_two_at_the_same_moment_are_one(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    dead(acme, anna, 10)
    barrier = threading.Barrier(6)

    def press(_index: int) -> str:
        barrier.wait(20)
        try:
            with tenant_scope(acme):
                replay.replay(Wish(), by=boss)
        except Conflict as refused:
            return refused.code
        finally:
            connections.close_all()
        return "asked"

    with ThreadPoolExecutor(6) as pool:
        came = list(pool.map(press, range(6)))
    assert sorted(came) == ["INVALID_STATE"] * 5 + ["asked"]


def test_only_managers_may_and_only_what_can_be_meant(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    dead(acme, anna, 2)
    with tenant_scope(acme):
        for wrong in (
            lambda: replay.replay(Wish(), by=anna),
            lambda: replay.stop(UUID(int=1), by=anna),
        ):
            with pytest.raises(PermissionDenied):
                wrong()
        for pace in (0, 101):
            with pytest.raises(Invalid):
                replay.replay(Wish(), by=boss, per_second=pace)
        with pytest.raises(Invalid):
            replay.replay(Wish(ids=tuple(UUID(int=n) for n in range(1001))), by=boss)
        with pytest.raises(Problem):
            replay.replay(Wish(name="nothing"), by=boss)


def test_an_operator_replays_one_tenants_letters_or_all(
    acme: TenantRef, globex: TenantRef, anna: Actor, boss: Actor
) -> None:
    ours = dead(acme, anna, 2)
    theirs_by = Actor(kind="member", id="g", label="G", tenant_id=globex.id, role="member")
    theirs = [item for item in dead(globex, theirs_by, 2) if item not in ours]
    olga = Actor("operator", "olga", "Olga")
    with platform_scope("test"):
        assert replay.matching(Wish(), tenant_id=globex.id) == 2
        assert replay.matching(Wish()) == 4
        replay.replay(Wish(), by=olga, tenant_id=globex.id)
    run_all(1)
    assert {job(item).state for item in ours} == {"failed"}
    assert {job(item).state for item in theirs} == {"queued"}
    with platform_scope("test"):
        replay.replay(Wish(), by=olga, per_second=100)
    mended(wake=False)
    run_all()
    awake()
    run_all()
    assert {job(item).state for item in ours} == {"done"}
