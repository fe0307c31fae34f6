"""Webhooks in a browser: set up, the secret copied, tried and seen to arrive, failing and sent again; all looks in order."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import expect
from standardwebhooks import Webhook

from apps.core.scope import tenant_scope
from apps.events.jobs import runner
from apps.events.models import WebhookEndpoint
from apps.events.webhooks import sources
from apps.objects import records
from tests.api.conftest import environment
from tests.core.listeners import VOUCHED, Receiver, plain
from tests.events.webhooks.conftest import Way, wipe
from tests.journeys.test_portal_looks import judge
from tests.looks import LOOKS, chosen
from tests.portal.atelier import PASSWORD, Atelier, atelier
from tests.portal.browser import faults, opened, sign_in
from tests.servers import LiveServer, live_server

__all__ = ["atelier"]
pytestmark = pytest.mark.browser


@pytest.fixture
def receiver(settings: Any, atelier: Atelier) -> Iterator[Receiver]:
    settings.EGRESS_ALLOW = [f"{VOUCHED}/32"]
    wipe()
    made = Receiver()
    yield made
    made.close()
    wipe()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, atelier: Atelier) -> Iterator[LiveServer]:
    """A server whose operator vouches for the receiver's address."""
    with environment(EGRESS_ALLOW=f"{VOUCHED}/32"), live_server(tmp_path_factory.mktemp("hooks")) as running:
        yield running


@pytest.fixture
def worker(receiver: Receiver) -> Iterator[None]:
    """Somebody who does the jobs that the pages ask for."""
    stop = threading.Event()

    def work() -> None:
        try:
            runner.work_forever(stop, pause=0.05)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


def apart(do: Callable[[], Any]) -> None:
    """Do it in a thread of its own: the browser's driver keeps this one's event loop."""

    def run() -> None:
        try:
            do()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def something_happens(atelier: Atelier) -> None:
    with tenant_scope(atelier.ref):
        records.create("crm_lead", {"name": "Ada", "company": "Engines"}, by=atelier.actor("admin"))
    Way(atelier.ref).relay()


def test_a_webhook_from_setting_up_to_sending_again(
    house: LiveServer, atelier: Atelier, receiver: Receiver, worker: None
) -> None:
    base = house.url("", tenant=atelier.ref.slug)
    with opened() as page:
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        page.goto(f"{base}/settings/keys")
        page.get_by_role("link", name="Webhooks", exact=True).click()
        page.get_by_role("link", name="New webhook").first.click()
        page.get_by_label("Address").fill("http://10.0.0.1/")
        page.get_by_role("button", name="Set up the webhook").click()
        expect(page.get_by_role("alert").first).to_contain_text("not on the public internet")
        assert faults(page) == []
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_label("Name", exact=True).fill("Warehouse")
        page.get_by_role("group", name="Leads").get_by_label("Created").check()
        page.get_by_role("button", name="Set up the webhook").click()
        secret = page.get_by_role("textbox", name="Secret").input_value()
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_text("The receiver took the event.")).to_be_visible()  # without a reload
        _, headers, body = receiver.seen[0]
        assert Webhook(secret).verify(body, headers)["type"] == "webhook.test"
        receiver.answer = plain(503, b"closed for today")
        apart(lambda: something_happens(atelier))
        page.get_by_role("link", name="Warehouse").click()
        page.get_by_role("link", name="crm.lead.created").click()
        expect(page.get_by_text("The receiver answered 503.").first).to_be_visible()
        expect(page.get_by_text("closed for today")).to_be_visible()
        page.get_by_role("link", name="Warehouse").click()
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("The webhook is paused.")).to_be_visible()
        page.get_by_role("link", name="Remove…").click()
        page.get_by_role("button", name="Remove the webhook").click()
        expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()


@pytest.mark.parametrize("look", chosen())
def test_the_pages_of_webhooks_are_in_order(
    house: LiveServer, atelier: Atelier, receiver: Receiver, look: str, tmp_path: Path
) -> None:
    from apps.events.webhooks import deliveries, endpoints

    base, by = house.url("", tenant=atelier.ref.slug), atelier.actor("admin")
    with tenant_scope(atelier.ref):
        row, _ = endpoints.create(url=receiver.url, types=["*"], by=by, description="Warehouse")
        delivery = deliveries.test(endpoint_id=row.id, by=by)
        source, _ = sources.create(name="partner", scheme="standard", by=by)
        assert WebhookEndpoint.objects.count() == 1
    paths = [
        "",
        "/new",
        f"/{row.id}",
        f"/{row.id}/edit",
        f"/{row.id}?confirm=delete",
        "/in/new",
        f"/in/{source.id}",
    ]
    with opened(**LOOKS[look]) as page:
        page.context.add_cookies([{"name": "aibos_language", "value": "en", "url": base}])
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        if look == "arabic":
            page.context.add_cookies([{"name": "aibos_language", "value": "ar", "url": base}])
        found = judge(page, base, [f"/settings/webhooks{path}" for path in paths])
        apart(runner.run_next)
        found |= judge(page, base, [f"/settings/webhooks/deliveries/{delivery}"])
    assert found == {}
