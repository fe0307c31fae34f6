"""Dead letters over HTTP: seen and handled by managers alone, each act once, sealed arguments told to nobody."""

from typing import Any

import pytest
from django.db import connections

from apps.core import queue
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import runner
from tests.api.conftest import Caller, caller, make_key
from tests.people import People

pytestmark = pytest.mark.usefixtures("api")
JOBS = "/api/v1/jobs"
LETTERS = f"{JOBS}/dead-letters"
ABSENT = "01a1f900-0000-7000-8000-000000000000"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount"],
    "properties": {"amount": {"type": "integer", "minimum": 1, "maximum": 100}},
}


@pytest.fixture(autouse=True)
def tasks() -> Any:
    """A task that cannot do much, and one whose arguments are nobody's business."""
    before = dict(queue.tasks._values)

    @queue.task("test.pay", max_attempts=2, schema=SCHEMA, waits=(0,))
    def pay(handle: queue.JobHandle, *, amount: int) -> dict[str, Any]:
        handle.log(f"paying {amount}")
        if amount == 13:
            msg = "The bank refuses."
            raise RuntimeError(msg)
        return {"paid": amount}

    @queue.task("test.hush", max_attempts=1, sealed=True)
    def hush(_handle: queue.JobHandle, *, to: str) -> dict[str, Any]:
        raise RuntimeError

    yield
    queue.tasks._values.clear()
    queue.tasks._values.update(before)


@pytest.fixture(autouse=True)
def nothing_before(acme: TenantRef) -> None:
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM public.events_job")


def work() -> None:
    while runner.run_next():
        pass


def dead(people: People, name: str = "sales", task: str = "test.pay", args: Any = None) -> str:
    ref = people.tenants["acme"]
    with tenant_scope(ref):
        made = queue.enqueue(
            task, tenant=ref.id, args=args or {"amount": 13}, title=f"{task} of {name}", by=people.actor(name)
        )
    work()
    return str(made)


def test_managers_see_all_of_a_letter(owner: Caller, people: People) -> None:
    made = dead(people)
    page = owner.get(LETTERS).json()
    assert [letter["id"] for letter in page["letters"]] == [made]
    assert [(item["name"], item["failed"], item["quarantined"]) for item in page["byTask"]] == [
        ("test.pay", 1, 0)
    ]
    assert page["nextCursor"] is None
    letter = owner.get(f"{LETTERS}/{made}").json()
    assert (letter["args"], letter["argsVersion"], letter["taskVersion"]) == ({"amount": 13}, 1, 1)
    assert letter["schema"] == SCHEMA
    assert letter["faults"] == []
    assert letter["retriable"] is True
    assert [item["cause"] for item in letter["attempts"]] == ["RuntimeError: The bank refuses."] * 2
    assert "raise RuntimeError(msg)" in letter["traceback"]
    assert letter["log"].count("paying 13") == 2


def test_members_see_their_job_and_no_letter(sales: Caller, people: People) -> None:
    made = dead(people, "sales")
    for path in (LETTERS, f"{LETTERS}/{made}"):
        assert sales.get(path).json()["code"] == "PERMISSION_DENIED"
    for act in ("retry", "quarantine", "discard"):
        assert sales.post(f"{LETTERS}/{made}/{act}").status_code == 403
    assert sales.post(f"{LETTERS}/replay", {}).status_code == 403
    assert sales.get(f"{JOBS}/{made}").json()["status"] == "failed", "control: the job is theirs"
    assert "paying 13" in sales.get(f"{JOBS}/{made}/log").json()["log"]
    assert b"Traceback" not in sales.get(f"{JOBS}/{made}").content


def test_a_key_without_the_ledgers_scope_reads_no_letter(people: People, acme: TenantRef) -> None:
    made = dead(people)
    narrow = caller("acme", make_key(acme, people.actor("owner"), ("data:write",)))
    wide = caller("acme", make_key(acme, people.actor("owner"), ("audit:read", "data:write")))
    assert narrow.get(f"{LETTERS}/{made}").status_code == 403
    assert narrow.post(f"{LETTERS}/{made}/retry").status_code == 403
    assert wide.get(f"{LETTERS}/{made}").status_code == 200, "control"


def test_edit_and_retry(owner: Caller, people: People) -> None:
    made = dead(people)
    wrong = owner.post(f"{LETTERS}/{made}/retry", {"args": {"amount": 1000}})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "ARGS_REFUSED")
    assert wrong.json()["fields"][0]["field"] == "args.amount"
    assert owner.post(f"{LETTERS}/{made}/retry", {"args": 5}).status_code == 400
    assert owner.post(f"{LETTERS}/{made}/retry", {"arguments": {}}).status_code == 400
    answer = owner.post(f"{LETTERS}/{made}/retry", {"args": {"amount": 7}})
    assert answer.json() == {"success": True, "id": made}
    assert owner.post(f"{LETTERS}/{made}/retry", {"args": {"amount": 8}}).json()["code"] == "INVALID_STATE"
    work()
    assert owner.get(f"{JOBS}/{made}").json()["result"] == {"paid": 7}
    letter = owner.get(f"{LETTERS}/{made}").json()
    assert [(act["act"], act["args"]) for act in letter["acts"]] == [("edited", {"amount": 13})]
    assert owner.get(LETTERS).json()["letters"] == []


def test_a_retry_with_a_key_is_one_retry(owner: Caller, people: People) -> None:
    made = dead(people)
    key = {"HTTP_IDEMPOTENCY_KEY": "retry-1"}
    first = owner.post(f"{LETTERS}/{made}/retry", {"args": {"amount": 7}}, **key)
    second = owner.post(f"{LETTERS}/{made}/retry", {"args": {"amount": 7}}, **key)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second["Idempotency-Replayed"] == "true"
    work()
    assert owner.get(f"{JOBS}/{made}").json()["attempt"] == 1


def test_quarantine_discard_and_filters(owner: Caller, people: People) -> None:
    first, second = dead(people), dead(people, "owner")
    assert owner.post(f"{LETTERS}/{first}/quarantine", {"reason": "Ask the bank"}).status_code == 200
    assert [item["id"] for item in owner.get(f"{LETTERS}?status=quarantined").json()["letters"]] == [first]
    assert [item["id"] for item in owner.get(f"{LETTERS}?status=failed").json()["letters"]] == [second]
    assert len(owner.get(f"{LETTERS}?search=refuses").json()["letters"]) == 2
    assert owner.get(f"{LETTERS}?search=%25%25").json()["letters"] == []
    assert owner.get(f"{LETTERS}?name=other").json()["letters"] == []
    assert owner.post(f"{LETTERS}/{first}/quarantine").json()["code"] == "INVALID_STATE"
    assert owner.post(f"{LETTERS}/{first}/discard").status_code == 200
    assert owner.get(f"{JOBS}/{first}").json()["status"] == "discarded"
    assert [item["id"] for item in owner.get(LETTERS).json()["letters"]] == [second]
    assert owner.post(f"{LETTERS}/{second}/discard", {"reason": "x" * 501}).status_code == 400
    assert owner.post(f"{LETTERS}/{second}/discard", {"reason": 5}).status_code == 400


@pytest.mark.parametrize("query", ["status=done", "status=nope", "limit=0", "cursor=x"])
def test_what_cannot_be_meant_is_refused(owner: Caller, query: str) -> None:
    assert owner.get(f"{LETTERS}?{query}").status_code == 400


@pytest.mark.parametrize(
    "body", [{"ids": []}, {"ids": "x"}, {"perSecond": 0}, {"perSecond": "1"}, {"includeLost": 1}, {"nope": 1}]
)
def test_a_replay_that_cannot_be_meant_is_refused(owner: Caller, people: People, body: Any) -> None:
    dead(people)
    assert owner.post(f"{LETTERS}/replay", body).status_code == 400


def test_replay_and_stop(owner: Caller, people: People) -> None:
    made = [dead(people) for _ in range(3)]
    asked = owner.post(f"{LETTERS}/replay", {"name": "test.pay", "perSecond": 1})
    assert asked.status_code == 202
    assert asked.json()["letters"] == 3
    where = asked.json()["job"]
    assert owner.post(f"{LETTERS}/replay", {}).json()["code"] == "INVALID_STATE"
    assert runner.run_next()
    assert owner.get(f"{JOBS}/{where}").json()["result"]["queued"] == 3
    stopped = owner.post(f"{LETTERS}/replay/{where}/stop").json()
    assert stopped["putBack"] == 2, "the first was due at once"
    assert owner.post(f"{LETTERS}/replay/{made[0]}/stop").status_code == 404
    assert owner.post(f"{LETTERS}/replay", {"ids": [ABSENT]}).json()["code"] == "INVALID_STATE"


def test_sealed_arguments_are_told_to_nobody(owner: Caller, people: People) -> None:
    made = dead(people, task="test.hush", args={"to": "CANARY@mail.test"})
    answer = owner.get(f"{LETTERS}/{made}")
    assert answer.json()["sealed"] is True
    assert answer.json()["args"] is None
    assert b"CANARY" not in answer.content
    refused = owner.post(f"{LETTERS}/{made}/retry", {"args": {"to": "thief@mail.test"}})
    assert (refused.status_code, refused.json()["code"]) == (403, "ARGS_SEALED")
    assert owner.post(f"{LETTERS}/{made}/retry").status_code == 200


def test_control_open_arguments_are_told(owner: Caller, people: People) -> None:
    made = dead(people)
    assert owner.get(f"{LETTERS}/{made}").json()["args"] == {"amount": 13}


def test_another_tenants_letter_is_an_absent_letter(keys: Any, people: People, globex: TenantRef) -> None:
    made = dead(people)
    stranger = caller("globex", keys["owner@globex"])
    assert stranger.get(LETTERS).json()["letters"] == []
    for method, path in (("GET", ""), ("POST", "/retry"), ("POST", "/quarantine"), ("POST", "/discard")):
        foreign = stranger.send(method, f"{LETTERS}/{made}{path}")
        absent = stranger.send(method, f"{LETTERS}/{ABSENT}{path}")
        assert foreign.status_code == absent.status_code == 404
        assert foreign.json()["message"] == absent.json()["message"]
    assert stranger.post(f"{LETTERS}/replay", {"ids": [made]}).status_code == 409


def test_a_job_that_is_no_letter_is_absent_here(owner: Caller, people: People) -> None:
    made = dead(people, args={"amount": 5})
    assert owner.get(f"{JOBS}/{made}").json()["status"] == "done"
    assert owner.get(f"{LETTERS}/{made}").status_code == 404


def test_a_members_page_is_full_though_others_have_newer_jobs(sales: Caller, people: People) -> None:
    mine = [dead(people, "sales", args={"amount": n}) for n in (1, 2)]
    for number in (3, 4, 5):
        dead(people, "owner", args={"amount": number})
    page = sales.get(f"{JOBS}?limit=1").json()
    assert [job["id"] for job in page["jobs"]] == [mine[1]]
    rest = sales.get(f"{JOBS}?limit=1&cursor={page['nextCursor']}").json()
    assert ([job["id"] for job in rest["jobs"]], rest["nextCursor"]) == ([mine[0]], None)
