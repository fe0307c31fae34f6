"""Dead letters (R45): why, how often, with what; tried again, edited, set aside, given up; each act once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from apps.audit import queries as book
from apps.audit.sequencer import run_until_empty
from apps.core import queue
from apps.core.actor import SYSTEM, Actor
from apps.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import arguments, letters, queries, replay, runner, sweeper, work
from apps.events.jobs.states import JobState
from tests.events.working import clear, job, run_all

pytestmark = pytest.mark.usefixtures("own_tasks")
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount"],
    "properties": {
        "amount": {"type": "integer", "minimum": 1},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"count": {"type": "integer"}}}},
    },
}


@pytest.fixture(autouse=True)
def empty(acme: TenantRef) -> None:
    clear()


@pytest.fixture
def boss(acme: TenantRef) -> Actor:
    """A manager of acme."""
    return Actor(kind="member", id="0192-boss", label="Bo Boss", tenant_id=acme.id, role="owner")


@pytest.fixture
def done() -> list[tuple[int, str]]:
    """What the task below has done: amounts and who it ran as."""
    return []


@pytest.fixture(autouse=True)
def pay(own_tasks: None, done: list[tuple[int, str]]) -> None:
    """A task that chokes on large amounts."""

    @queue.task("test.pay", max_attempts=2, schema=SCHEMA, waits=(0,))
    def run(handle: queue.JobHandle, *, amount: int, lines: list[Any] | None = None) -> dict[str, Any]:
        handle.log(f"paying {amount}")
        if amount > 100:
            msg = "The bank refuses."
            raise RuntimeError(msg)
        done.append((amount, handle.by.id))
        return {"paid": amount}


def ask(ref: TenantRef, by: Actor, amount: int = 500, **more: Any) -> UUID:
    with tenant_scope(ref):
        return queue.enqueue(
            "test.pay", tenant=ref.id, args={"amount": amount}, title=f"Pay {amount}", by=by, **more
        )


def dead(ref: TenantRef, by: Actor, amount: int = 500) -> UUID:
    """A job that has failed for good."""
    made = ask(ref, by, amount)
    run_all()
    assert job(made).state == "failed"
    return made


def entries(ref: TenantRef, job_id: UUID) -> list[Any]:
    run_until_empty()
    with tenant_scope(ref):
        return list(book.history(f"job:{job_id}"))


def actions(ref: TenantRef, job_id: UUID) -> list[str]:
    return sorted(entry.action for entry in entries(ref, job_id))


def test_a_letter_tells_cause_attempts_arguments_with_their_version_and_stack(
    acme: TenantRef, anna: Actor
) -> None:
    made = dead(acme, anna)
    with tenant_scope(acme):
        letter = queries.get(made)
    assert letter.dead
    assert letter.error == "RuntimeError: The bank refuses."
    assert [item["cause"] for item in letter.attempts] == ["RuntimeError: The bank refuses."] * 2
    assert [item["state"] for item in letter.attempts] == ["queued", "failed"]
    assert all(item["worker"] for item in letter.attempts)
    assert (letter.args, letter.args_version) == ({"amount": 500}, 1)
    assert "raise RuntimeError(msg)" in letter.traceback
    assert "paying 500" in letter.log


def test_edited_and_tried_again_it_runs_once_and_the_original_is_kept(
    acme: TenantRef, anna: Actor, boss: Actor, done: list[Any]
) -> None:
    made = dead(acme, anna)
    with tenant_scope(acme):
        letters.edit_and_retry(made, args={"amount": 50}, by=boss)
    assert job(made).state == "queued"
    run_all()
    assert done == [(50, "0192-boss")]
    with tenant_scope(acme):
        letter = queries.get(made)
    assert (letter.state, letter.args, letter.result) == ("done", {"amount": 50}, {"paid": 50})
    assert [act["act"] for act in letter.acts] == ["edited"]
    assert letter.acts[0]["args"] == {"amount": 500}
    assert letter.acts[0]["version"] == 1
    assert letter.acts[0]["by"]["label"] == "Bo Boss"
    assert (letter.author_id, letter.actor_id) == ("0192-anna", "0192-boss")
    assert [item["state"] for item in letter.attempts] == ["queued", "failed", "done"]
    assert actions(acme, made) == ["job.edited", "job.failed"]
    entry = next(item for item in entries(acme, made) if item.action == "job.edited")
    assert entry.details["changed"] == ["amount"]
    assert "{'amount'" not in str(entry), (
        "the ledger proves which arguments were meant and does not tell them"
    )


def test_the_author_still_sees_what_runs_as_somebody_else(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    made = dead(acme, anna)
    with tenant_scope(acme):
        letters.edit_and_retry(made, args={"amount": 50}, by=boss)
        assert [found.id for found in queries.jobs(author=[anna.id]).jobs] == [made]
        assert [found.id for found in queries.jobs(author=["0192-nobody"]).jobs] == []


def test_an_operator_edits_on_the_authors_behalf(acme: TenantRef, anna: Actor, done: list[Any]) -> None:
    made = dead(acme, anna)
    with platform_scope("test"):
        letters.edit_and_retry(made, args={"amount": 7}, by=Actor("operator", "olga", "Olga"))
    run_all()
    assert done == [(7, "0192-anna")]


@pytest.mark.parametrize(
    ("args", "place"),
    [
        ({"amount": "much"}, "args.amount"),
        ({"amount": 0}, "args.amount"),
        ({}, "args"),
        ({"amount": 5, "tenant_id": "x"}, "args"),
        ({"amount": 5, "lines": [{"count": "two"}]}, "args.lines.0.count"),
    ],
)
def test_arguments_that_the_task_does_not_take_are_refused_by_place(
    acme: TenantRef, anna: Actor, boss: Actor, args: dict[str, Any], place: str
) -> None:
    made = dead(acme, anna)
    with tenant_scope(acme), pytest.raises(Invalid) as refused:
        letters.edit_and_retry(made, args=args, by=boss)
    assert refused.value.code == "ARGS_REFUSED"
    assert [fault.field for fault in refused.value.fields] == [place]
    row = job(made)
    assert (row.state, row.args, row.acts) == ("failed", {"amount": 500}, [])
    assert actions(acme, made) == ["job.failed"]


@pytest.mark.parametrize("args", [{"amount": 1.5}, {"amount": 5, "lines": ["\x00"]}])
def test_what_no_row_can_hold_is_refused(acme: TenantRef, anna: Actor, boss: Actor, args: Any) -> None:
    made = dead(acme, anna)
    with tenant_scope(acme), pytest.raises(Invalid):
        letters.edit_and_retry(made, args=args, by=boss)
    assert job(made).state == "failed"


def test_old_arguments_are_held_against_what_the_task_takes_today(
    acme: TenantRef, anna: Actor, boss: Actor, done: list[Any]
) -> None:
    made = dead(acme, anna, 500)
    del queue.tasks._values["test.pay"]

    @queue.task("test.pay", version=2, schema={"type": "object", "required": ["cents"]})
    def run(handle: queue.JobHandle, *, cents: int) -> dict[str, Any]:
        done.append((cents, handle.by.id))
        return {}

    with tenant_scope(acme), pytest.raises(Conflict) as refused:
        work.retry(made, by=boss)
    assert refused.value.code == "ARGS_REFUSED"
    assert "cents" in refused.value.fields[0].message
    with tenant_scope(acme):
        letters.edit_and_retry(made, args={"cents": 5000}, by=boss)
    assert job(made).args_version == 2
    run_all()
    assert done == [(5000, "0192-boss")]


def test_an_upgrade_brings_old_arguments_into_todays_shape(
    acme: TenantRef, anna: Actor, boss: Actor, done: list[Any]
) -> None:
    made = dead(acme, anna, 500)
    del queue.tasks._values["test.pay"]

    @queue.task(
        "test.pay",
        version=2,
        schema={
            "type": "object",
            "required": ["cents"],
            "additionalProperties": False,
            "properties": {"cents": {}},
        },
        upgrade=lambda args, _version: {"cents": args["amount"] * 100},
    )
    def run(handle: queue.JobHandle, *, cents: int) -> dict[str, Any]:
        done.append((cents, handle.by.id))
        return {}

    with tenant_scope(acme):
        work.retry(made, by=boss)
    run_all()
    assert done == [(50000, "0192-anna")]


def test_arguments_of_a_newer_release_wait_for_it(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    made = dead(acme, anna)
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("UPDATE public.events_job SET args_version = 9 WHERE id = %s", [made])
    with tenant_scope(acme), pytest.raises(Conflict, match="newer release"):
        work.retry(made, by=boss)


def test_a_task_that_is_gone_is_not_tried_again(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    made = dead(acme, anna)
    del queue.tasks._values["test.pay"]
    with tenant_scope(acme), pytest.raises(Conflict, match="No task is registered"):
        work.retry(made, by=boss)
    with tenant_scope(acme):
        letters.discard(made, by=boss)
    assert job(made).state == "discarded"


def test_sealed_arguments_are_edited_by_nobody(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    @queue.task("test.sealed", max_attempts=1, sealed=True)
    def run(_handle: queue.JobHandle, *, to: str) -> dict[str, Any]:
        raise RuntimeError(to)

    with tenant_scope(acme):
        made = queue.enqueue("test.sealed", tenant=acme.id, args={"to": "a@b"}, title="Mail", by=anna)
    run_all()
    for who in (boss, Actor("operator", "olga", "Olga"), SYSTEM):
        with tenant_scope(acme), pytest.raises(PermissionDenied) as refused:
            letters.edit_and_retry(made, args={"to": "thief@b"}, by=who)
        assert refused.value.code == "ARGS_SEALED"
    with tenant_scope(acme):
        work.retry(made, by=boss)
    assert job(made).state == "queued"


# Whoever edits these sends something to somebody, or reads what is not theirs.
DELICATE = {"email", "user_id", "password", "seed", "token", "secret", "envelope", "to"}


def test_tasks_with_delicate_arguments_are_sealed() -> None:
    """A new one fails here until it says `sealed=True`, or calls its argument what it is."""
    open_ones = {
        name: arguments.schema(task)["properties"].keys() & DELICATE
        for name, task in queue.tasks.items()
        if not task.sealed and not name.startswith("test.")
    }
    assert {name: found for name, found in open_ones.items() if found} == {}
    assert letters.is_sealed("identity.mail_reset"), "control"
    assert letters.is_sealed("no.such.task")
    assert not letters.is_sealed("objects.import_check")


def test_quarantine_and_discard_are_for_managers_and_in_the_ledger(
    acme: TenantRef, anna: Actor, boss: Actor
) -> None:
    made = dead(acme, anna)
    for act in (letters.quarantine, letters.discard):
        with tenant_scope(acme), pytest.raises(PermissionDenied):
            act(made, by=anna)
    with tenant_scope(acme), pytest.raises(PermissionDenied):
        letters.edit_and_retry(made, args={"amount": 5}, by=anna)
    with tenant_scope(acme):
        letters.quarantine(made, by=boss, reason="The bank looks into it.")
    assert job(made).state == "quarantined"
    with tenant_scope(acme), pytest.raises(Conflict):
        letters.quarantine(made, by=boss)
    with tenant_scope(acme):
        letters.discard(made, by=boss, reason="Paid by hand.")
    row = job(made)
    assert row.state == "discarded"
    assert [(act["act"], act["reason"]) for act in row.acts] == [
        ("quarantined", "The bank looks into it."),
        ("discarded", "Paid by hand."),
    ]
    for act in (letters.discard, letters.quarantine, work.retry):
        with tenant_scope(acme), pytest.raises(Conflict):
            act(made, by=boss)
    assert actions(acme, made) == ["job.discarded", "job.failed", "job.quarantined"]


def test_a_quarantined_letter_is_tried_again_by_managers_alone(
    acme: TenantRef, anna: Actor, boss: Actor
) -> None:
    made = dead(acme, anna)
    with tenant_scope(acme):
        letters.quarantine(made, by=boss)
    with tenant_scope(acme), pytest.raises(PermissionDenied):
        work.retry(made, by=anna)
    assert job(made).state == "quarantined"
    with tenant_scope(acme):
        work.retry(made, by=boss)
    assert job(made).state == "queued"


def test_control_the_author_tries_a_failed_job_again(acme: TenantRef, anna: Actor) -> None:
    made = dead(acme, anna)
    with tenant_scope(acme):
        work.retry(made, by=anna)
    assert job(made).state == "queued"


@pytest.mark.parametrize("state", ["queued", "done", "cancelled"])
def test_only_dead_letters_are_handled(acme: TenantRef, anna: Actor, boss: Actor, state: str) -> None:
    made = ask(acme, anna, 5)
    if state == "done":
        run_all()
    if state == "cancelled":
        with tenant_scope(acme):
            work.cancel(made, by=anna)
    for act in (letters.quarantine, letters.discard):
        with tenant_scope(acme), pytest.raises(Conflict):
            act(made, by=boss)


def test_another_tenants_letters_do_not_exist(
    acme: TenantRef, globex: TenantRef, anna: Actor, boss: Actor
) -> None:
    made = dead(acme, anna)
    theirs = Actor(kind="member", id="x", label="X", tenant_id=globex.id, role="owner")
    for act in (letters.quarantine, letters.discard, work.retry):
        with tenant_scope(globex), pytest.raises(NotFound):
            act(made, by=theirs)
    with tenant_scope(globex):
        assert queries.jobs(states=["failed"]).jobs == ()
        assert queries.dead_by_task() == []
        with pytest.raises(Conflict):
            replay.replay(replay.Wish(ids=(made,)), by=theirs)
    with tenant_scope(acme):
        assert [count.name for count in queries.dead_by_task()] == ["test.pay"], "control"


def together(number: int, act: Any) -> list[Any]:
    """Do something in so many threads at the same moment; return what came of each."""
    barrier = threading.Barrier(number)

    def one(_index: int) -> Any:
        barrier.wait(20)
        try:
            return act()
        except (Conflict, NotFound) as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def test_pressed_twice_at_the_same_moment_it_runs_once(
    acme: TenantRef, anna: Actor, boss: Actor, done: list[Any]
) -> None:
    made = dead(acme, anna)

    def press() -> str:
        with tenant_scope(acme):
            letters.edit_and_retry(made, args={"amount": 50}, by=boss)
        return "done"

    came = together(8, press)
    assert came.count("done") == 1
    assert all(isinstance(item, Conflict) for item in came if item != "done")
    run_all()
    assert done == [(50, "0192-boss")]
    assert actions(acme, made) == ["job.edited", "job.failed"]


def test_control_without_the_rows_lock_it_is_queued_more_than_once(
    acme: TenantRef, anna: Actor, boss: Actor, monkeypatch: Any
) -> None:
    made = dead(acme, anna)
    barrier = threading.Barrier(4)

    def unlocked(job_id: UUID, by: Actor) -> Any:
        row = job_of(job_id)
        barrier.wait(20)
        return row

    def job_of(job_id: UUID) -> Any:
        from apps.events.models import Job

        return Job.objects.get(pk=job_id)

    monkeypatch.setattr(work, "locked", unlocked)

    def press() -> str:
        with tenant_scope(acme):
            work.retry(made, by=boss)
        return "done"

    assert together(4, press).count("done") > 1


def test_poison_holds_up_nobody(acme: TenantRef, anna: Actor, done: list[Any]) -> None:
    """Between two attempts of the poison all its neighbours have run: it rests, they do not."""
    del queue.tasks._values["test.pay"]
    order: list[int] = []

    @queue.task("test.pay", max_attempts=3, waits=(3600,))
    def run(_handle: queue.JobHandle, *, amount: int) -> dict[str, Any]:
        order.append(amount)
        if amount > 100:
            raise RuntimeError
        return {}

    poison = ask(acme, anna, 500, priority=100)
    for amount in range(1, 51):
        ask(acme, anna, amount)
    assert run_all() == 51
    assert order[0] == 500
    assert sorted(order[1:]) == list(range(1, 51))
    assert job(poison).state == "queued"


def test_acts_are_bounded_and_the_first_arguments_stay(acme: TenantRef, anna: Actor, boss: Actor) -> None:
    made = dead(acme, anna)
    with tenant_scope(acme):
        letters.edit_and_retry(made, args={"amount": 501}, by=boss)
    run_all()
    row = job(made)
    for _ in range(2 * work.KEPT):
        work.note(row, by=boss, act="retried")
    assert len(row.acts) == work.KEPT + 1
    assert row.acts[0]["args"] == {"amount": 500}


def test_the_sweeper_forgets_discarded_letters_and_keeps_dead_ones(
    acme: TenantRef, anna: Actor, boss: Actor
) -> None:
    kept, given_up = dead(acme, anna), dead(acme, anna)
    with tenant_scope(acme):
        letters.discard(given_up, by=boss)
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("SELECT array_agg(id) FROM public.events_job")
        before = set(cursor.fetchone()[0])
        monday = UUID(int=1 << 80)
        cursor.execute("UPDATE public.events_job SET id = %s WHERE id = %s", [monday, given_up])
        cursor.execute("UPDATE public.events_job SET id = %s WHERE id = %s", [UUID(int=2 << 80), kept])
    assert before == {kept, given_up}
    sweeper.sweep()
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("SELECT array_agg(id) FROM public.events_job")
        assert cursor.fetchone()[0] == [UUID(int=2 << 80)]


def test_states_say_what_may_follow() -> None:
    assert set(JobState.values) >= {"quarantined", "discarded"}
    assert runner.run_next() is False
