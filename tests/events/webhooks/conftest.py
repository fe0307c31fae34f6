"""Endpoints of the tests on 127.0.0.2, people with and without rights, and the way of an event to a receiver."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from apps.core.actor import SYSTEM, Actor
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.jobs import runner
from apps.events.models import OutboxEvent, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from apps.events.registry import subscribers
from apps.events.types import Event
from tests.core.listeners import VOUCHED, Receiver
from tests.events.working import clear

TABLES = ("endpoint", "secret", "delivery", "attempt", "source", "receipt")
HOOKS = "hooks_only"


@pytest.fixture(scope="session")
def staff(people: Any) -> Any:
    """People; `manager` may manage webhooks and read his own leads, without their secret field."""
    from apps.objects.parse import load_yaml
    from apps.objects.publish import publish_in
    from apps.permissions import queries, services
    from tests.api.objects import ACCOUNT, LEAD

    for slug, ref in people.tenants.items():
        publish_in(ref, [load_yaml(ACCOUNT), load_yaml(LEAD)], by=SYSTEM)
        with tenant_scope(ref):
            body = {"objects": {}, "fields": {}, "systemPermissions": ["manage_webhooks"]}
            if queries.find_set(HOOKS) is None:
                services.create_set(name=HOOKS, label="Hooks", body=body, by=SYSTEM)
            user = people.users[f"manager@{slug}"].id
            held = queries.assignments().get(user, [])
            for name in {HOOKS, "api_sales"} - set(held):
                services.assign(name=name, user_id=user, by=SYSTEM)
    return people


@pytest.fixture(autouse=True)
def quiet(acme: TenantRef, globex: TenantRef) -> Iterator[None]:
    """No webhooks, jobs and events of other tests."""
    wipe()
    yield
    wipe()


def wipe() -> None:
    clear()
    with platform_scope("test"), connections["default"].cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DELETE FROM public.webhooks_{table}")


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """Where events go: the one address of this machine that the operator vouches for."""
    settings.EGRESS_ALLOW = [f"{VOUCHED}/32"]
    made = Receiver()
    yield made
    made.close()


@dataclass
class Way:
    """Takes events from the log to deliveries, and jobs to their end."""

    ref: TenantRef

    def relay(self) -> int:
        """Hand every event of the log to the webhooks' subscriber; return how many."""
        from apps.events.delivery import handle

        with tenant_scope(self.ref):
            events = [
                Event.read(bytes(row.body))
                for row in OutboxEvent.objects.filter(tenant_id=self.ref.id).order_by("id")
            ]
            for event in events:
                handle(event, subscribers["webhooks"])
            return len(events)

    def work(self, *, again: bool = False) -> int:
        """Run the jobs of webhooks that are due; with `again` those that wait for a further attempt first."""
        if again:
            with platform_scope("test"), connections["default"].cursor() as cursor:
                cursor.execute("UPDATE public.events_job SET run_at = clock_timestamp(), asleep = false")
                cursor.execute("UPDATE public.webhooks_endpoint SET resting_until = NULL")
        done = 0
        while runner.run_next():
            done += 1
        return done

    def go(self) -> None:
        self.relay()
        self.work()

    def deliveries(self) -> list[WebhookDelivery]:
        with tenant_scope(self.ref):
            return list(WebhookDelivery.objects.order_by("id"))

    def delivery(self) -> WebhookDelivery:
        (found,) = self.deliveries()
        return found

    def attempts(self) -> list[WebhookAttempt]:
        with tenant_scope(self.ref):
            return list(WebhookAttempt.objects.order_by("id"))

    def endpoint(self, endpoint_id: UUID) -> WebhookEndpoint:
        with tenant_scope(self.ref):
            return WebhookEndpoint.objects.get(pk=endpoint_id)


@pytest.fixture
def way(acme: TenantRef, staff: Any) -> Way:
    return Way(acme)


@pytest.fixture
def boss(staff: Any) -> Actor:
    """The owner of acme, who may read everything."""
    actor: Actor = staff.actor("owner")
    return actor


@pytest.fixture
def manager(staff: Any) -> Actor:
    """May manage webhooks, reads own leads only, and never their field `secret`."""
    actor: Actor = staff.actor("manager")
    return actor


def lead(ref: TenantRef, by: Actor, **values: Any) -> str:
    """Create a lead and return its id."""
    from apps.objects import records

    with tenant_scope(ref):
        return str(records.create("api_lead", {"name": "Ada", **values}, by=by).id)


def change(ref: TenantRef, record_id: str, by: Actor, **values: Any) -> None:
    from apps.objects import records

    with tenant_scope(ref):
        records.update("api_lead", record_id, values, by=by)


def hook(ref: TenantRef, url: str, by: Actor, *types: str, **more: Any) -> tuple[UUID, str]:
    """Set up an endpoint; return its id and secret."""
    from apps.events.webhooks import endpoints

    with tenant_scope(ref):
        row, secret = endpoints.create(url=url, types=list(types or ("*",)), by=by, **more)
    return row.id, secret
