"""Schedules over HTTP: made, changed and seen by managers; what comes due is an event."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import runner
from apps.events.models import OutboxEvent, Schedule
from apps.events.schedules import scheduler
from apps.events.types import Event
from tests.api.conftest import Caller, caller, make_key
from tests.people import People

pytestmark = pytest.mark.usefixtures("api")
SCHEDULES = "/api/v1/schedules"
WEEK: dict[str, Any] = {
    "title": "Week",
    "task": "events.announce",
    "args": {"name": "week", "data": {"region": "north", "limit": 7}},
    "kind": "cron",
    "cron": "0 7 * * MON",
    "timeZone": "Europe/Berlin",
}


@pytest.fixture(autouse=True)
def nothing_before(acme: TenantRef) -> Iterator[None]:
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM public.events_job")
        cursor.execute("DELETE FROM public.events_schedule")
    yield
    for connection in connections.all():
        connection.scopes = []


def make(who: Caller, **more: Any) -> dict[str, Any]:
    answer = who.post(SCHEDULES, WEEK | more)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def test_a_schedule_is_made_shown_changed_and_removed(owner: Caller) -> None:
    made = make(owner)
    assert (made["status"], made["runs"], made["timeZone"]) == ("active", 0, "Europe/Berlin")
    page = owner.get(SCHEDULES).json()
    assert [row["id"] for row in page["schedules"]] == [made["id"]]
    assert "events.announce" in page["tasks"]
    one = f"{SCHEDULES}/{made['id']}"
    assert len(owner.get(one).json()["upcoming"]) == 5
    changed = owner.send("PATCH", one, {"title": "Often", "kind": "interval", "every": 600}).json()
    assert (changed["title"], changed["kind"], changed["every"]) == ("Often", "interval", 600)
    assert changed["nextAt"] < made["nextAt"] or changed["at"]
    assert owner.post(f"{one}/pause").json()["status"] == "paused"
    assert owner.post(f"{one}/pause").json()["code"] == "INVALID_STATE"
    assert owner.get(one).json()["upcoming"] == []
    assert owner.post(f"{one}/resume").json()["status"] == "active"
    assert owner.send("DELETE", one).json() == {"success": True, "id": made["id"]}
    assert owner.get(one).status_code == 404


def test_what_comes_due_is_an_event(owner: Caller, acme: TenantRef) -> None:
    made = make(owner)
    moment = dt.datetime.fromisoformat(made["nextAt"])
    assert scheduler.tick(moment) == 1
    while runner.run_next():
        pass
    with tenant_scope(acme):
        row = OutboxEvent.objects.filter(type="schedule.due").latest("id")
    event = Event.read(bytes(row.body))
    assert event.data == {
        "name": "week",
        "due": moment.isoformat(),
        "data": {"region": "north", "limit": 7},
    }
    found = owner.get(f"{SCHEDULES}/{made['id']}").json()
    assert (found["runs"], len(found["jobs"])) == (1, 1)


def test_run_now_answers_the_job_and_is_refused_while_it_waits(owner: Caller) -> None:
    one = f"{SCHEDULES}/{make(owner)['id']}"
    answer = owner.post(f"{one}/run")
    assert answer.status_code == 202
    assert owner.get(f"/api/v1/jobs/{answer.json()['job']}").json()["name"] == "events.announce"
    assert owner.post(f"{one}/run").json()["code"] == "INVALID_STATE"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cron": "0 7 * *"}, "cron"),
        ({"cron": 7}, "cron"),
        ({"timeZone": "Mars/Olympus"}, "time_zone"),
        ({"task": "objects.import_run"}, "task"),
        ({"args": {"name": "Not A Name"}}, "args"),
        ({"args": {"name": "week", "data": {"deep": {"er": 1}}}}, "args"),
        ({"kind": "once", "at": "yesterday"}, "at"),
        ({"kind": "once", "at": "2020-01-01T00:00:00Z"}, "at"),
        ({"priority": True}, "priority"),
        ({"owner": "me"}, "owner"),
        ({"title": ""}, "title"),
    ],
)
def test_what_has_no_meaning_is_refused(owner: Caller, change: dict[str, Any], field: str) -> None:
    answer = owner.post(SCHEDULES, WEEK | change)
    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["fields"]] == [field]
    assert owner.get(SCHEDULES).json()["schedules"] == []


def test_managers_alone(
    owner: Caller, sales: Caller, keys: dict[str, str], people: People, acme: TenantRef
) -> None:
    one = f"{SCHEDULES}/{make(owner)['id']}"
    assert sales.get(SCHEDULES).status_code == 403
    assert sales.post(SCHEDULES, WEEK).status_code == 403
    assert sales.post(f"{one}/pause").status_code == 403
    stranger = caller("globex", keys["owner@globex"])
    assert stranger.get(SCHEDULES).json()["schedules"] == []
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/run")):
        assert (
            stranger.send(method, one + path, {"title": "Mine"} if method == "PATCH" else None).status_code
            == 404
        )
    narrow = caller("acme", make_key(acme, people.actor("owner"), ("data:write",)))
    assert narrow.get(SCHEDULES).status_code == 403
    with platform_scope("test"):
        assert Schedule.objects.get().title == "Week"
