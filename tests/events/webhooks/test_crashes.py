"""What is killed, stopped or broken in between: every event arrives, under one id, and its delivery is one row."""

import datetime as dt
import os
import signal
import threading
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone
from standardwebhooks import Webhook

from apps.core.actor import Actor
from apps.core.errors import Conflict
from apps.core.scope import TenantRef, tenant_scope
from apps.events.delivery import handle
from apps.events.jobs import runner, sweeper
from apps.events.models import DeliveryState, OutboxEvent, WebhookDelivery
from apps.events.registry import Subscriber, subscribers
from apps.events.types import Event
from apps.events.webhooks import deliveries, endpoints, fanout, keeping, secrets
from tests.api.conftest import environment
from tests.core.listeners import VOUCHED, Receiver, plain
from tests.events.webhooks.conftest import Way, hook, lead
from tests.events.working import until, worker


def held(receiver: Receiver) -> tuple[threading.Event, threading.Event]:
    """Let the first request wait: return (it came, it may go on); later ones are answered at once."""
    came, go = threading.Event(), threading.Event()

    def answer(handler: Any, body: bytes) -> None:
        if not came.is_set():
            came.set()
            go.wait(30)
        plain(200)(handler, body)

    receiver.answer = answer
    return came, go


def test_a_worker_killed_while_it_sends(acme: TenantRef, boss: Actor, way: Way, receiver: Receiver) -> None:
    """kill -9 between the request and the note of its answer: sent again with the same id, noted once."""
    came, go = held(receiver)
    _, secret = hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.relay()
    with environment(EGRESS_ALLOW=f"{VOUCHED}/32"):
        victim = worker("1")
    try:
        assert came.wait(60)
    finally:
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        victim.stdout.close()
        go.set()
    assert way.delivery().state == DeliveryState.WAITING
    until(lambda: sweeper.sweep() == 1)
    way.work()
    delivery = way.delivery()
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 1)
    ids = [Webhook(secret).verify(body, headers)["id"] for _, headers, body in receiver.seen]
    assert len(ids) == 2
    assert set(ids) == {str(delivery.event_id)}


def test_a_worker_that_wakes_up_too_late_changes_nothing(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    came, go = held(receiver)
    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.relay()
    with environment(EGRESS_ALLOW=f"{VOUCHED}/32"):
        zombie = worker("1")
    try:
        assert came.wait(60)
        os.kill(zombie.pid, signal.SIGSTOP)
        until(lambda: sweeper.sweep() == 1)
        way.work()
        assert way.delivery().state == DeliveryState.DELIVERED
        receiver.answer = plain(500)
        os.kill(zombie.pid, signal.SIGCONT)
        go.set()
        until(lambda: way.delivery().attempts == 2)
    finally:
        zombie.kill()
        zombie.wait()
        zombie.stdout.close()
    assert way.delivery().state == DeliveryState.DELIVERED
    assert not runner.run_next()


def test_a_fan_out_that_breaks_is_taken_back_and_done_again(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    with monkeypatch.context() as patch:
        patch.setattr(fanout, "ask", lambda _row: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            way.relay()
    assert way.deliveries() == []
    way.go()
    assert len(receiver.seen) == 1


def test_the_control_sending_after_the_commit_loses_the_event(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    """A handler that sends once its transaction is over: the process dies there, and nobody sends it any more."""
    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)

    def naive(_event: Event) -> None:
        transaction.on_commit(lambda: os.kill(os.getpid(), 0) or 1 / 0)  # where the process would be killed

    with tenant_scope(acme):
        event = Event.read(bytes(OutboxEvent.objects.get(tenant_id=acme.id).body))
    with pytest.raises(ZeroDivisionError), tenant_scope(acme):
        handle(event, Subscriber("naive", ("*",), naive))
    with tenant_scope(acme):
        assert not handle(event, Subscriber("naive", ("*",), naive))
    assert receiver.seen == []
    with tenant_scope(acme):
        assert handle(event, subscribers["webhooks"])
    way.work()
    assert len(receiver.seen) == 1


def test_a_delivery_that_somebody_stopped_is_not_sent(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    from apps.events.jobs import work

    receiver.answer = plain(500)
    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    with tenant_scope(acme):
        work.cancel(way.delivery().job_id, by=boss)
    way.work(again=True)
    assert len(receiver.seen) == 1
    keeping.reconcile()
    assert (way.delivery().state, way.delivery().reason) == (DeliveryState.SKIPPED, "Somebody stopped it.")
    receiver.answer = plain(200)
    with tenant_scope(acme):
        deliveries.redeliver(delivery_id=way.delivery().id, by=boss)
    way.work()
    assert way.delivery().state == DeliveryState.DELIVERED


def test_redeliver_pressed_by_many_sends_once(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    delivery_id, refused = way.delivery().id, []

    def press() -> None:
        try:
            with tenant_scope(acme):
                deliveries.redeliver(delivery_id=delivery_id, by=boss)
        except Conflict as conflict:
            refused.append(conflict)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=press) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    way.work()
    assert len(refused) == 9
    assert len(receiver.seen) == 2


def test_old_logs_end_and_what_waits_stays(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    receiver.answer = plain(500)
    lead(acme, boss)
    way.go()
    with tenant_scope(acme):
        old = timezone.now() - dt.timedelta(days=31)
        WebhookDelivery.objects.update(created_at=old)
        WebhookDelivery.objects.filter(state="delivered").update(ended_at=old)
    keeping.forget()
    assert [row.state for row in way.deliveries()] == [DeliveryState.WAITING]
    assert len(way.attempts()) == 1


def test_a_rotation_that_breaks_leaves_the_old_secret(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_id, secret = hook(acme, receiver.url, boss, "api_lead.created")
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError), tenant_scope(acme):
        patch.setattr(endpoints.ledger, "record", lambda *_, **__: 1 / 0)
        endpoints.rotate(endpoint_id=endpoint_id, by=boss)
    with tenant_scope(acme):
        assert secrets.valid(endpoint_id) == [secret]
        second = endpoints.rotate(endpoint_id=endpoint_id, by=boss)
        assert secrets.valid(endpoint_id) == [second, secret]


def test_an_event_that_concerns_nobody_is_not_even_noted(acme: TenantRef, boss: Actor, way: Way) -> None:
    lead(acme, boss)
    with tenant_scope(acme):
        event = Event.read(bytes(OutboxEvent.objects.get(tenant_id=acme.id).body))
        assert not subscribers["webhooks"].when(event)
    hook(acme, "https://hooks.example.org/", boss, "api_lead.created")
    with tenant_scope(acme):
        assert subscribers["webhooks"].when(event)
