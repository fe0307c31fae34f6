"""Plans are edited as forms; jobs are cancelled and queued again."""

import os
from typing import Any

import pytest
from django.test import Client

from apps.core import queue
from apps.core.scope import platform_scope
from apps.events.models import Job
from apps.tenants.models import Plan
from tests.console.conftest import change_page, deed_page
from tests.people import People


@pytest.fixture
def code() -> str:
    return f"plan-{os.urandom(3).hex()}"


def plan(code: str) -> Plan | None:
    with platform_scope("tests of the console"):
        return Plan.objects.filter(pk=code).first()


def test_a_plan_is_made_changed_and_removed(superuser: Client, code: str, entries: Any) -> None:
    sent = {
        "code": code,
        "name": "Trial",
        "members": "3",
        "records": "",
        "storage_mb": "10",
        "requests_minute": "60",
    }
    answer = superuser.post("/console/plans/new/", sent)
    assert answer.status_code == 302, answer.context["form"].errors
    made = plan(code)
    assert made is not None
    assert made.quotas == {"members": 3, "storage_mb": 10, "requests_minute": 60}
    edit = deed_page("tenants/plan", code, "edit")
    assert superuser.post(edit, sent | {"name": "Small", "members": "-1"}).context["form"].errors
    assert superuser.post(edit, sent | {"name": "Small", "members": "5"}).status_code == 302
    changed = plan(code)
    assert changed is not None
    assert (changed.name, changed.quotas["members"]) == ("Small", 5)
    assert "members" in superuser.get(f"/console/tenants/plan/{code}/history/").content.decode()
    assert superuser.post(deed_page("tenants/plan", code, "remove")).status_code == 302
    assert plan(code) is None
    actions = [entry.action for entry in entries(target=f"plan:{code}")]
    assert actions == ["plan.removed", "plan.changed", "plan.created"]


def test_a_plan_in_use_stays(superuser: Client) -> None:
    page = deed_page("tenants/plan", "standard", "remove")
    assert superuser.get(page).status_code == 409
    assert superuser.post(page).status_code == 409
    assert plan("standard") is not None


def test_a_code_is_taken_once(superuser: Client) -> None:
    sent = {"code": "standard", "name": "Another"}
    assert "code" in superuser.post("/console/plans/new/", sent).context["form"].errors
    kept = plan("standard")
    assert kept is not None
    assert kept.name != "Another"


@pytest.fixture
def waiting(people: People) -> Job:
    """A job that nobody has begun."""
    with platform_scope("tests of the console"):
        job = queue.enqueue(
            "tenants.export",
            tenant=None,
            args={"tenant_id": "00000000-0000-7000-8000-000000000000"},
            title="Export nothing",
            by=people.operator(),
        )
        return Job.objects.get(pk=job)


def state_of(job: Job) -> str:
    with platform_scope("tests of the console"):
        return Job.objects.get(pk=job.pk).state


def test_a_waiting_job_is_cancelled_and_queued_again(
    superuser: Client, waiting: Job, work: Any, entries: Any
) -> None:
    assert superuser.post(deed_page("events/job", waiting.pk, "cancel")).status_code == 302
    assert state_of(waiting) == "cancelled"
    assert superuser.get(deed_page("events/job", waiting.pk, "cancel")).status_code == 404
    assert superuser.post(deed_page("events/job", waiting.pk, "retry")).status_code == 302
    assert state_of(waiting) == "queued"
    work()
    assert state_of(waiting) == "failed"
    page = superuser.get(change_page("events/job", waiting.pk)).content.decode()
    assert "It failed." in page
    actions = [entry.action for entry in entries(target=f"job:{waiting.pk}")]
    assert [action for action in actions if action != "job.failed"] == ["job.retried", "job.cancelled"]


def test_jobs_of_the_platform_are_hidden_from_operators_of_single_tenants(
    scoped: Client, waiting: Job
) -> None:
    assert scoped.get(change_page("events/job", waiting.pk)).status_code == 404
    assert scoped.get(f"/console/jobs/{waiting.pk}/state/").status_code == 404
    assert scoped.post(deed_page("events/job", waiting.pk, "cancel")).status_code == 404
    assert state_of(waiting) == "queued"


def test_failed_jobs_are_a_task_on_the_dashboard(superuser: Client, waiting: Job, work: Any) -> None:
    work()
    notes = [str(task.note) for task in superuser.get("/console/").context["tasks"]]
    assert "Export nothing" in notes
