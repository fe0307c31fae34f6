"""The doors of webhooks: who may manage them, what they say, and messages that come in over HTTP."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from apps.audit import queries
from apps.core.scope import TenantRef, tenant_scope
from apps.events.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tests.api.conftest import Caller, caller, make_key
from tests.audit.settling import settle

URL = "https://hooks.example.org/in?token=zqtoken"
pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture(autouse=True)
def quiet(acme: TenantRef, globex: TenantRef) -> Any:
    from tests.events.webhooks.conftest import wipe

    wipe()
    yield
    wipe()


def made(owner: Caller, **more: Any) -> dict[str, Any]:
    answer = owner.post("/api/v1/webhooks", {"url": URL, "types": ["api_lead.*"], **more})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_the_life_of_a_webhook(owner: Caller) -> None:
    hook = made(owner, description="Sales", withRecord=True)
    assert hook["secret"].startswith("whsec_")
    path = f"/api/v1/webhooks/{hook['id']}"
    read = owner.get(path).json()
    assert read == {key: value for key, value in hook.items() if key != "secret"}
    assert (read["withRecord"], read["shape"], read["state"]) == (True, "cloudevents", "active")
    changed = owner.send("PATCH", path, {"types": ["*"], "shape": "plain"}).json()
    assert (changed["types"], changed["shape"], changed["description"]) == (["*"], "plain", "Sales")
    assert owner.post(f"{path}/pause").status_code == 200
    assert owner.post(f"{path}/pause").status_code == 409
    assert owner.post(f"{path}/send-missed", {}).status_code == 409
    assert owner.post(f"{path}/resume").status_code == 200
    assert owner.post(f"{path}/rotate", {"graceHours": 1}).json()["secret"] != hook["secret"]
    assert owner.post(f"{path}/rotate", {"graceHours": 169}).status_code == 400
    assert owner.post(f"{path}/rotate", {"graceHours": True}).status_code == 400
    tried = owner.post(f"{path}/test").json()
    (delivery,) = owner.get(f"{path}/deliveries").json()["deliveries"]
    assert (delivery["id"], delivery["isTest"], delivery["state"]) == (tried["id"], True, "waiting")
    shown = owner.get(f"/api/v1/webhooks/deliveries/{tried['id']}").json()
    assert shown["delivery"]["type"] == "webhook.test"
    assert owner.post(f"/api/v1/webhooks/deliveries/{tried['id']}/redeliver").status_code == 409
    assert owner.post(f"{path}/send-missed", {"days": 31}).status_code == 400
    assert owner.post(f"{path}/send-missed", {"days": 3}).status_code == 202
    assert owner.send("DELETE", path).status_code == 200
    assert owner.get(path).status_code == 404
    assert owner.get("/api/v1/webhooks").json() == {"webhooks": []}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "http://localhost/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://a:b@x.org/"}, "url"),
        ({"types": []}, "types"),
        ({"types": ["nonsense"]}, "types"),
        ({"types": ["unknown.event"]}, "types"),
        ({"types": ["*"] + [f"a.b{i}" for i in range(60)]}, "types"),
        ({"shape": "xml"}, "shape"),
        ({"description": "x" * 201}, "description"),
        ({"owner": "somebody"}, "owner"),
        ({"state": "disabled"}, "state"),
    ],
)
def test_what_is_wrong_is_named(owner: Caller, wrong: dict[str, Any], field: str) -> None:
    answer = owner.post("/api/v1/webhooks", {"url": URL, "types": ["*"], **wrong})
    assert answer.status_code == 400
    assert [item["field"] for item in answer.json()["fields"]] == [field]


def test_no_hostile_address_is_taken(owner: Caller, settings: Any) -> None:
    """R29 at the sink: what the guard's own test sends past the canary is refused when it is typed."""
    from tests.core.test_egress import TARGETS

    settings.RATE_LIMIT_USER = settings.RATE_LIMIT_IP = "0/m"
    hook, taken = made(owner), []
    for url in TARGETS:
        body = {"url": url.replace("{port}", "2222"), "types": ["*"]}
        answers = [
            owner.post("/api/v1/webhooks", body),
            owner.send("PATCH", f"/api/v1/webhooks/{hook['id']}", {"url": body["url"]}),
        ]
        taken += [url for answer in answers if answer.status_code != 400]
    assert taken == []
    assert len(owner.get("/api/v1/webhooks").json()["webhooks"]) == 1


def test_only_holders_of_the_permission_get_in(
    owner: Caller, sales: Caller, people: Any, acme: TenantRef
) -> None:
    hook = made(owner)
    refused = [
        sales.get("/api/v1/webhooks"),
        sales.get(f"/api/v1/webhooks/{hook['id']}"),
        sales.post("/api/v1/webhooks", {"url": URL, "types": ["*"]}),
        sales.send("PATCH", f"/api/v1/webhooks/{hook['id']}", {"types": ["*"]}),
        sales.post(f"/api/v1/webhooks/{hook['id']}/rotate", {}),
        sales.post(f"/api/v1/webhooks/{hook['id']}/test"),
        sales.get(f"/api/v1/webhooks/{hook['id']}/deliveries"),
        sales.get("/api/v1/hooks/sources"),
        sales.post("/api/v1/hooks/sources", {"name": "x1", "scheme": "standard"}),
    ]
    assert {answer.status_code for answer in refused} == {403}
    narrow = caller("acme", make_key(acme, people.actor("owner"), ("data:*",)))
    assert narrow.get("/api/v1/webhooks").status_code == 403
    wide = caller("acme", make_key(acme, people.actor("owner"), ("webhooks:write",)))
    assert wide.get("/api/v1/webhooks").status_code == 200


def test_an_endpoint_keeps_the_scopes_of_the_key_that_made_it(people: Any, acme: TenantRef) -> None:
    """Else a key that may not read records could have them sent."""
    narrow = caller("acme", make_key(acme, people.actor("owner"), ("webhooks:write",)))
    made(narrow)
    with tenant_scope(acme):
        assert WebhookEndpoint.objects.get().owner_scopes == ["webhooks:write"]


def test_another_tenants_webhook_is_absent(owner: Caller, keys: dict[str, str]) -> None:
    theirs = made(caller("globex", keys["owner@globex"]))
    path = f"/api/v1/webhooks/{theirs['id']}"
    answers = [owner.get(path), owner.send("PATCH", path, {"types": ["*"]}), owner.send("DELETE", path)]
    answers += [owner.post(f"{path}/{verb}", {}) for verb in ("pause", "rotate", "test", "send-missed")]
    assert {answer.status_code for answer in answers} == {404}


def test_the_ledger_tells_who_did_what_and_no_secret(
    owner: Caller, sales: Caller, acme: TenantRef, superuser_url: str
) -> None:
    import psycopg

    hook = made(owner)
    second = owner.post(f"/api/v1/webhooks/{hook['id']}/rotate", {}).json()["secret"]
    sales.post(f"/api/v1/webhooks/{hook['id']}/rotate", {})
    settle(acme)
    with psycopg.connect(superuser_url) as admin:
        tables = admin.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname IN ('public', %s)",
            [acme.schema],
        ).fetchall()
        for schema, table in tables:  # as a dump would show them
            rows = admin.execute(f'SELECT t::text FROM "{schema}"."{table}" t').fetchall()
            text = "\n".join(row[0] or "" for row in rows)
            for secret in (hook["secret"], second):
                assert secret not in text, table
                assert secret.removeprefix("whsec_").encode().hex() not in text, table
            if table.startswith("audit_"):
                assert "zqtoken" not in text
        actions = admin.execute(
            f'SELECT action FROM "{acme.schema}".audit_entry WHERE action LIKE %s ORDER BY seq', ["webhook.%"]
        ).fetchall()
    assert [row[0] for row in actions][-3:] == [
        "webhook.created",
        "webhook.secret_rotated",
        "webhook.secret_rotated",
    ]


def send(path: str, secret: str, body: bytes, tenant: str | None = "acme", **more: str) -> Any:
    now = datetime.fromtimestamp(int(time.time()), UTC)
    headers = {
        "HTTP_WEBHOOK_ID": "msg_http",
        "HTTP_WEBHOOK_TIMESTAMP": str(int(now.timestamp())),
        "HTTP_WEBHOOK_SIGNATURE": Webhook(secret).sign("msg_http", now, body.decode()),
    }
    return caller(tenant).send("POST", path, body, **(headers | more))


def test_a_message_comes_in(owner: Caller, acme: TenantRef) -> None:
    source = owner.post("/api/v1/hooks/sources", {"name": "partner", "scheme": "standard"}).json()
    assert source["path"] == "/api/v1/hooks/in/partner"
    body = json.dumps({"order": 7}).encode()
    first = send(source["path"], source["secret"], body)
    again = send(source["path"], source["secret"], body)
    assert (first.status_code, first.json()["repeated"]) == (202, False)
    assert (again.status_code, again.json()["repeated"]) == (202, True)
    assert first.json()["event"] == again.json()["event"]
    wrong = send(source["path"], "whsec_" + "A" * 44, body)
    assert (wrong.status_code, wrong.json()["code"]) == (401, "SIGNATURE_INVALID")
    assert send("/api/v1/hooks/in/absent", source["secret"], body).status_code == 404
    assert send(source["path"], source["secret"], body, tenant="globex").status_code == 404
    assert send(source["path"], source["secret"], body, tenant=None).status_code == 400
    assert send(source["path"], source["secret"], b"x" * 300_000).status_code == 413
    with tenant_scope(acme):
        assert OutboxEvent.objects.filter(type="webhook.received").count() == 1
    read = owner.get(f"/api/v1/hooks/sources/{source['id']}").json()
    assert read["source"]["received"] == 1
    assert [(item["messageId"], item["repeats"]) for item in read["messages"]] == [("msg_http", 1)]
    assert read["source"]["lastRefusal"]
    assert "secret" not in read["source"]
    assert owner.post(f"/api/v1/hooks/sources/{source['id']}/pause").status_code == 200
    assert send(source["path"], source["secret"], body).status_code == 404
    assert owner.post(f"/api/v1/hooks/sources/{source['id']}/resume").status_code == 200
    assert owner.post(f"/api/v1/hooks/sources/{source['id']}/rotate").json()["secret"].startswith("whsec_")
    assert owner.send("DELETE", f"/api/v1/hooks/sources/{source['id']}").status_code == 200


def test_slack_may_ask_whether_the_address_is_ours(owner: Caller) -> None:
    import hashlib
    import hmac

    secret = "a secret that slack shows"
    given = {"name": "slack", "scheme": "slack", "secret": secret}
    source = owner.post("/api/v1/hooks/sources", given).json()
    body, now = b'{"type": "url_verification", "challenge": "3eZbrw1a"}', str(int(time.time()))
    sign = hmac.new(secret.encode(), f"v0:{now}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {"HTTP_X_SLACK_REQUEST_TIMESTAMP": now, "HTTP_X_SLACK_SIGNATURE": f"v0={sign}"}
    answer = caller("acme").send("POST", source["path"], body, **headers)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1a"})
    assert caller("acme").send("POST", source["path"], body + b" ", **headers).status_code == 401


def test_options_of_a_plain_hmac(owner: Caller) -> None:
    given = {"name": "shop", "scheme": "hmac", "header": "x-shop-hmac", "encoding": "base64"}
    source = owner.post("/api/v1/hooks/sources", given).json()
    assert source["options"] == {"header": "x-shop-hmac", "encoding": "base64"}
    refused = owner.post("/api/v1/hooks/sources", {"name": "shop2", "scheme": "hmac"})
    assert [item["field"] for item in refused.json()["fields"]] == ["options.header"]


def test_a_failed_delivery_is_sent_again_with_an_entry(owner: Caller, acme: TenantRef) -> None:
    hook = made(owner)
    tried = owner.post(f"/api/v1/webhooks/{hook['id']}/test").json()["id"]
    with tenant_scope(acme):
        WebhookDelivery.objects.filter(pk=tried).update(state="failed")
    answer = owner.post(f"/api/v1/webhooks/deliveries/{tried}/redeliver")
    assert answer.status_code < 300, answer.content
    with tenant_scope(acme):
        (entry,) = queries.browse(queries.Filters(action="webhook.redelivered")).entries
    assert entry.details["delivery"] == tried
    assert owner.send("DELETE", f"/api/v1/webhooks/{hook['id']}").status_code == 200
