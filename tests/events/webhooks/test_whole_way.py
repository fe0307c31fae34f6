"""The whole way: a record changes, the log's own reader hands the event over, a worker sends it."""

import datetime as dt
import json
from typing import Any

from django.utils import timezone

from apps.core.actor import Actor
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events import relay
from apps.events.models import InboxEvent, WebhookDelivery
from apps.events.webhooks import health
from tests.core.listeners import Receiver, plain
from tests.events.webhooks.conftest import Way, hook, lead


def test_from_the_record_to_the_receiver(
    acme: TenantRef, globex: TenantRef, staff: Any, boss: Actor, way: Way, receiver: Receiver
) -> None:
    relay.deliver_all()  # what earlier tests wrote
    hook(acme, receiver.url, boss, "api_lead.*")
    ids = [lead(acme, boss) for _ in range(20)]
    lead(globex, staff.actor("owner", "globex"))
    relay.deliver_all()
    relay.deliver_all()
    way.work()
    assert [json.loads(body)["data"]["id"] for _, _, body in receiver.seen] == ids
    with platform_scope("test"):
        noted = InboxEvent.objects.filter(subscriber="webhooks")
        assert noted.filter(tenant_id=acme.id).count() == 20
        assert noted.filter(tenant_id=globex.id).count() == 0


def test_health_judges_what_is_overdue_and_only_counts_receivers(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    receiver.answer = plain(500)
    hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    found = health.webhooks()
    assert found.status == "ok"
    assert (found.figures["webhooks_failing"], found.figures["webhooks_waiting_deliveries"]) == (1, 1)
    for seconds, status in ((301, "degraded"), (3601, "failed")):
        with tenant_scope(acme):
            moment = timezone.now() - dt.timedelta(seconds=seconds)
            WebhookDelivery.objects.update(next_at=moment)
        assert health.webhooks().status == status
