"""The log's days: made ahead, strays moved, old ones dropped whole, and never before everybody has read them."""

import datetime as dt
import threading
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from django.db import connections
from django.db.utils import IntegrityError

from apps.core.actor import SYSTEM
from apps.core.db import guard
from apps.core.ids import uuid7
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events import outbox, partitions, positions, registry
from apps.events.delivery import GROUP, Delivery
from apps.events.models import InboxEvent, OutboxEvent
from apps.events.reader import Reader, lag
from apps.events.registry import EventType
from tests.events.working import clear, until

OLD = dt.date(2020, 2, 29)


@pytest.fixture(autouse=True)
def quiet(acme: TenantRef, own_tasks: None) -> Iterator[None]:
    """A type of the tests' own, and no events of earlier tests."""
    registry.register(EventType("day.tested", "A test."))
    clear()
    yield
    clear()
    partitions.keep()


def rows(statement: str) -> list[tuple[object, ...]]:
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def old_event(tenant: TenantRef, day: dt.date = OLD) -> UUID:
    """Write an event as if on another day."""
    event_id = UUID(int=partitions.bounds(day)[0].int | (uuid7().int & ((1 << 80) - 1)))
    with tenant_scope(tenant):
        made = outbox.emit("day.tested", by=SYSTEM)
        body = bytes(OutboxEvent.objects.get(pk=made).body).replace(
            str(made).encode(), str(event_id).encode()
        )
        OutboxEvent.objects.filter(pk=made).update(id=event_id, body=body)
    return event_id


def partition_of(event_id: UUID) -> str:
    return str(
        rows(f"SELECT tableoid::regclass::text FROM public.events_outbox WHERE id = '{event_id}'")[0][0]
    )


def read_all() -> int:
    """Read until nothing waits; transactions of other databases may hold back the settled part for a while."""
    done = 0

    def everything() -> bool:
        nonlocal done
        done += Reader(GROUP, Delivery(), bus="postgresql").drain()
        return not lag(GROUP, bus="postgresql").events

    until(everything)
    return done


def test_days_are_made_ahead_and_events_find_theirs(acme: TenantRef) -> None:
    partitions.keep()
    today = dt.datetime.now(dt.UTC).date()
    with tenant_scope(acme):
        event_id = outbox.emit("day.tested", by=SYSTEM)
    assert partition_of(event_id) == partitions.name_of("events_outbox", today)
    ahead = partitions.name_of("events_inbox", today + dt.timedelta(days=partitions.AHEAD))
    assert rows(f"SELECT to_regclass('public.{ahead}') IS NOT NULL") == [(True,)]
    assert partitions.keep().made == ()


def test_a_write_without_a_day_goes_to_the_default_and_moves_later(acme: TenantRef) -> None:
    far = old_event(acme, dt.date(2031, 1, 1))
    assert partition_of(far) == "events_outbox_default"
    assert "events_outbox_20310101" in partitions.keep().made
    assert partition_of(far) == "events_outbox_20310101"
    assert rows("SELECT pg_relation_size('public.events_outbox_default')") == [(0,)], (
        "the space is given back"
    )
    assert lag(GROUP, bus="postgresql").events == 1, "moving a row changes nothing about who must read it"
    assert read_all() == 1
    rows("DELETE FROM public.events_outbox")


def test_every_day_has_its_wall(acme: TenantRef, globex: TenantRef) -> None:
    event_id = old_event(acme)
    partitions.keep(days=10_000)
    assert guard.unwalled() == []
    day = partition_of(event_id)
    count = f"SELECT count(*) FROM public.{day}"
    with tenant_scope(globex), connections["default"].cursor() as cursor:
        cursor.execute(count)
        assert cursor.fetchone() == (0,), "the day itself, asked by name, shows another tenant nothing"
    with tenant_scope(acme), connections["default"].cursor() as cursor:
        cursor.execute(count)
        assert cursor.fetchone() == (1,), "negative control: its own tenant sees it"


def test_old_days_are_dropped_when_everybody_has_read_them(acme: TenantRef) -> None:
    registry.subscribe("reads", "day.tested")(lambda _event: None)
    old_event(acme)
    kept = partitions.keep(days=30)
    assert kept.waiting == ("events_outbox_20200229",)
    assert kept.dropped == ()
    read_all()
    with tenant_scope(acme):
        assert InboxEvent.objects.count() == 1
    assert {"events_outbox_20200229", "events_inbox_20200229"} <= set(partitions.keep(days=30).dropped)
    assert rows("SELECT to_regclass('public.events_outbox_20200229')") == [(None,)]
    assert rows("SELECT to_regclass('public.events_inbox_20200229')") == [(None,)]


def test_a_slow_reader_keeps_the_day(acme: TenantRef) -> None:
    """The webhook reader of another group stands before the event: the day stays, however old."""
    read_all()
    with platform_scope("test"):
        positions.of("slow", bus="postgresql")
    old_event(acme)
    read_all()
    assert partitions.keep(days=30).waiting == ("events_outbox_20200229",)
    with platform_scope("test"):
        assert positions.forget("slow")
    assert "events_outbox_20200229" in partitions.keep(days=30).dropped


def test_writers_do_not_wait_for_the_making_of_days(acme: TenantRef, superuser_url: str) -> None:
    """A transaction that has read the log for long: days are not made under it, and writers go on meanwhile."""
    with psycopg.connect(superuser_url) as reader:
        reader.execute("SELECT count(*) FROM public.events_outbox")
        old_event(acme, dt.date(2032, 1, 1))
        made: list[partitions.Kept] = []

        def make() -> None:
            made.append(partitions.keep())
            connections.close_all()

        thread = threading.Thread(target=make)
        thread.start()
        for _ in range(20):
            with tenant_scope(acme):
                outbox.emit("day.tested", by=SYSTEM)
        reader.rollback()
        thread.join()
    assert "events_outbox_20320101" in made[0].made


def test_an_id_is_taken_once(acme: TenantRef) -> None:
    with tenant_scope(acme):
        event_id = outbox.emit("day.tested", by=SYSTEM)
    with pytest.raises(IntegrityError), tenant_scope(acme):
        OutboxEvent.objects.create(id=event_id, tenant_id=acme.id, type="day.tested", body=b"{}")


def test_a_database_restored_elsewhere_is_read_again_and_each_effect_stays_single(acme: TenantRef) -> None:
    """Ids of transactions of another cluster: without noticing, a reader waits for ever or passes over."""
    seen: list[UUID] = []
    registry.subscribe("counts", "day.tested")(lambda event: seen.append(event.id))
    with tenant_scope(acme):
        first = outbox.emit("day.tested", by=SYSTEM)
    read_all()
    with tenant_scope(acme):
        second = outbox.emit("day.tested", by=SYSTEM)
    rows("UPDATE public.events_outbox SET xid = '900000000000'")
    rows("UPDATE public.events_position SET xid = '900000000000'")
    with tenant_scope(acme):
        third = outbox.emit("day.tested", by=SYSTEM)
    Reader(GROUP, Delivery(), bus="postgresql").drain()
    assert seen == [first], "negative control: ids of elsewhere, not noticed, lose events"
    rows("UPDATE public.events_position SET cluster = 1")
    read_all()
    assert seen == [first, second, third]
    assert read_all() == 0
