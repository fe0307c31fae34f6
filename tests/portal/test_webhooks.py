"""The pages of webhooks, without a browser: set up, tried, read, sent again, and addresses for senders."""

import html
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from apps.core.scope import tenant_scope
from apps.events.jobs import runner
from apps.events.models import WebhookDelivery, WebhookEndpoint, WebhookSource
from apps.objects import records
from tests.core.listeners import VOUCHED, Receiver, plain
from tests.events.webhooks.conftest import Way, wipe
from tests.portal.atelier import Atelier

FORM = {"url": "https://hooks.example.org/in", "description": "Warehouse", "types": ["crm.lead.created"]}


@pytest.fixture(autouse=True)
def quiet(atelier: Atelier) -> Iterator[None]:
    wipe()
    yield
    wipe()


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.EGRESS_ALLOW = [f"{VOUCHED}/32"]
    made = Receiver()
    yield made
    made.close()


def shown(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.content.decode()[-2000:]
    return html.unescape(answer.content.decode())


def secret_on(text: str) -> str:
    return re.search(r'id="new-secret" readonly value="([^"]+)"', text)[1]


def only(atelier: Atelier, model: Any) -> Any:
    with tenant_scope(atelier.ref):
        return model.objects.get()


def test_a_webhook_is_set_up_and_its_secret_shown_once(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    assert "No webhooks yet" in shown(admin.get("/settings/webhooks"))
    assert 'value="crm.lead.created"' in shown(admin.get("/settings/webhooks/new"))
    text = shown(admin.post("/settings/webhooks/new", FORM))
    secret = secret_on(text)
    assert secret.startswith("whsec_")
    path = f"/settings/webhooks/{only(atelier, WebhookEndpoint).id}"
    for page in ("/settings/webhooks", path, f"{path}/edit"):
        text = shown(admin.get(page))
        assert "Warehouse" in text
        assert secret not in text
    second = secret_on(shown(admin.post(f"{path}/do", {"action": "rotate", "hours": "72"})))
    assert second != secret
    assert "Two secrets sign at the moment" in shown(admin.get(path))


def test_what_is_wrong_stands_at_its_field(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    wrong = FORM | {"url": "https://localhost/", "types": [], "further": "nonsense"}
    text = shown(admin.post("/settings/webhooks/new", wrong), 400)
    assert "localhost is not a name of the public internet" in text
    assert "nonsense is not written like" in text
    assert 'value="https://localhost/"' in text
    assert 'value="nonsense"' in text
    with tenant_scope(atelier.ref):
        assert not WebhookEndpoint.objects.exists()


def test_types_are_ticked_typed_or_everything(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    shown(admin.post("/settings/webhooks/new", FORM | {"further": "*.purged crm.account.*"}))
    row = only(atelier, WebhookEndpoint)
    assert row.types == ["*.purged", "crm.account.*", "crm.lead.created"]
    text = shown(admin.get(f"/settings/webhooks/{row.id}/edit"))
    assert re.search(r'id="f-further" name="further" value="\*\.purged"', text)
    assert re.search(r'value="crm\.account\.\*" checked', text)
    answer = admin.post(f"/settings/webhooks/{row.id}/edit", FORM | {"everything": "1"})
    assert answer.status_code == 302
    assert only(atelier, WebhookEndpoint).types == ["*"]


def test_only_those_with_the_permission_see_the_pages(atelier: Atelier) -> None:
    admin, sales = atelier.client("admin"), atelier.client("sales")
    shown(admin.post("/settings/webhooks/new", FORM))
    path = f"/settings/webhooks/{only(atelier, WebhookEndpoint).id}"
    assert "/settings/webhooks" not in shown(sales.get("/settings/keys"))
    for page in (
        "/settings/webhooks",
        "/settings/webhooks/new",
        path,
        f"{path}/edit",
        "/settings/webhooks/in/new",
    ):
        assert sales.get(page).status_code == 403, page
    for action in ("pause", "rotate", "test", "delete", "missed"):
        assert sales.post(f"{path}/do", {"action": action}).status_code == 403, action
    assert sales.post("/settings/webhooks/new", FORM).status_code == 403
    assert sales.post("/settings/webhooks/in/new", {"name": "x1", "scheme": "github"}).status_code == 403


def test_a_test_is_sent_seen_and_sent_again(atelier: Atelier, receiver: Receiver) -> None:
    admin = atelier.client("admin")
    secret = secret_on(shown(admin.post("/settings/webhooks/new", FORM | {"url": receiver.url})))
    path = f"/settings/webhooks/{only(atelier, WebhookEndpoint).id}"
    answer = admin.post(f"{path}/do", {"action": "test"})
    assert "hx-trigger" in shown(admin.get(answer["Location"]))
    receiver.answer = plain(200, b"<b>thanks</b>")
    while runner.run_next():
        pass
    _, headers, body = receiver.seen[0]
    Webhook(secret).verify(body, headers)
    page = admin.get(answer["Location"])
    assert b"<b>thanks</b>" not in page.content
    text = shown(page)
    assert "The receiver took the event." in text
    assert "<b>thanks</b>" in text
    assert "webhook-signature: v1," in text
    assert 'hx-get="/settings/webhooks/deliveries' not in text
    assert admin.post(answer["Location"]).status_code == 302
    while runner.run_next():
        pass
    assert len(receiver.seen) == 2


def test_failures_are_told_and_missed_events_sent(atelier: Atelier, receiver: Receiver) -> None:
    admin, way = atelier.client("admin"), Way(atelier.ref)
    shown(admin.post("/settings/webhooks/new", FORM | {"url": receiver.url}))
    endpoint = only(atelier, WebhookEndpoint)
    path = f"/settings/webhooks/{endpoint.id}"
    receiver.answer = plain(500, b"out of order")
    with tenant_scope(atelier.ref):
        records.create("crm_lead", {"name": "Ada", "company": "Engines"}, by=atelier.actor("admin"))
    way.go()
    text = shown(admin.get(path))
    assert "Failing since" in text
    assert "crm.lead.created" in text
    delivery = only(atelier, WebhookDelivery)
    text = shown(admin.get(f"/settings/webhooks/deliveries/{delivery.id}"))
    assert "The receiver answered 500." in text
    assert "The next attempt is made" in text
    assert "out of order" in text
    assert admin.post(f"{path}/do", {"action": "pause"}).status_code == 302
    way.work(again=True)
    assert "Send 1 missed event" not in shown(admin.get(path))
    assert admin.post(f"{path}/do", {"action": "resume"}).status_code == 302
    assert "Send 1 missed event" in shown(admin.get(path))
    receiver.answer = plain(200)
    assert admin.post(f"{path}/do", {"action": "missed"})["Location"].startswith("/jobs/")
    way.work()
    assert only(atelier, WebhookDelivery).state == "delivered"
    assert admin.get(f"{path}?state=delivered").status_code == 200
    assert "Remove this webhook" in shown(admin.get(f"{path}?confirm=delete"))
    assert admin.post(f"{path}/do", {"action": "delete"})["Location"] == "/settings/webhooks"
    assert admin.get(path).status_code == 404


def test_an_address_for_a_sender(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    wrong = shown(admin.post("/settings/webhooks/in/new", {"name": "X", "scheme": "hmac"}), 400)
    assert "Use 2 to 40 small letters" in wrong
    assert "Write the name of a header" in wrong
    text = shown(admin.post("/settings/webhooks/in/new", {"name": "partner", "scheme": "standard"}))
    secret, source = secret_on(text), only(atelier, WebhookSource)
    assert f"http://{atelier.host}/api/v1/hooks/in/partner" in text
    now, body = datetime.fromtimestamp(int(time.time()), UTC), b'{"a": 1}'
    headers = {
        "webhook-id": "msg_7",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_7", now, body.decode()),
    }
    sender = atelier.client(None)
    sent = sender.post("/api/v1/hooks/in/partner", body, content_type="application/json", headers=headers)
    assert sent.status_code == 202
    path = f"/settings/webhooks/in/{source.id}"
    assert "msg_7" in shown(admin.get(path))
    typed = shown(admin.post(path, {"action": "rotate", "secret": "short"}), 400)
    assert "whsec_" in typed
    assert secret_on(shown(admin.post(path, {"action": "rotate", "hours": "0"}))) != secret
    assert (
        sender.post(
            "/api/v1/hooks/in/partner", body, content_type="application/json", headers=headers
        ).status_code
        == 401
    )
    assert "Last refusal" in shown(admin.get(path))
    assert admin.post(path, {"action": "pause"}).status_code == 302
    assert "Paused" in shown(admin.get("/settings/webhooks"))
    assert admin.post(path, {"action": "resume"}).status_code == 302
    assert admin.post(path, {"action": "delete"})["Location"] == "/settings/webhooks"
    assert admin.get(path).status_code == 404


def test_a_secret_that_was_typed_is_not_shown(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    given = {"name": "github", "scheme": "github", "secret": "zq-typed-secret-of-github"}
    assert "zq-typed" not in shown(admin.post("/settings/webhooks/in/new", given))
    wrong = given | {"name": "X"}
    assert "zq-typed" not in shown(admin.post("/settings/webhooks/in/new", wrong), 400)
