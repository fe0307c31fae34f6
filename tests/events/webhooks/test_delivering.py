"""Webhooks out: signed as published, sent as planned, seen as the owner sees, switched off when nobody listens."""

import datetime as dt
import json
import threading
import time
from email.utils import format_datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage
from django.core import mail
from django.db import connections
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from apps.core.actor import Actor
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import runner
from apps.events.models import DeliveryState, Job, OutboxEvent, WebhookEndpoint
from apps.events.webhooks import deliveries, delivering, endpoints, queries
from tests.core.listeners import Canary, Receiver, plain
from tests.events.webhooks.conftest import Way, change, hook, lead


def refuse(*statuses: int) -> Any:
    """Answer with these statuses one after the other, the last one for ever."""
    waiting = list(statuses)

    def answer(handler: Any, body: bytes) -> None:
        plain(waiting.pop(0) if len(waiting) > 1 else waiting[0])(handler, body)

    return answer


def test_an_event_arrives_signed_as_the_published_library_wants(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    _, secret = hook(acme, receiver.url, boss, "api_lead.created")
    record_id = lead(acme, boss)
    way.go()
    ((path, headers, body),) = receiver.seen
    assert path == "/hook"
    told = Webhook(secret).verify(body, headers)
    assert told["type"] == "api_lead.created"
    assert told["data"]["id"] == record_id
    assert headers["webhook-id"] == told["id"]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 44).verify(body, headers)
    delivery = way.delivery()
    assert (delivery.state, delivery.attempts, delivery.status) == (DeliveryState.DELIVERED, 1, 200)


def test_the_cloudevents_library_reads_what_arrives(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    from cloudevents.core.bindings.http import from_structured_event

    hook(acme, receiver.url, boss, "api_lead.created")
    record_id = lead(acme, boss)
    way.go()
    ((_, headers, body),) = receiver.seen
    read = from_structured_event(HTTPMessage(headers=headers, body=body))
    assert read.get_type() == "api_lead.created"
    assert read.get_subject() == f"api_lead:{record_id}"
    assert read.get_specversion() == "1.0"


def test_the_plain_shape_is_the_specifications(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    hook(acme, receiver.url, boss, "api_lead.created", shape="plain")
    lead(acme, boss)
    way.go()
    ((_, headers, body),) = receiver.seen
    assert headers["content-type"].startswith("application/json")
    assert {"type", "timestamp", "data"} <= json.loads(body).keys()


def test_only_what_was_asked_for_goes_out(
    acme: TenantRef, globex: TenantRef, staff: Any, boss: Actor, way: Way, receiver: Receiver
) -> None:
    hook(acme, receiver.url, boss, "*.deleted", "api_account.*")
    hook(globex, receiver.url, staff.actor("owner", "globex"), "*")
    lead(acme, boss)
    way.go()
    assert receiver.seen == []
    assert way.deliveries() == []


def test_the_plan_is_the_specifications() -> None:
    """Ten attempts, the last one 75 h 35 min 5 s after the first (the specification's table)."""
    assert delivering.MOST_ATTEMPTS == 10
    assert sum(delivering.WAITS) == dt.timedelta(hours=75, minutes=35, seconds=5).total_seconds()


def test_failures_are_tried_again_by_the_plan_with_the_same_id(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    receiver.answer = refuse(500, 302, 200)
    _, secret = hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    delivery = way.delivery()
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert 4 < (delivery.next_at - timezone.now()).total_seconds() < 6
    way.work(again=True)
    assert 290 < (way.delivery().next_at - timezone.now()).total_seconds() < 331
    way.work(again=True)
    assert way.delivery().state == DeliveryState.DELIVERED
    assert [attempt.status for attempt in way.attempts()] == [500, 302, 200]
    assert {Webhook(secret).verify(body, headers)["id"] for _, headers, body in receiver.seen} == {
        str(way.delivery().event_id)
    }


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept_to(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver, status: int
) -> None:
    receiver.answer = plain(status, Retry_After="3600")
    hook(acme, receiver.url, boss)
    lead(acme, boss)
    way.go()
    assert 3590 < (way.delivery().next_at - timezone.now()).total_seconds() < 3601


def test_retry_after_in_its_other_form_and_nonsense() -> None:
    later = format_datetime(timezone.now() + dt.timedelta(seconds=120), usegmt=True)
    assert 100 < delivering.retry_after(later) <= 120
    for text in ("", "soon", "-5", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT", "٣"):
        assert delivering.retry_after(text) == 0.0


def test_after_ten_attempts_the_delivery_has_failed_and_is_a_dead_letter(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    receiver.answer = plain(500)
    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    for _ in range(12):
        way.work(again=True)
    delivery = way.delivery()
    assert (delivery.state, delivery.attempts, len(receiver.seen)) == (DeliveryState.FAILED, 10, 10)
    with platform_scope("test"):
        assert Job.objects.get(pk=delivery.job_id).state == "failed"
    receiver.answer = plain(200)
    with tenant_scope(acme):
        deliveries.redeliver(delivery_id=delivery.id, by=boss)
    way.work()
    assert way.delivery().state == DeliveryState.DELIVERED


def test_what_an_address_hides_is_in_no_job(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    receiver.answer = plain(500)
    hook(acme, receiver.url + "?token=zqtoken", boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    with platform_scope("test"):
        rows = list(Job.objects.filter(name=delivering.TASK).values())
    assert receiver.host in rows[0]["log"]
    assert "zqtoken" not in repr(rows)


def test_410_switches_the_endpoint_off_and_tells(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    receiver.answer = plain(410)
    endpoint_id, _ = hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    lead(acme, boss)
    way.go()
    assert len(receiver.seen) == 1
    row = way.endpoint(endpoint_id)
    assert (row.state, row.disabled_for) == ("disabled", "gone")
    assert "switched off" in mail.outbox[0].subject
    assert {message.to[0] for message in mail.outbox} == {"owner@acme.test", "admin@acme.test"}
    with tenant_scope(acme):
        assert OutboxEvent.objects.filter(type="webhook.disabled").count() == 1
        endpoints.resume(endpoint_id=endpoint_id, by=boss)
    receiver.answer = plain(200)
    lead(acme, boss)
    way.go()
    assert len(receiver.seen) == 2


def test_an_endpoint_that_fails_for_days_is_switched_off(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    receiver.answer = plain(500)
    endpoint_id, _ = hook(acme, receiver.url, boss)
    with tenant_scope(acme):
        long_ago = timezone.now() - dt.timedelta(days=5, minutes=1)
        WebhookEndpoint.objects.filter(pk=endpoint_id).update(failing_since=long_ago)
    lead(acme, boss)
    way.go()
    assert way.endpoint(endpoint_id).disabled_for == "failing"


def test_one_success_ends_the_count(acme: TenantRef, boss: Actor, way: Way, receiver: Receiver) -> None:
    receiver.answer = refuse(500, 200)
    endpoint_id, _ = hook(acme, receiver.url, boss)
    lead(acme, boss)
    way.go()
    assert way.endpoint(endpoint_id).failing_since is not None
    way.work(again=True)
    row = way.endpoint(endpoint_id)
    assert (row.failing_since, row.failures) == (None, 0)


def test_a_dead_receiver_rests_instead_of_keeping_workers_busy(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    receiver.answer = plain(500)
    hook(acme, receiver.url, boss, "api_lead.created")
    for _ in range(12):
        lead(acme, boss)
    way.go()
    assert len(receiver.seen) == delivering.TOLERATED
    assert {row.state for row in way.deliveries()} == {DeliveryState.WAITING}
    receiver.answer = plain(200)
    way.work(again=True)
    assert {row.state for row in way.deliveries()} == {DeliveryState.DELIVERED}


def test_a_receiver_that_keeps_workers_waiting_gets_one_call_and_no_attempt_is_lost(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver, monkeypatch: Any
) -> None:
    monkeypatch.setattr(delivering, "SLOW", 0.0)
    receiver.answer = plain(500)
    hook(acme, receiver.url, boss, "api_lead.created")
    for _ in range(6):
        lead(acme, boss)
    way.go()
    assert len(receiver.seen) == 1
    for _ in range(6 * delivering.MOST_ATTEMPTS * 2):
        way.work(again=True)
    rows = way.deliveries()
    assert [row.attempts for row in rows] == [delivering.MOST_ATTEMPTS] * 6
    assert {row.state for row in rows} == {DeliveryState.FAILED}
    with platform_scope("test"):
        assert Job.objects.filter(state="failed").count() == 6


def test_a_failing_receiver_is_tried_by_one_worker_at_a_time(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    at_once, most, lock = [0], [0], threading.Lock()

    def answer(handler: Any, body: bytes) -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.05)
        with lock:
            at_once[0] -= 1
        plain(500)(handler, body)

    receiver.answer = answer
    endpoint_id, _ = hook(acme, receiver.url, boss, "api_lead.created")

    def run_with_four(failing: bool) -> int:
        with tenant_scope(acme):
            since = timezone.now() if failing else None
            WebhookEndpoint.objects.filter(pk=endpoint_id).update(failing_since=since, resting_until=None)
        for _ in range(8):
            lead(acme, boss)
        way.relay()
        most[0] = 0
        threads = [threading.Thread(target=_drain) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return most[0]

    assert run_with_four(failing=False) > 1  # the control: a healthy one is called by all of them
    assert run_with_four(failing=True) == 1


def _drain() -> None:
    try:
        while runner.run_next():
            pass
    finally:
        connections.close_all()


def test_the_owner_s_rights_decide_what_is_sent(
    acme: TenantRef, boss: Actor, manager: Actor, way: Way, receiver: Receiver
) -> None:
    """R22: hidden fields and hidden records are in no payload and no log; the control below shows them to the boss."""
    hook(acme, receiver.url, manager, "api_lead.*", with_record=True)
    own = lead(acme, manager, company="Acme")
    lead(acme, boss, name="zqhidden", secret="zqsecret")
    with tenant_scope(acme):
        from apps.objects import records

        records.update("api_lead", own, {"owner_id": str(manager.user_id), "secret": "zqsecret"}, by=boss)
    way.go()
    sent = b"".join(body for _, _, body in receiver.seen)
    assert b"Acme" in sent
    assert b"zqhidden" not in sent
    assert b"secret" not in sent
    log = "".join(attempt.request_body for attempt in way.attempts())
    assert "zqsecret" not in log
    assert "Acme" not in log
    assert '"company":"…"' in log
    skipped = [row.reason for row in way.deliveries() if row.state == DeliveryState.SKIPPED]
    assert skipped == [delivering.UNSEEN] * 2  # the boss's lead, and a change of nothing but the hidden field


def test_the_control_the_boss_gets_what_the_manager_does_not(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    hook(acme, receiver.url, boss, "api_lead.*", with_record=True)
    lead(acme, boss, name="zqhidden", secret="zqsecret")
    way.go()
    assert b"zqhidden" in receiver.seen[0][2]
    assert b"zqsecret" in receiver.seen[0][2]


def test_rights_are_those_of_the_moment_it_is_sent(
    acme: TenantRef, boss: Actor, manager: Actor, way: Way, receiver: Receiver
) -> None:
    receiver.answer = plain(500)
    hook(acme, receiver.url, manager, "api_lead.created", with_record=True)
    own = lead(acme, manager)
    way.go()
    change(acme, own, boss, owner_id=str(boss.user_id))
    way.work(again=True)
    assert len(receiver.seen) == 1
    assert way.deliveries()[0].reason == delivering.UNSEEN


def test_an_owner_without_the_permission_ends_the_sending(
    acme: TenantRef, boss: Actor, manager: Actor, way: Way, receiver: Receiver
) -> None:
    from apps.permissions import services
    from tests.events.webhooks.conftest import HOOKS

    endpoint_id, _ = hook(acme, receiver.url, manager, "api_lead.created")
    with tenant_scope(acme):
        services.unassign(name=HOOKS, user_id=manager.user_id, by=boss)
    try:
        lead(acme, manager)
        way.go()
        assert receiver.seen == []
        assert way.endpoint(endpoint_id).disabled_for == "owner"
    finally:
        with tenant_scope(acme):
            services.assign(name=HOOKS, user_id=manager.user_id, by=boss)


def test_whoever_changes_an_endpoint_becomes_its_owner(
    acme: TenantRef, boss: Actor, manager: Actor, way: Way, receiver: Receiver
) -> None:
    """Else a member could lead what the boss may read to an address of their own."""
    endpoint_id, _ = hook(acme, receiver.url, boss, "api_lead.created", with_record=True)
    with tenant_scope(acme):
        endpoints.update(endpoint_id=endpoint_id, changes={"url": receiver.url + "2"}, by=manager)
    lead(acme, boss, name="zqhidden")
    way.go()
    assert receiver.seen == []
    assert way.endpoint(endpoint_id).owner_id == manager.user_id


def test_a_tenant_that_is_not_open_sends_nothing(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    from apps.core.actor import SYSTEM
    from apps.tenants import lifecycle
    from apps.tenants.states import State

    def move(to: State) -> None:
        with platform_scope("test"):
            lifecycle.move(tenant_id=acme.id, to=to, by=SYSTEM, reason="test")

    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.relay()
    move(State.SUSPENDED)
    try:
        way.work()
    finally:
        move(State.ACTIVE)
    assert receiver.seen == []
    assert (way.delivery().state, way.delivery().reason) == (DeliveryState.SKIPPED, delivering.SUSPENDED)
    with tenant_scope(acme):
        deliveries.redeliver(delivery_id=way.delivery().id, by=boss)
    way.work()
    assert len(receiver.seen) == 1


def test_a_large_record_is_left_out(acme: TenantRef, boss: Actor, way: Way, receiver: Receiver) -> None:
    hook(acme, receiver.url, boss, "api_lead.created", with_record=True)
    lead(acme, boss, notes="x" * 30_000)
    way.go()
    body = receiver.seen[0][2]
    assert len(body) < 20_000
    assert json.loads(body)["data"]["recordomitted"] == "too large"


def test_both_secrets_sign_while_one_is_replaced(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    """R36: twenty rotations; the receiver that knows either of the last two is never refused, an older one is."""
    endpoint_id, secret = hook(acme, receiver.url, boss, "api_lead.created")
    known = [secret]
    for _ in range(20):
        with tenant_scope(acme):
            known.append(endpoints.rotate(endpoint_id=endpoint_id, by=boss))
        lead(acme, boss)
        way.go()
        _, headers, body = receiver.seen[-1]
        Webhook(known[-1]).verify(body, headers)
        Webhook(known[-2]).verify(body, headers)
        for old in known[:-2]:
            with pytest.raises(WebhookVerificationError):
                Webhook(old).verify(body, headers)
    with tenant_scope(acme):
        known.append(endpoints.rotate(endpoint_id=endpoint_id, by=boss, grace_hours=0))
    lead(acme, boss)
    way.go()
    _, headers, body = receiver.seen[-1]
    Webhook(known[-1]).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(known[-2]).verify(body, headers)


def test_delivered_once_however_often_the_event_is_handed_over(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM public.events_inbox")  # as after a restored dump
    way.go()
    assert len(receiver.seen) == 1


def test_the_test_button_tells_at_once_and_never_tries_again(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    receiver.answer = plain(500, b"broken\x00here")
    endpoint_id, secret = hook(acme, receiver.url, boss, "api_lead.created")
    with tenant_scope(acme):
        endpoints.pause(endpoint_id=endpoint_id, by=boss)
        deliveries.test(endpoint_id=endpoint_id, by=boss)
    way.work()
    way.work(again=True)
    assert len(receiver.seen) == 1
    _, headers, body = receiver.seen[0]
    assert Webhook(secret).verify(body, headers)["type"] == "webhook.test"
    assert way.delivery().state == DeliveryState.FAILED
    (attempt,) = way.attempts()
    assert attempt.response_body == "broken\ufffdhere"
    assert way.endpoint(endpoint_id).failing_since is None


def test_what_was_missed_is_sent_in_its_order(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    endpoint_id, _ = hook(acme, receiver.url, boss, "api_lead.created")
    ids = [lead(acme, boss) for _ in range(5)]
    way.relay()
    with tenant_scope(acme):
        endpoints.pause(endpoint_id=endpoint_id, by=boss)
    way.work()
    assert receiver.seen == []
    assert {row.state for row in way.deliveries()} == {DeliveryState.SKIPPED}
    with tenant_scope(acme):
        endpoints.resume(endpoint_id=endpoint_id, by=boss)
        deliveries.send_missed(endpoint_id=endpoint_id, by=boss)
    way.work()
    way.work(again=True)
    assert sorted(json.loads(body)["data"]["id"] for _, _, body in receiver.seen) == sorted(ids)
    with tenant_scope(acme):
        assert queries.tallies([endpoint_id])[endpoint_id].delivered == 5


def test_an_address_that_moves_inside_reaches_nothing(
    acme: TenantRef, boss: Actor, way: Way, monkeypatch: Any, settings: Any
) -> None:
    """R29 through the sink: saved as a public name, which then leads to the canary."""
    from apps.core import egress

    canary = Canary()
    try:
        settings.EGRESS_PORTS = ["443", str(canary.port)]
        hook(acme, f"https://moves.example.org:{canary.port}/", boss, "api_lead.created")
        monkeypatch.setattr(egress, "system_resolver", lambda *_: ["127.0.0.1"])
        lead(acme, boss)
        way.go()
        assert canary.caught == []
        assert "not on the public internet" in way.delivery().reason
        settings.EGRESS_ALLOW = ["127.0.0.1"]  # the control
        way.work(again=True)
        assert len(canary.caught) == 1
    finally:
        canary.close()
