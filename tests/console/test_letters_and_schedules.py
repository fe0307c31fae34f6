"""Dead letters and schedules of all tenants at the console: who sees what, and what the buttons do."""

import json
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from apps.core import queue
from apps.core.scope import platform_scope, tenant_scope
from apps.events.jobs import replay
from apps.events.models import Job, Schedule
from apps.events.schedules import standing
from tests.console.conftest import change_page, deed_page
from tests.people import People

JOB, SCHEDULE = "events/job", "events/schedule"


@pytest.fixture(autouse=True)
def tasks(people: People) -> Any:
    """Tasks that fail: one of the product's own areas, one of a tenant's records, one sealed."""
    before = dict(queue.tasks._values)
    with platform_scope("tests of the console"), connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM public.events_job")
        cursor.execute("DELETE FROM public.events_schedule")

    def choke(handle: queue.JobHandle, *, amount: int) -> dict[str, Any]:
        if amount == 13:
            msg = f"It chokes on {amount}."
            raise RuntimeError(msg)
        return {"paid": amount}

    queue.task("tenants.test_pay", max_attempts=1, tenant="optional")(choke)
    queue.task("records.test_pay", max_attempts=1)(choke)
    queue.task("identity.test_mail", max_attempts=1, sealed=True)(choke)
    yield
    queue.tasks._values.clear()
    queue.tasks._values.update(before)


def dead(people: People, work: Any, tenant: str | None = "acme", task: str = "tenants.test_pay") -> Job:
    ref = people.tenants[tenant] if tenant else None
    by = people.actor("sales", tenant) if tenant else people.operator()
    with tenant_scope(ref) if ref else platform_scope("tests of the console"):
        made = queue.enqueue(
            task, tenant=ref.id if ref else None, args={"amount": 13}, title=f"{task} of {tenant}", by=by
        )
    work()
    return row(made)


def row(job_id: Any) -> Job:
    with platform_scope("tests of the console"):
        return Job.objects.get(pk=job_id)


def test_the_page_counts_by_tenant_and_task(
    superuser: Client, scoped: Client, people: People, work: Any
) -> None:
    assert "No dead letters" in superuser.get("/console/dead-letters/").content.decode()
    dead(people, work)
    dead(people, work, "globex")
    dead(people, work, None)
    text = superuser.get("/console/dead-letters/").content.decode()
    for word in (
        "tenants.test_pay of acme",
        "tenants.test_pay of globex",
        "tenants.test_pay of None",
        "Replay many",
    ):
        assert word in text
    narrow = scoped.get("/console/dead-letters/").content.decode()
    assert "of acme" in narrow
    assert "of globex" not in narrow and "of None" not in narrow
    listed = superuser.get(
        f"/console/{JOB}/?tenant={people.tenants['acme'].id}&name=tenants.test_pay&state__in=failed,quarantined"
    )
    assert "of acme" in listed.content.decode() and "of globex" not in listed.content.decode()


def test_a_letter_is_edited_and_runs(superuser: Client, people: People, work: Any, entries: Any) -> None:
    job = dead(people, work)
    page = superuser.get(change_page(JOB, job.pk)).content.decode()
    assert "It chokes on 13." in page and "&quot;amount&quot;: 13" in page and "Attempts" in page
    where = deed_page(JOB, job.pk, "edit")
    assert "tenants.test_pay takes: amount" in superuser.get(where).content.decode()
    for wrong in ("{", "[1]", '{"amount": "x"}', '{"amount": 1.5}'):
        answer = superuser.post(where, {"args": wrong})
        assert answer.status_code == 200 and answer.context["form"].errors, wrong
    assert row(job.pk).state == "failed"
    assert superuser.post(where, {"args": '{"amount": 7}'}).status_code == 302
    work()
    done = row(job.pk)
    assert (done.state, done.result) == ("done", {"paid": 7})
    assert done.actor["label"] == "Sales Acme", "an operator acts on the author's behalf"
    assert superuser.get(where).status_code == 404
    page = superuser.get(change_page(JOB, job.pk)).content.decode()
    assert "Edited and tried again" in page and "&quot;before&quot;" in page
    actions = [entry.action for entry in entries(people.tenants["acme"], target=f"job:{job.pk}")]
    assert sorted(actions) == ["job.edited", "job.failed"]


def test_arguments_of_tenants_records_and_sealed_ones_are_not_for_operators(
    superuser: Client, people: People, work: Any
) -> None:
    for task in ("records.test_pay", "identity.test_mail"):
        job = dead(people, work, task=task)
        page = superuser.get(change_page(JOB, job.pk)).content.decode()
        assert "&quot;amount&quot;" not in page
        assert superuser.get(deed_page(JOB, job.pk, "edit")).status_code == 404
        assert superuser.post(deed_page(JOB, job.pk, "edit"), {"args": '{"amount": 1}'}).status_code == 404
        assert row(job.pk).state == "failed"
        assert superuser.post(deed_page(JOB, job.pk, "retry")).status_code == 302
    page = superuser.get(change_page(JOB, dead(people, work, task="records.test_pay").pk)).content.decode()
    assert "It chokes" not in page, "neither is the cause"


def test_quarantine_discard_and_a_refused_retry(superuser: Client, people: People, work: Any) -> None:
    job = dead(people, work)
    assert superuser.post(deed_page(JOB, job.pk, "quarantine"), {"reason": "Look first"}).status_code == 302
    assert row(job.pk).state == "quarantined"
    assert "Look first" in superuser.get(change_page(JOB, job.pk)).content.decode()
    del queue.tasks._values["tenants.test_pay"]
    assert superuser.get(deed_page(JOB, job.pk, "retry")).status_code == 409
    assert superuser.post(deed_page(JOB, job.pk, "discard"), {"reason": ""}).status_code == 302
    assert row(job.pk).state == "discarded"
    assert "It was given up." in superuser.get(change_page(JOB, job.pk)).content.decode()


def test_letters_of_others_do_not_exist(scoped: Client, superuser: Client, people: People, work: Any) -> None:
    for tenant in ("globex", None):
        job = dead(people, work, tenant)
        for deed in ("retry", "edit", "quarantine", "discard"):
            sent = {"args": '{"amount": 1}', "reason": "x"}
            assert scoped.post(deed_page(JOB, job.pk, deed), sent).status_code == 404
        assert row(job.pk).state == "failed"
    assert scoped.post(deed_page(JOB, dead(people, work).pk, "discard"), {"reason": ""}).status_code == 302, (
        "control"
    )


def test_replay_of_one_tenant_of_all_and_back(superuser: Client, people: People, work: Any) -> None:
    ours, theirs = dead(people, work), dead(people, work, "globex")
    page = superuser.get("/console/dead-letters/replay/").content.decode()
    assert "Jobs a second" in page
    answer = superuser.post(
        "/console/dead-letters/replay/",
        {"tenant": str(people.tenants["globex"].id), "task": "tenants.test_pay", "pace": "1"},
    )
    assert answer.status_code == 302, answer.context["form"].errors
    with platform_scope("tests of the console"):
        job = Job.objects.get(name=replay.TASK)
    work()
    assert (row(ours.pk).attempt, row(theirs.pk).state) == (1, "failed")
    assert len(row(theirs.pk).attempts) == 2
    assert superuser.post(deed_page(JOB, job.pk, "put-back")).status_code == 302
    answer = superuser.post("/console/dead-letters/replay/", {"tenant": "", "task": "", "pace": "100"})
    assert answer.status_code == 302, answer.context["form"].errors
    work()
    assert len(row(ours.pk).attempts) == 2


def test_an_operator_of_one_tenant_replays_that_one(scoped: Client, people: People, work: Any) -> None:
    dead(people, work), dead(people, work, "globex")
    for tenant in ("", str(people.tenants["globex"].id)):
        answer = scoped.post("/console/dead-letters/replay/", {"tenant": tenant, "task": "", "pace": "10"})
        assert answer.status_code == 200 and answer.context["form"].errors
    answer = scoped.post(
        "/console/dead-letters/replay/", {"tenant": str(people.tenants["acme"].id), "task": "", "pace": "10"}
    )
    assert answer.status_code == 302, "control"


def schedule(superuser: Client, people: People, **changed: Any) -> Any:
    sent = {
        "tenant": str(people.tenants["acme"].id),
        "task": "tenants.test_pay",
        "title": "Nightly payment",
        "kind": "cron",
        "cron": "0 7 * * MON-FRI",
        "every": "",
        "at": "",
        "time_zone": "Europe/Berlin",
        "missed": "once",
        "overlap": "skip",
        "priority": "0",
        "args": json.dumps({"amount": 5}),
    }
    return superuser.post("/console/schedules/new/", sent | changed)


def one() -> Schedule:
    with platform_scope("tests of the console"):
        return Schedule.objects.get()


def test_a_schedule_is_made_run_paused_changed_and_removed(
    superuser: Client, people: People, work: Any, entries: Any
) -> None:
    assert superuser.get("/console/schedules/new/").status_code == 200
    answer = schedule(superuser, people)
    assert answer.status_code == 302, answer.context["form"].errors
    made = one()
    page = superuser.get(change_page(SCHEDULE, made.pk)).content.decode()
    assert "0 7 * * MON-FRI (Europe/Berlin)" in page and "It has made no job yet." in page
    assert "Nightly payment" in superuser.get(f"/console/{SCHEDULE}/").content.decode()
    assert superuser.post(deed_page(SCHEDULE, made.pk, "run")).status_code == 302
    work()
    with platform_scope("tests of the console"):
        job = Job.objects.get(schedule_id=made.pk)
    assert job.state == "done"
    assert superuser.get(change_page(JOB, job.pk)).content.decode().count(str(made.pk)) >= 1
    assert superuser.post(deed_page(SCHEDULE, made.pk, "pause")).status_code == 302
    assert one().state == "paused"
    assert superuser.post(deed_page(SCHEDULE, made.pk, "pause")).status_code == 404
    assert superuser.post(deed_page(SCHEDULE, made.pk, "resume")).status_code == 302
    edit = deed_page(SCHEDULE, made.pk, "edit")
    sent = {
        "title": "Hourly",
        "kind": "interval",
        "every": "3600",
        "at": "",
        "cron": "",
        "time_zone": "UTC",
        "missed": "skip",
        "overlap": "allow",
        "priority": "5",
        "args": '{"amount": 6}',
    }
    assert superuser.post(edit, sent | {"every": "1"}).context["form"].errors
    answer = superuser.post(edit, sent)
    assert answer.status_code == 302, answer.context["form"].errors
    assert (one().kind, one().every, one().args) == ("interval", 3600, {"amount": 6})
    assert superuser.post(deed_page(SCHEDULE, made.pk, "remove")).status_code == 302
    with platform_scope("tests of the console"):
        assert not Schedule.objects.exists()
    actions = {entry.action for entry in entries(people.tenants["acme"], target=f"schedule:{made.pk}")}
    assert actions >= {"schedule.created", "schedule.run", "schedule.paused", "schedule.removed"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"cron": "0 7 * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"kind": "interval", "every": "1"}, "every"),
        ({"kind": "once", "at": "2001-01-01 08:00"}, "at"),
        ({"args": "["}, "args"),
        ({"task": "no.such"}, "task"),
        ({"title": " "}, "title"),
    ],
)
def test_what_has_no_meaning_is_refused_at_its_field(
    superuser: Client, people: People, changed: dict[str, str], field: str
) -> None:
    answer = schedule(superuser, people, **changed)
    assert answer.status_code == 200
    assert field in answer.context["form"].errors
    with platform_scope("tests of the console"):
        assert not Schedule.objects.exists()


def test_schedules_of_others_do_not_exist(scoped: Client, superuser: Client, people: People) -> None:
    schedule(superuser, people, tenant=str(people.tenants["globex"].id), title="Of globex")
    made = one()
    assert "Of globex" not in scoped.get(f"/console/{SCHEDULE}/").content.decode()
    assert scoped.get(change_page(SCHEDULE, made.pk)).status_code == 404
    for deed in ("pause", "run", "remove", "edit"):
        assert scoped.post(deed_page(SCHEDULE, made.pk, deed), {"title": "x"}).status_code == 404
    for tenant in ("", str(people.tenants["globex"].id)):
        assert schedule(scoped, people, tenant=tenant).status_code == 200
    assert schedule(scoped, people).status_code == 302, "control"


def test_the_products_own_schedules_are_paused_and_not_changed(superuser: Client, scoped: Client) -> None:
    standing.ensure()
    with platform_scope("tests of the console"):
        made = Schedule.objects.exclude(key=None).first()
    assert made is not None
    page = superuser.get(change_page(SCHEDULE, made.pk)).content.decode()
    assert "The product keeps this one" in page
    assert superuser.get(deed_page(SCHEDULE, made.pk, "edit")).status_code == 404
    assert superuser.get(deed_page(SCHEDULE, made.pk, "remove")).status_code == 404
    assert superuser.post(deed_page(SCHEDULE, made.pk, "pause")).status_code == 302
    assert scoped.get(change_page(SCHEDULE, made.pk)).status_code == 404
