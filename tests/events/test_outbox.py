"""Events: registered, in the caller's transaction, handed over in order, their effect once."""

import random
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.db import connections, transaction
from psycopg.sql import SQL

from apps.audit import ledger
from apps.audit import queries as entries
from apps.core import context, queue
from apps.core.actor import SYSTEM, Actor
from apps.core.scope import TenantRef, current_scope, platform_scope, tenant_scope
from apps.events import outbox, registry
from apps.events.delivery import GROUP, Delivery
from apps.events.models import OutboxEvent
from apps.events.reader import Reader, lag
from apps.events.registry import EventType
from apps.events.types import Event
from apps.events.wake import Ear
from apps.tenants import lifecycle
from apps.tenants.models import Tenant
from apps.tenants.states import State
from tests.events.working import clear, job, make_due, run_all

LEAD = EventType(
    "lead.created",
    "A lead was created.",
    {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "n": {"type": ["integer", "null"]},
            "tags": {"items": {"type": "string"}},
        },
        "required": ["id"],
        "additionalProperties": False,
    },
    version=2,
)


@pytest.fixture(autouse=True)
def quiet(acme: TenantRef, own_tasks: None) -> Iterator[None]:
    """The tests' own event types; no events of earlier tests."""
    for name in list(registry.event_types):
        if not name.startswith("tenant."):
            del registry.event_types._values[name]
    registry.register(LEAD)
    registry.subscribers._values.clear()
    clear()
    yield
    clear()


def emit(tenant: TenantRef, number: int = 1, subject: str = "lead:1") -> UUID:
    with tenant_scope(tenant):
        return outbox.emit("lead.created", subject=subject, data={"id": "1", "n": number}, by=SYSTEM)


def deliver(seconds: float = 60.0) -> int:
    """Deliver until the handlers have read the whole log."""
    end, reader, done = time.monotonic() + seconds, Reader(GROUP, Delivery(), bus="postgresql"), 0
    while time.monotonic() < end:
        done += reader.drain()
        if not lag(GROUP, bus="postgresql").events:
            return done
        time.sleep(0.01)
    raise AssertionError("Events still wait.")


def test_the_envelope_is_a_cloud_event(in_acme: object, acme: TenantRef) -> None:
    anna = Actor(kind="member", id="anna", label="Anna")
    with context.carrying(request_id="req-3"):
        event_id = outbox.emit("lead.created", subject="lead:7", data={"id": UUID(int=7), "n": None}, by=anna)
    row = OutboxEvent.objects.get(pk=event_id)
    envelope = orjson.loads(bytes(row.body))
    assert envelope.pop("time").endswith("Z")
    assert envelope == {
        "specversion": "1.0",
        "id": str(event_id),
        "type": "lead.created",
        "source": f"/tenants/{acme.id}",
        "subject": "lead:7",
        "datacontenttype": "application/json",
        "dataschema": "urn:aibos:event:lead.created:2",
        "dataversion": 2,
        "tenant": str(acme.id),
        "actor": "member:anna",
        "correlationid": "req-3",
        "data": {"id": str(UUID(int=7)), "n": None},
    }
    assert all(name.isalnum() and name == name.lower() for name in envelope), "CloudEvents attribute names"


def test_an_unregistered_type_is_refused(in_acme: object) -> None:
    with pytest.raises(LookupError, match=r"lead\.vanished"):
        outbox.emit("lead.vanished", by=SYSTEM)
    registry.register(EventType("*.vanished", "Any record vanished."))
    assert outbox.emit("lead.vanished", by=SYSTEM)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, 'data: "id" is a required property'),
        ({"id": 1}, 'data.id: 1 is not of type "string"'),
        ({"id": "1", "n": "x"}, "data.n: "),
        ({"id": "1", "n": True}, "data.n: "),
        ({"id": "1", "more": 1}, "'more' was unexpected"),
        ({"id": "1", "tags": ["a", 2]}, r"data.tags.1: 2 is not of type"),
        ({"id": "nul\x00"}, "NUL"),
    ],
)
def test_data_must_fit_the_type(in_acme: object, data: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        outbox.emit("lead.created", data=data, by=SYSTEM)


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"requird": ["a"]}, "may not use requird"),
        ({"properties": {"a": {"minimun": 1}}}, "may not use minimun"),
        ({"type": "text"}, "The schema is none"),
        ({"$ref": "https://example.org/schema"}, "may not refer to"),
        ({"$id": "https://example.org/schema"}, "may not use"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "The schema is none"),
        ({"description": "x" * 30_000}, "longer than"),
    ],
)
def test_a_schema_uses_only_what_is_checked(schema: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        EventType("lead.odd", "No.", schema)


def test_the_whole_of_json_schema_is_enforced(in_acme: object) -> None:
    parts = {
        "mail": {"type": "string", "format": "email"},
        "code": {"type": "string", "pattern": "^(a+)+$", "maxLength": 100},
        "stage": {"$ref": "#/$defs/stage"},
    }
    schema = {
        "properties": parts,
        "$defs": {"stage": {"enum": ["new", "won"]}},
        "dependentRequired": {"code": ["mail"]},
    }
    registry.register(EventType("lead.rich", "Rich.", schema))
    assert outbox.emit("lead.rich", data={"mail": "a@b.example", "code": "aa", "stage": "won"}, by=SYSTEM)
    for wrong in (
        {"mail": "x"},
        {"stage": "lost"},
        {"code": "a"},
        {"mail": "a@b.example", "code": "a" * 90 + "!"},
    ):
        with pytest.raises(ValueError, match="data"):
            outbox.emit("lead.rich", data=wrong, by=SYSTEM)


def test_decimals_travel_as_text(in_acme: object) -> None:
    assert outbox.emit("lead.created", data={"id": Decimal("1.10")}, by=SYSTEM)
    with pytest.raises(TypeError, match="float"):
        registry.register(EventType("lead.priced", "Priced."))
        outbox.emit("lead.priced", data={"amount": 1.5}, by=SYSTEM)


def test_an_event_goes_with_its_transaction(acme: TenantRef) -> None:
    with tenant_scope(acme):
        outbox.emit("lead.created", data={"id": "1"}, by=SYSTEM)
        transaction.set_rollback(True)
    assert deliver() == 0


def test_the_statement_is_part_of_a_larger_one(acme: TenantRef) -> None:
    with tenant_scope(acme), connections["default"].raw_cursor() as cursor:
        event, first = outbox.statement("lead.created", subject="lead:1", data={"id": "1"}, by=SYSTEM)
        part = ledger.part("lead.created", by=SYSTEM, target="lead:cte")
        whole = SQL("WITH event AS ({}), entry AS ({}) SELECT 1").format(event, SQL(part.texts[-1][1]))
        cursor.execute(whole, [*first, *part.params])
        assert len(entries.history("lead:cte")) == 1
    assert deliver() == 1


def test_subscribers_get_events_in_order_in_their_tenant(acme: TenantRef, globex: TenantRef) -> None:
    seen: list[Any] = []

    @registry.subscribe("watch", "lead.created")
    def watch(event: Event) -> None:
        seen.append((current_scope().tenant, event.data["n"]))

    @registry.subscribe("deaf", "lead.deleted")
    def deaf(event: Event) -> None:
        raise AssertionError

    for number in range(20):
        emit((acme, globex)[number % 2], number)
    assert deliver() == 20
    for tenant, start in ((acme, 0), (globex, 1)):
        assert [n for where, n in seen if where == tenant] == list(range(start, 20, 2))


def test_effect_and_hand_over_are_one(acme: TenantRef) -> None:
    """The relay dies in the middle: what it did is undone, and done again from the start, once."""
    dies: list[bool] = [True]

    @registry.subscribe("effect", "*")
    def effect(event: Event) -> None:
        ledger.record("lead.counted", by=SYSTEM, target=f"event:{event.id}")
        if event.data["n"] == 3 and dies.pop():
            dies.append(False)
            raise KeyboardInterrupt

    ids = [emit(acme, number) for number in range(5)]
    with pytest.raises(KeyboardInterrupt):
        deliver()
    with tenant_scope(acme):
        assert all(entries.history(f"event:{event_id}") == () for event_id in ids)
    assert deliver() == 5
    with tenant_scope(acme):
        assert [len(entries.history(f"event:{event_id}")) for event_id in ids] == [1] * 5


def test_a_failing_subscriber_holds_up_nobody_and_is_tried_again(acme: TenantRef) -> None:
    seen: list[int] = []
    broken = [True]

    @registry.subscribe("broken", "lead.created")
    def fails(event: Event) -> None:
        ledger.record("lead.counted", by=SYSTEM, target="lead:broken")
        if broken[0]:
            raise OSError("no network")

    @registry.subscribe("healthy", "*.created")
    def healthy(event: Event) -> None:
        seen.append(event.data["n"])

    emit(acme, 1)
    emit(acme, 2)
    assert deliver() == 2
    assert seen == [1, 2]
    with tenant_scope(acme):
        before = len(entries.history("lead:broken"))
    run_all()
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("SELECT id FROM public.events_job WHERE name = 'events.redeliver' ORDER BY id")
        jobs = [row[0] for row in cursor.fetchall()]
    assert [job(item).error for item in jobs] == ["OSError: no network"] * 2
    broken[0] = False
    for item in jobs:
        make_due(item)
    run_all()
    assert [job(item).result for item in jobs] == [{"handled": True}] * 2
    with tenant_scope(acme):
        assert len(entries.history("lead:broken")) == before + 2


def test_an_event_handed_over_twice_has_its_effect_once(acme: TenantRef) -> None:
    seen: list[UUID] = []
    registry.subscribe("once", "*")(lambda event: seen.append(event.id))
    with tenant_scope(acme):
        event_id = outbox.emit("lead.created", data={"id": "1"}, by=SYSTEM)
        body = bytes(OutboxEvent.objects.get(pk=event_id).body)
    deliver()
    with tenant_scope(acme):
        queue.enqueue(
            "events.redeliver",
            tenant=acme.id,
            args={"subscriber": "once", "envelope": orjson.loads(body)},
            title="Again",
            by=SYSTEM,
        )
    run_all()
    assert seen == [event_id]


def test_what_an_event_causes_names_it(acme: TenantRef) -> None:
    caused: list[Event] = []
    registry.register(EventType("lead.scored", "Scored."))

    @registry.subscribe("score", "lead.created")
    def score(event: Event) -> None:
        outbox.emit("lead.scored", by=SYSTEM)

    registry.subscribe("listen", "lead.scored")(caused.append)
    first = emit(acme)
    deliver()
    assert caused[0].envelope["causationid"] == str(first)


def crowd(tenant: TenantRef, committed: list[UUID], seed: int, until: float) -> None:
    chance = random.Random(seed)
    while time.monotonic() < until:
        try:
            with tenant_scope(tenant):
                event_id = outbox.emit("lead.created", data={"id": "1"}, by=SYSTEM)
                time.sleep(chance.random() * 0.01)
                if chance.random() < 0.1:
                    raise InterruptedError
            committed.append(event_id)
        except InterruptedError:
            continue
    connections.close_all()


@pytest.mark.parametrize("naive", [False, True], ids=["bounded by xmin", "negative control"])
def test_no_event_of_a_slow_transaction_is_passed_over(fresh_tenant: TenantRef, naive: bool) -> None:
    """Eight writers hold their transactions open for chance times; a reader that goes by id loses events."""
    committed: list[UUID] = []
    seen: list[UUID] = []
    registry.subscribe("all", "lead.created")(lambda event: seen.append(event.id))
    end = time.monotonic() + 3
    writers = [threading.Thread(target=crowd, args=(fresh_tenant, committed, seed, end)) for seed in range(8)]
    for thread in writers:
        thread.start()
    relay, last = Reader(GROUP, Delivery(), bus="postgresql"), UUID(int=0)
    while any(thread.is_alive() for thread in writers):
        if naive:
            with tenant_scope(fresh_tenant):
                rows = list(
                    OutboxEvent.objects.filter(type="lead.created", id__gt=last)
                    .order_by("id")
                    .values_list("id", flat=True)
                )
            seen += rows
            last = rows[-1] if rows else last
        else:
            relay.drain()
    if naive:
        assert len(set(committed) - set(seen)) > 0, "the negative control lost nothing"
        return
    deliver()
    assert len(seen) == len(set(seen))
    assert set(seen) == set(committed)


def test_two_relays_keep_the_order(acme: TenantRef) -> None:
    seen: list[int] = []

    @registry.subscribe("slow", "*")
    def slow(event: Event) -> None:
        seen.append(event.data["n"])
        time.sleep(0.002)

    for number in range(60):
        emit(acme, number)

    def relay() -> None:
        mine = Reader(GROUP, Delivery(), bus="postgresql", batch=5)
        for _ in range(40):
            mine.turn()
        mine.close()
        connections.close_all()

    threads = [threading.Thread(target=relay) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deliver()
    assert seen == list(range(60))


def test_moves_of_a_tenant_are_events_of_the_platform(fresh_tenant: TenantRef) -> None:
    deliver()
    seen: list[Event] = []
    registry.subscribe("moves", "*")(seen.append)
    with platform_scope("test"):
        lifecycle.move(tenant_id=fresh_tenant.id, to=State.SUSPENDED, by=SYSTEM, reason="unpaid")
        assert Tenant.objects.get(pk=fresh_tenant.id).state == State.SUSPENDED
    deliver()
    (event,) = seen
    assert (event.type, event.tenant_id, event.data["slug"]) == ("tenant.suspended", None, fresh_tenant.slug)


def test_a_subscriber_that_runs_into_a_timeout_holds_up_nobody(acme: TenantRef, globex: TenantRef) -> None:
    """The database refuses one statement: that is the handler's failure, not the loss of the database."""
    seen: list[str] = []

    @registry.subscribe("endless", "lead.created")
    def endless(event: Event) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '20ms'")
            cursor.execute("SELECT pg_sleep(5)")

    @registry.subscribe("healthy", "lead.created")
    def healthy(event: Event) -> None:
        seen.append(str(event.tenant_id))

    emit(acme)
    emit(globex)
    assert deliver() == 2
    assert sorted(seen) == sorted([str(acme.id), str(globex.id)])


def test_a_waiting_reader_is_woken_by_the_commit(acme: TenantRef) -> None:
    """The bell rings beside the transaction: after it, not within it, and not for one that is rolled back."""
    ear, stop = Ear(), threading.Event()
    try:
        ear.wait(0.01, stop)  # listens from here on
        emit(acme)
        assert ear.wait(30.0, stop)
        ear.wait(0.1, stop)
        with tenant_scope(acme):
            outbox.emit("lead.created", data={"id": "1"}, by=SYSTEM)
            transaction.set_rollback(True)
        assert not ear.wait(0.3, stop), "negative control: nothing was committed"
    finally:
        ear.close()


def test_one_reader_at_a_time(acme: TenantRef) -> None:
    emit(acme)
    ear = Ear()
    with ear.alone(GROUP) as mine:
        assert mine
        other = Reader(GROUP, Delivery(), bus="postgresql")
        assert other.turn() == 0, "while another process reads"
        other.close()
    ear.close()
    assert deliver() == 1, "negative control: alone, it reads"
