"""The pages of jobs and dead letters: whose they are, what they say, and what their buttons do."""

import json
from typing import Any

import pytest
from django.db import connections

from apps.audit import queries as ledger
from apps.core import queue
from apps.core.scope import platform_scope, tenant_scope
from apps.events.jobs import queries, runner
from tests.portal.atelier import Atelier

LETTERS = "/settings/dead-letters"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount"],
    "properties": {
        "amount": {"type": "integer", "minimum": 1, "maximum": 100, "description": "How many."},
        "note": {"type": ["string", "null"]},
    },
}


@pytest.fixture(autouse=True)
def tasks(atelier: Atelier) -> Any:
    """A task that chokes on thirteen, a sealed one that always does, and no jobs of earlier tests."""
    before = dict(queue.tasks._values)
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM public.events_job")

    @queue.task("test.pay", max_attempts=2, schema=SCHEMA, waits=(0,))
    def pay(handle: queue.JobHandle, *, amount: int, note: str | None = None) -> dict[str, Any]:
        handle.log(f"paying {amount}")
        if amount == 13:
            msg = "The bank refuses <b>13</b>."
            raise RuntimeError(msg)
        return {"paid": amount}

    @queue.task("test.hush", max_attempts=1, sealed=True)
    def hush(_handle: queue.JobHandle, *, to: str) -> dict[str, Any]:
        raise RuntimeError

    yield
    queue.tasks._values.clear()
    queue.tasks._values.update(before)


def work() -> None:
    while runner.run_next():
        pass


def dead(
    atelier: Atelier, name: str = "sales", task: str = "test.pay", args: Any = None, run: bool = True
) -> str:
    with tenant_scope(atelier.ref):
        made = queue.enqueue(
            task,
            tenant=atelier.ref.id,
            args=args or {"amount": 13},
            title=f"Pay for {name}",
            by=atelier.actor(name),
        )
    if run:
        work()
    return str(made)


def state(atelier: Atelier, job: str) -> str:
    with tenant_scope(atelier.ref):
        return next(item.state for item in queries.jobs().jobs if str(item.id) == job)


def test_the_list_is_filtered_and_a_members_own(atelier: Atelier) -> None:
    dead(atelier, "sales")
    dead(atelier, "manager", args={"amount": 5})
    owner, sales = atelier.client("owner"), atelier.client("sales")
    both = owner.get("/settings/jobs").content.decode()
    assert "Pay for sales" in both and "Pay for manager" in both
    mine = sales.get("/settings/jobs").content.decode()
    assert "Pay for sales" in mine and "Pay for manager" not in mine
    assert "Only mine" not in mine
    for query, seen, unseen in (
        ("state=failed", "sales", "manager"),
        ("state=done", "manager", "sales"),
        ("q=refuses", "sales", "manager"),
        ("task=test.pay&q=manager", "manager", "sales"),
    ):
        text = owner.get(f"/settings/jobs?{query}").content.decode()
        assert f"Pay for {seen}" in text, query
        assert f"Pay for {unseen}" not in text, query
    assert "Nothing matches" in owner.get("/settings/jobs?mine=1").content.decode()
    assert "Nothing matches" in owner.get("/settings/jobs?q=%25%25").content.decode()
    assert owner.get("/settings/jobs?cursor=x").status_code == 400


def test_a_waiting_list_keeps_itself_fresh(atelier: Atelier) -> None:
    dead(atelier, run=False)
    owner = atelier.client("owner")
    assert 'hx-trigger="every 3s"' in owner.get("/settings/jobs").content.decode()
    part = owner.get("/settings/jobs", headers={"hx-request": "true", "hx-target": "jobs"}).content.decode()
    assert part.lstrip().startswith('<div id="jobs"')
    work()
    assert "every 3s" not in owner.get("/settings/jobs").content.decode()


def test_a_failed_job_shows_its_attempts_and_its_author_may_try_again(atelier: Atelier) -> None:
    made = dead(atelier, "sales")
    sales = atelier.client("sales")
    text = sales.get(f"/jobs/{made}").content.decode()
    assert "The bank refuses &lt;b&gt;13" in text
    assert "2 of 2" in text and "paying 13" in text
    assert "Try again" in text and "Dead letter" not in text
    assert atelier.client("reader").get(f"/jobs/{made}").status_code == 404
    assert atelier.client("reader").post(f"/jobs/{made}/retry").status_code == 404
    assert sales.post(f"/jobs/{made}/retry")["Location"] == f"/jobs/{made}"
    assert state(atelier, made) == "queued"
    assert "Dead letter" not in atelier.client("owner").get(f"/jobs/{made}").content.decode()
    work()
    assert f"{LETTERS}/{made}" in atelier.client("owner").get(f"/jobs/{made}").content.decode()


def test_an_ended_job_is_shown_anew_as_a_whole(atelier: Atelier) -> None:
    made = dead(atelier, run=False)
    sales = atelier.client("sales")
    assert "HX-Refresh" not in sales.get(f"/jobs/{made}/fragment").headers
    work()
    answer = sales.get(f"/jobs/{made}/fragment")
    assert (answer.status_code, answer["HX-Refresh"]) == (286, "true")


def test_dead_letters_are_for_owners_and_administrators(atelier: Atelier) -> None:
    made = dead(atelier)
    for name in ("sales", "manager", "nobody"):
        member = atelier.client(name)
        for path in (LETTERS, f"{LETTERS}/{made}", f"{LETTERS}/{made}/edit", f"{LETTERS}/replay"):
            assert member.get(path).status_code == 403
        for path in (
            f"{LETTERS}/{made}/retry",
            f"{LETTERS}/{made}/edit",
            f"{LETTERS}/{made}/discard",
            f"{LETTERS}/ticked",
            f"{LETTERS}/replay",
        ):
            assert member.post(path, {"args": "{}", "ids": [made], "act": "discard"}).status_code == 403
        assert "Dead letters" not in member.get("/settings/jobs").content.decode()
    assert state(atelier, made) == "failed"
    for name in ("owner", "admin"):
        assert atelier.client(name).get(LETTERS).status_code == 200, "control"
    assert atelier.client("owner").get(f"{LETTERS}/{atelier.ids['owner']}").status_code == 404


def test_the_letter_tells_everything(atelier: Atelier) -> None:
    made = dead(atelier)
    owner = atelier.client("owner")
    text = owner.get(LETTERS).content.decode()
    assert "test.pay" in text and "Pay for sales" in text and "Replay all" in text
    text = owner.get(f"{LETTERS}/{made}").content.decode()
    for word in (
        "The bank refuses",
        "Stack for developers",
        "&quot;amount&quot;: 13",
        "version 1",
        "paying 13",
    ):
        assert word in text
    assert "Nobody has touched it yet." in text
    assert f"target=job:{made}" in text


def test_edit_and_try_again(atelier: Atelier) -> None:
    made = dead(atelier)
    owner, path = atelier.client("owner"), f"{LETTERS}/{made}/edit"
    text = owner.get(path).content.decode()
    assert "whole number ≥ 1 ≤ 100" in text and "How many." in text and "required" in text
    for wrong, said in (
        ("{", "This is not JSON: line 1"),
        ("[1]", "by name"),
        ('{"amount": 1000}', "args.amount"),
        ('{"amount": 1.5}', "fraction"),
        ("[" * 100_000, "nested too deeply"),
    ):
        answer = owner.post(path, {"args": wrong})
        assert (answer.status_code, said in answer.content.decode()) == (400, True), wrong
    assert state(atelier, made) == "failed"
    answer = owner.post(path, {"args": json.dumps({"amount": 7})})
    assert answer["Location"] == f"/jobs/{made}"
    assert owner.post(path, {"args": '{"amount": 8}'})["Location"] == f"{LETTERS}/{made}"
    work()
    assert state(atelier, made) == "done"
    text = owner.get(f"{LETTERS}/{made}").content.decode()
    assert "Edited and tried again" in text and "Olivia Owner" in text
    assert text.count("&quot;amount&quot;: 13") == 1, "the arguments of before are kept"
    assert "Pay for sales" in atelier.client("sales").get(f"/jobs/{made}").content.decode(), (
        "the author sees it"
    )


def test_sealed_arguments_stay_inside(atelier: Atelier) -> None:
    made = dead(atelier, task="test.hush", args={"to": "CANARY"})
    owner = atelier.client("owner")
    text = owner.get(f"{LETTERS}/{made}").content.decode()
    assert "They are sealed" in text and "CANARY" not in text and "/edit" not in text
    assert owner.get(f"{LETTERS}/{made}/edit").status_code == 302
    assert owner.post(f"{LETTERS}/{made}/edit", {"args": '{"to": "me"}'}).status_code == 302
    assert state(atelier, made) == "failed"


def test_quarantine_and_discard_ask_first(atelier: Atelier) -> None:
    made = dead(atelier)
    owner = atelier.client("owner")
    assert "Quarantine “Pay for sales”?" in owner.get(f"{LETTERS}/{made}/quarantine").content.decode()
    assert state(atelier, made) == "failed"
    assert owner.post(f"{LETTERS}/{made}/quarantine", {"reason": "Ask the bank"}).status_code == 302
    assert state(atelier, made) == "quarantined"
    assert "Ask the bank" in owner.get(f"{LETTERS}/{made}").content.decode()
    assert "will not be tried again" in owner.get(f"{LETTERS}/{made}/discard").content.decode()
    assert owner.post(f"{LETTERS}/{made}/discard", {"reason": "Paid"}).status_code == 302
    assert state(atelier, made) == "discarded"
    assert owner.get(f"{LETTERS}/{made}/burn").status_code == 404
    page = owner.post(f"{LETTERS}/{made}/discard", follow=True).content.decode()
    assert "cannot become" in page
    assert "No dead letters" in owner.get(LETTERS).content.decode()


def test_ticked_letters(atelier: Atelier) -> None:
    first, second, third = (dead(atelier) for _ in range(3))
    owner = atelier.client("owner")
    owner.post(f"{LETTERS}/ticked", {"ids": [first, second], "act": "quarantine"})
    assert [state(atelier, job) for job in (first, second, third)] == ["quarantined", "quarantined", "failed"]
    page = owner.post(f"{LETTERS}/ticked", {"ids": [first, third], "act": "quarantine"}, follow=True)
    assert "1 job was left as it is." in page.content.decode()
    owner.post(f"{LETTERS}/ticked", {"ids": [first], "act": "discard"})
    assert state(atelier, first) == "discarded"
    assert (
        "Tick the jobs first."
        in owner.post(f"{LETTERS}/ticked", {"act": "discard"}, follow=True).content.decode()
    )
    assert owner.post(f"{LETTERS}/ticked", {"ids": ["x"], "act": "discard"}).status_code == 404


def test_a_replay_says_how_many_and_how_fast_and_can_be_stopped(atelier: Atelier) -> None:
    made = [dead(atelier) for _ in range(3)]
    owner = atelier.client("owner")
    text = owner.get(f"{LETTERS}/replay?task=test.pay").content.decode()
    assert "3 jobs are queued again" in text
    answer = owner.post(f"{LETTERS}/replay", {"task": "test.pay", "pace": "1"})
    where = answer["Location"]
    assert where.startswith("/jobs/")
    assert owner.post(f"{LETTERS}/replay", {"task": "test.pay"}).status_code == 409
    assert runner.run_next()
    page = owner.get(where).content.decode()
    assert "Stop the replay" in page
    assert {state(atelier, job) for job in made} == {"queued"}
    owner.post(f"{where}/put-back")
    assert sorted(state(atelier, job) for job in made) == ["failed", "failed", "queued"]
    assert "Put back" in owner.get(f"{LETTERS}/{made[2]}").content.decode()
    assert "Nothing to replay" in owner.get(f"{LETTERS}/replay?task=nothing").content.decode()
    assert atelier.client("sales").post(f"{where}/put-back").status_code == 404


def test_another_tenants_letters_do_not_exist(atelier: Atelier) -> None:
    from tests.portal.atelier import make_atelier

    made = dead(atelier)
    stranger = make_atelier("elsewhere").client("owner")
    assert "Pay for sales" not in stranger.get(LETTERS).content.decode()
    for path in ("", "/edit", "/discard"):
        assert stranger.get(f"{LETTERS}/{made}{path}").status_code == 404
    assert stranger.post(f"{LETTERS}/{made}/retry").status_code == 404
    assert stranger.post(f"/jobs/{made}/retry").status_code == 404
    stranger.post(f"{LETTERS}/ticked", {"ids": [made], "act": "discard"})
    assert state(atelier, made) == "failed"


def test_a_waiting_job_is_stopped_and_a_dead_one_queued_again_each_with_its_entry(atelier: Atelier) -> None:
    waiting = dead(atelier, "owner", run=False)
    assert atelier.client("owner").post(f"/jobs/{waiting}/cancel").status_code == 302
    letter = dead(atelier, "owner")
    assert atelier.client("owner").post(f"{LETTERS}/{letter}/retry").status_code == 302
    with tenant_scope(atelier.ref):
        (stopped,), (again,) = ledger.history(f"job:{waiting}"), ledger.history(f"job:{letter}", limit=1)
    assert [entry.actor.label for entry in (stopped, again)] == ["Olivia Owner"] * 2
