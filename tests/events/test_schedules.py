"""Schedules: when they are due, that a moment is served once, and what people may do to them."""

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connections

from apps.audit import queries as entries
from apps.core import queue
from apps.core.actor import SYSTEM, Actor
from apps.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import runner
from apps.events.models import Job, Schedule
from apps.events.schedules import queries, scheduler, services
from apps.events.schedules.timing import Timing
from apps.tenants.models import Tenant
from tests.events.working import clear, job, run_all

Handle = queue.JobHandle
NOON = dt.datetime(2030, 3, 4, 12, 0, tzinfo=dt.UTC)  # a Monday
DAILY = Timing("cron", cron="30 12 * * *")
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def quiet(acme: TenantRef, own_tasks: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No jobs and schedules of earlier tests; a task for schedules; for the services it is noon."""
    clear()
    queue.task("test.report", tenant="optional", schedulable=True)(lambda _: None)
    monkeypatch.setattr(scheduler, "now", lambda: NOON)
    yield
    for connection in connections.all():
        connection.scopes = []
    clear()
    with platform_scope("test"):
        Schedule.objects.all().delete()


@pytest.fixture
def boss(acme: TenantRef) -> Actor:
    """A manager of acme."""
    return Actor(kind="member", id="boss", label="Boss", tenant_id=acme.id, role="owner")


def make(tenant: TenantRef, timing: Timing = DAILY, by: Actor = SYSTEM, **more: Any) -> UUID:
    with tenant_scope(tenant):
        wanted = {"title": "Report", "task": "test.report", "args": {}} | more
        return services.create(timing=timing, by=by, **wanted).pk


def row(schedule_id: UUID) -> Schedule:
    with platform_scope("test"):
        return Schedule.objects.get(pk=schedule_id)


def jobs() -> list[Job]:
    with platform_scope("test"):
        return list(Job.objects.order_by("id"))


def local(text: str, zone: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def wall(moments: list[dt.datetime], zone: str) -> list[str]:
    return [moment.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M %z") for moment in moments]


@pytest.mark.parametrize(
    ("cron", "zone", "since", "expected"),
    [
        ("0 9 * * *", "Asia/Tokyo", "2030-01-01 08:00", ["01-01 09:00 +0900", "01-02 09:00 +0900"]),
        ("0 7 * * MON-FRI", "UTC", "2030-03-01 07:00", ["03-04 07:00 +0000", "03-05 07:00 +0000"]),
        ("0 8 L * *", "UTC", "2028-02-01 00:00", ["02-29 08:00 +0000", "03-31 08:00 +0000"]),
        ("0 8 * * MON#1", "UTC", "2030-03-01 00:00", ["03-04 08:00 +0000", "04-01 08:00 +0000"]),
        # Summer time begins: half past two does not exist on the 31st, and comes when the clock says three.
        (
            *("30 2 * * *", "Europe/Berlin", "2030-03-30 02:30"),
            ["03-31 03:00 +0200", "04-01 02:30 +0200"],
        ),
        # Summer time ends: half past two is there twice on the 27th, and comes once.
        (
            *("30 2 * * *", "Europe/Berlin", "2030-10-26 02:30"),
            ["10-27 02:30 +0200", "10-28 02:30 +0100"],
        ),
        # Every hour goes on by the time that passes.
        (
            *("0 * * * *", "Europe/Berlin", "2030-10-27 01:00"),
            ["10-27 02:00 +0200", "10-27 02:00 +0100", "10-27 03:00 +0100"],
        ),
        ("0 * * * *", "Europe/Berlin", "2030-03-31 01:00", ["03-31 03:00 +0200", "03-31 04:00 +0200"]),
        # A change of half an hour, in the south.
        (
            *("15 2 * * *", "Australia/Lord_Howe", "2030-10-05 12:00"),
            ["10-06 02:30 +1100", "10-07 02:15 +1100"],
        ),
    ],
)
def test_the_calendar_of_a_time_zone(cron: str, zone: str, since: str, expected: list[str]) -> None:
    timing = Timing("cron", cron=cron, time_zone=zone)
    assert timing.faults() == []
    assert wall(timing.upcoming(local(since, zone), len(expected)), zone) == expected


def test_a_repeated_time_of_day_comes_once_whenever_one_asks() -> None:
    """Asked in the second pass of the repeated hour, the first pass's moment is over and not to come."""
    timing = Timing("cron", cron="30 2 * * *", time_zone="Europe/Berlin")
    start = local("2030-10-27 00:00", "Europe/Berlin").astimezone(dt.UTC)
    found = {timing.after(start + minute * MINUTE) for minute in range(24 * 60)}
    assert wall(sorted(moment for moment in found if moment), "Europe/Berlin") == [
        "10-27 02:30 +0200",
        "10-28 02:30 +0100",
    ]


def test_moments_always_move_forward() -> None:
    """Over two years of several zones no rule stands still, goes back or loses a day."""
    for zone in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"):
        timing = Timing("cron", cron="15 2 * * *", time_zone=zone)
        found = timing.upcoming(local("2029-01-01 00:00", zone), 730)
        assert found == sorted(set(found))
        days = [moment.astimezone(ZoneInfo(zone)).date() for moment in found]
        assert days == [dt.date(2029, 1, 1) + number * DAY for number in range(730)]


def test_intervals_count_from_their_start_and_once_is_once() -> None:
    every = Timing("interval", every=600, at=NOON)
    assert every.upcoming(NOON - HOUR, 2) == [NOON, NOON + 10 * MINUTE]
    assert every.after(NOON) == NOON + 10 * MINUTE
    assert every.after(NOON + 25 * MINUTE) == NOON + 30 * MINUTE
    once = Timing("once", at=NOON)
    assert once.upcoming(NOON - HOUR, 5) == [NOON]
    assert once.after(NOON) is None


@pytest.mark.parametrize(
    ("timing", "field"),
    [
        (Timing("sometimes"), "kind"),
        (Timing("cron", cron="* * * *"), "cron"),
        (Timing("cron", cron="0 0 * * * *"), "cron"),
        (Timing("cron", cron="61 * * * *"), "cron"),
        (Timing("cron", cron="0 0 30 2 *"), "cron"),
        (Timing("cron", cron="@daily"), "cron"),
        (Timing("cron", cron=",".join(["1"] * 200) + " * * * *"), "cron"),
        (Timing("cron", cron="0 7 * * *", time_zone="Mars/Olympus"), "time_zone"),
        (Timing("interval", every=1, at=NOON), "every"),
        (Timing("interval", at=NOON), "every"),
        (Timing("interval", every=600), "at"),
        (Timing("once"), "at"),
        (Timing("once", at=NOON.replace(tzinfo=None)), "at"),
    ],
)
def test_what_has_no_meaning_is_refused(timing: Timing, field: str) -> None:
    assert [fault.field for fault in timing.faults()] == [field]


def test_a_due_moment_makes_one_job_that_knows_it(acme: TenantRef, boss: Actor) -> None:
    seen: list[Any] = []
    queue.task("test.told", schedulable=True)(
        lambda handle, *, word: seen.append((handle.due, handle.by, word))
    )
    schedule = make(acme, by=boss, task="test.told", args={"word": "Grüße"}, title="Daily words")
    assert row(schedule).next_at == NOON + HOUR / 2
    assert scheduler.tick(NOON) == 0
    assert [scheduler.tick(NOON + HOUR), scheduler.tick(NOON + HOUR)] == [1, 0]
    (made,) = jobs()
    assert (made.tenant_id, made.title, made.schedule_id) == (acme.id, "Daily words", schedule)
    run_all()
    assert seen == [(NOON + HOUR / 2, boss, "Grüße")]
    now = row(schedule)
    assert (now.runs, now.last_job_id, now.last_at) == (1, made.pk, NOON + HOUR / 2)
    assert now.next_at == NOON + HOUR / 2 + DAY


def test_a_single_moment_ends_its_schedule(acme: TenantRef) -> None:
    schedule = make(acme, Timing("once", at=NOON + HOUR))
    scheduler.tick(NOON + HOUR)
    assert (row(schedule).state, row(schedule).next_at, len(jobs())) == ("ended", None, 1)
    assert scheduler.tick(NOON + DAY) == 0


@pytest.mark.parametrize(
    ("missed", "overlap", "made", "left_out"),
    [("skip", "skip", 0, 5), ("once", "skip", 1, 4), ("all", "allow", 5, 0)],
)
def test_what_becomes_of_missed_moments(
    acme: TenantRef, missed: str, overlap: str, made: int, left_out: int
) -> None:
    schedule = make(acme, missed=missed, overlap=overlap)
    late = NOON + HOUR / 2 + 4 * DAY + 10 * MINUTE
    while scheduler.tick(late):
        pass
    now = row(schedule)
    assert (len(jobs()), now.runs, now.left_out) == (made, made, left_out)
    assert now.next_at == NOON + HOUR / 2 + 5 * DAY
    if missed == "once":
        assert jobs()[0].idempotency_key == f"schedule:{schedule}@{(NOON + HOUR / 2 + 4 * DAY).isoformat()}"


def test_a_little_late_is_not_missed(acme: TenantRef) -> None:
    make(acme, missed="skip")
    assert scheduler.tick(NOON + HOUR / 2 + 4 * MINUTE) == 1
    assert len(jobs()) == 1


def test_years_of_missed_minutes_are_no_flood(acme: TenantRef) -> None:
    once = make(acme, Timing("interval", every=60, at=NOON))
    scheduler.tick(NOON + 1000 * DAY)
    assert (row(once).runs, row(once).next_at) == (1, NOON + 1000 * DAY + MINUTE)
    each = make(acme, Timing("interval", every=60, at=NOON), missed="all", overlap="allow")
    with platform_scope("test"):
        Schedule.objects.filter(pk=each).update(next_at=NOON)
    scheduler.tick(NOON + 119 * MINUTE)
    assert row(each).runs == 120, "in portions of fifty, none left out"


def test_a_moment_is_left_out_while_the_job_before_runs(acme: TenantRef) -> None:
    modest, bold = make(acme), make(acme, overlap="allow")
    for days in range(3):
        scheduler.tick(NOON + HOUR + days * DAY)
    assert (row(modest).runs, row(modest).left_out) == (1, 2)
    assert (row(bold).runs, row(bold).left_out) == (3, 0)
    run_all()
    scheduler.tick(NOON + HOUR + 3 * DAY)
    assert row(modest).runs == 2


def test_a_closed_tenants_schedules_wait(acme: TenantRef, globex: TenantRef) -> None:
    closed, other = make(acme), make(globex)
    with platform_scope("test"):
        Tenant.objects.filter(pk=acme.id).update(state="suspended")
    try:
        assert scheduler.tick(NOON + 3 * DAY) == 1
        assert (row(closed).runs, row(other).runs) == (0, 1)
    finally:
        with platform_scope("test"):
            Tenant.objects.filter(pk=acme.id).update(state="active")
    scheduler.tick(NOON + 3 * DAY)
    assert row(closed).runs == 1


def test_one_in_trouble_holds_up_nobody(acme: TenantRef, globex: TenantRef) -> None:
    queue.task("test.gone", schedulable=True)(lambda _: None)
    broken, sound = make(acme, task="test.gone"), make(globex)
    del queue.tasks._values["test.gone"]
    scheduler.tick(NOON + HOUR)
    assert (row(broken).runs, row(sound).runs) == (0, 1)
    assert "test.gone" in row(broken).trouble
    assert row(broken).next_at == NOON + HOUR + MINUTE
    queue.task("test.gone", schedulable=True)(lambda _: None)
    scheduler.tick(NOON + HOUR + MINUTE)
    assert (row(broken).runs, row(broken).trouble) == (1, "")


def race(serve: Any, number: int = 6) -> None:
    """Let several schedulers look at the same moment at the same time."""
    start = threading.Barrier(number)

    def look() -> None:
        try:
            start.wait()
            serve()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_schedulers_serve_a_moment_once(acme: TenantRef, globex: TenantRef) -> None:
    made = [make(tenant, overlap="allow") for tenant in (acme, globex) for _ in range(10)]
    for days in range(3):
        race(lambda days=days: scheduler.tick(NOON + HOUR + days * DAY))
    assert {row(schedule).runs for schedule in made} == {3}
    assert len(jobs()) == 60


def test_without_lock_and_key_moments_are_served_twice(acme: TenantRef) -> None:
    """Negative control: schedulers that read, make and move on without holding the row."""
    schedule = make(acme, overlap="allow")
    seen = threading.Barrier(6)

    def naive() -> None:
        with platform_scope("test"):
            found = Schedule.objects.get(pk=schedule)
            seen.wait()
            queue.enqueue("test.report", tenant=acme.id, args={}, title="Report", by=SYSTEM)
            Schedule.objects.filter(pk=schedule).update(next_at=found.next_at + DAY)

    race(naive)
    assert len(jobs()) > 1


def test_the_key_alone_keeps_a_moment_from_being_served_twice(acme: TenantRef) -> None:
    """A schedule set back, as by restoring an older dump beside a newer queue, makes no second job."""
    schedule = make(acme, overlap="allow")
    scheduler.tick(NOON + HOUR)
    with platform_scope("test"):
        Schedule.objects.filter(pk=schedule).update(next_at=NOON + HOUR / 2)
    scheduler.tick(NOON + HOUR)
    assert len(jobs()) == 1


def test_pause_resume_run_now_and_remove(acme: TenantRef, boss: Actor) -> None:
    schedule = make(acme, by=boss)
    with tenant_scope(acme):
        services.pause(schedule, by=boss)
        with pytest.raises(Conflict, match="Paused"):
            services.pause(schedule, by=boss)
        assert queries.upcoming(queries.get(schedule)) == []
    assert scheduler.tick(NOON + HOUR) == 0
    with tenant_scope(acme):
        resumed = services.resume(schedule, by=boss)
        assert resumed.next_at == NOON + HOUR / 2
        assert queries.upcoming(resumed, 2) == [NOON + HOUR / 2, NOON + HOUR / 2 + DAY]
        made = services.run_now(schedule, by=boss)
        with pytest.raises(Conflict, match="already"):
            services.run_now(schedule, by=boss)
    assert job(made).schedule_id == schedule
    assert runner.run_next()
    with tenant_scope(acme):
        services.remove(schedule, by=boss)
        with pytest.raises(NotFound):
            queries.get(schedule)
        actions = [entry.action for entry in entries.history(f"schedule:{schedule}")]
    assert actions == [f"schedule.{word}" for word in ("removed", "run", "resumed", "paused", "created")]


def test_a_change_moves_the_moment_and_the_rights(acme: TenantRef, boss: Actor) -> None:
    schedule = make(acme)
    with tenant_scope(acme):
        services.change(schedule, by=boss, timing=Timing("interval", every=600), title="Often")
        newest = entries.history(f"schedule:{schedule}")[0]
    assert (newest.before["title"], newest.after["title"], newest.after["every"]) == ("Report", "Often", 600)
    assert row(schedule).next_at == NOON + 10 * MINUTE
    scheduler.tick(NOON + 10 * MINUTE)
    assert jobs()[0].actor["id"] == "boss"
    with pytest.raises(Invalid, match="state"), tenant_scope(acme):
        services.change(schedule, by=boss, state="active")


def test_what_may_not_be_scheduled(acme: TenantRef, boss: Actor) -> None:
    queue.task("test.private")(lambda _: None)
    queue.task("test.platform", tenant="forbidden", schedulable=True)(lambda _: None)
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}}
    queue.task("test.strict", schedulable=True, schema=schema)(lambda _, *, count: None)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"task": "test.private"}, "task"),
        ({"task": "test.platform"}, "task"),
        ({"task": "test.unknown"}, "task"),
        ({"task": "test.strict", "args": {"count": "many"}}, "args"),
        ({"timing": Timing("once", at=NOON - HOUR)}, "at"),
        ({"title": " "}, "title"),
        ({"missed": "all"}, "overlap"),
        ({"missed": "never"}, "missed"),
        ({"priority": 5000}, "priority"),
    ]
    for change, field in wrong:
        with pytest.raises(Invalid) as refused:
            make(acme, by=boss, **change)
        assert [fault.field for fault in refused.value.fields] == [field], change
    assert "test.private" not in services.schedulable(boss, acme.id)
    assert "test.private" in services.schedulable(SYSTEM, acme.id)
    assert make(acme, task="test.private"), "the product itself may"


def test_who_may_touch_a_schedule(acme: TenantRef, globex: TenantRef, boss: Actor) -> None:
    schedule = make(acme)
    member = Actor(kind="member", id="bob", label="Bob", tenant_id=acme.id, role="member")
    other = Actor(kind="member", id="eve", label="Eve", tenant_id=globex.id, role="owner")
    deeds = (services.pause, services.resume, services.run_now, services.remove, services.change)
    for deed in deeds:
        with pytest.raises(PermissionDenied), tenant_scope(acme):
            deed(schedule, by=member)
        with pytest.raises(NotFound), tenant_scope(globex):
            deed(schedule, by=other)
    with pytest.raises(PermissionDenied):
        make(acme, by=member)
    with pytest.raises(PermissionDenied):
        make(acme, by=other)
    with tenant_scope(globex):
        assert queries.schedules() == []
        with pytest.raises(NotFound):
            queries.get(schedule)
    with tenant_scope(acme):
        assert [found.pk for found in queries.schedules()] == [schedule]
    with platform_scope("test"):
        assert [found.pk for found in queries.schedules(tenant_id=acme.id)] == [schedule]


def test_the_wall_stands_around_schedules(acme: TenantRef, globex: TenantRef) -> None:
    make(acme)
    with tenant_scope(globex), connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.events_schedule")
        assert cursor.fetchone()[0] == 0
    with tenant_scope(acme), connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.events_schedule")
        assert cursor.fetchone()[0] == 1, "negative control: it is there"
