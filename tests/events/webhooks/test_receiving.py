"""Webhooks in: only what is signed, fresh and new becomes an event."""

import base64
import hashlib
import hmac
import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections
from standardwebhooks import Webhook

from apps.core.actor import Actor
from apps.core.errors import Invalid, NotFound
from apps.core.scope import TenantRef, tenant_scope
from apps.events.models import OutboxEvent, WebhookReceipt, WebhookSource
from apps.events.types import Event
from apps.events.webhooks import receiving, schemes, secrets, signing, sources
from apps.events.webhooks.receiving import Unverified, receive
from apps.events.webhooks.schemes import Given, Refusal
from apps.identity import seen

TYPED = "a secret that people type"
BODY = b'{"amount": 12.50, "note": "hello"}'


@pytest.fixture(autouse=True)
def no_minute() -> None:
    seen.forget()


def opened(ref: TenantRef, by: Actor, scheme: str = "standard", **more: Any) -> str:
    """Open a source called in-<scheme>; return its secret."""
    with tenant_scope(ref):
        return sources.create(name=f"in-{scheme}", scheme=scheme, by=by, **more)[1]


def events(ref: TenantRef) -> list[Event]:
    with tenant_scope(ref):
        rows = OutboxEvent.objects.filter(tenant_id=ref.id, type="webhook.received").order_by("id")
        return [Event.read(bytes(row.body)) for row in rows]


def signed(
    secret: str, body: bytes = BODY, message_id: str = "msg_1", at: float | None = None
) -> dict[str, str]:
    """Headers as the published library makes them."""
    moment = datetime.fromtimestamp(int(at or time.time()), UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
        "content-type": "application/json",
    }


def mac(secret: str, text: bytes, digest: Any = hashlib.sha256) -> bytes:
    return hmac.digest(secret.encode(), text, digest)


def test_what_the_published_library_signs_becomes_an_event_once(
    acme: TenantRef, boss: Actor, staff: Any
) -> None:
    secret = opened(acme, boss)
    headers = signed(secret)
    first = receive(acme, "in-standard", headers=headers, body=BODY)
    again = receive(acme, "in-standard", headers=headers, body=BODY)
    later = receive(acme, "in-standard", headers=signed(secret, at=time.time() + 20), body=BODY)
    assert (first.repeated, again.repeated, later.repeated) == (False, True, True)
    assert {first.event_id} == {again.event_id, later.event_id}
    (event,) = events(acme)
    assert event.id == first.event_id
    assert event.data["payload"] == {"amount": "12.50", "note": "hello"}
    assert event.data["source"] == "in-standard"
    other = receive(acme, "in-standard", headers=signed(secret, message_id="msg_2"), body=BODY)
    assert not other.repeated
    with tenant_scope(acme):
        row = WebhookSource.objects.get()
        assert (row.received, WebhookReceipt.objects.get(event_id=first.event_id).repeats) == (2, 2)


CASES = {
    "no signature": lambda h, b: ({k: v for k, v in h.items() if k != "webhook-signature"}, b),
    "no id": lambda h, b: ({k: v for k, v in h.items() if k != "webhook-id"}, b),
    "no timestamp": lambda h, b: ({k: v for k, v in h.items() if k != "webhook-timestamp"}, b),
    "another body": lambda h, b: (h, b + b" "),
    "another id": lambda h, b: (h | {"webhook-id": "msg_2"}, b),
    "another time": lambda h, b: (h | {"webhook-timestamp": str(int(h["webhook-timestamp"]) + 1)}, b),
    "no number": lambda h, b: (h | {"webhook-timestamp": "now"}, b),
    "a cut signature": lambda h, b: (h | {"webhook-signature": h["webhook-signature"][:-2]}, b),
    "another version": lambda h, b: (h | {"webhook-signature": h["webhook-signature"].replace("v1,", "v9,")}, b),
    "not ASCII": lambda h, b: (h | {"webhook-signature": "v1,é"}, b),
}  # fmt: skip


@pytest.mark.parametrize("spoil", CASES.values(), ids=CASES)
def test_what_is_not_genuine_is_refused(acme: TenantRef, boss: Actor, staff: Any, spoil: Any) -> None:
    secret = opened(acme, boss)
    headers, body = spoil(signed(secret), BODY)
    with pytest.raises(Unverified):
        receive(acme, "in-standard", headers=headers, body=body)
    assert events(acme) == []
    with tenant_scope(acme):
        row = WebhookSource.objects.get()
        assert (row.received, row.refused) == (0, 1)
        assert row.last_refusal


@pytest.mark.parametrize("seconds", [-301, 301])
def test_old_and_future_messages_are_refused(acme: TenantRef, boss: Actor, staff: Any, seconds: int) -> None:
    secret = opened(acme, boss)
    with pytest.raises(Unverified):
        receive(acme, "in-standard", headers=signed(secret, at=time.time() + seconds), body=BODY)
    receive(acme, "in-standard", headers=signed(secret, at=time.time() + seconds * 0.97), body=BODY)


def test_another_tenants_source_and_secret_are_nothing_here(
    acme: TenantRef, globex: TenantRef, boss: Actor, staff: Any
) -> None:
    secret = opened(acme, boss)
    headers = signed(secret)
    with pytest.raises(NotFound):
        receive(globex, "in-standard", headers=headers, body=BODY)
    opened(globex, staff.actor("owner", "globex"))
    with pytest.raises(Unverified):
        receive(globex, "in-standard", headers=headers, body=BODY)
    assert events(acme) == events(globex) == []
    receive(acme, "in-standard", headers=headers, body=BODY)  # the control


def test_a_paused_source_is_absent(acme: TenantRef, boss: Actor, staff: Any) -> None:
    secret = opened(acme, boss)
    with tenant_scope(acme):
        sources.switch(source_id=WebhookSource.objects.get().id, on=False, by=boss)
    with pytest.raises(NotFound):
        receive(acme, "in-standard", headers=signed(secret), body=BODY)


def test_two_secrets_are_valid_while_one_is_replaced(acme: TenantRef, boss: Actor, staff: Any) -> None:
    secret = opened(acme, boss)
    with tenant_scope(acme):
        source_id = WebhookSource.objects.get().id
        second = sources.rotate(source_id=source_id, by=boss)
    for number, each in enumerate((secret, second)):
        receive(acme, "in-standard", headers=signed(each, message_id=f"m{number}"), body=BODY)
    with tenant_scope(acme):
        third = sources.rotate(source_id=source_id, by=boss, grace_hours=0)
    receive(acme, "in-standard", headers=signed(third, message_id="m3"), body=BODY)
    for each in (secret, second):
        with pytest.raises(Unverified):
            receive(acme, "in-standard", headers=signed(each, message_id="m4"), body=BODY)


def test_fifty_at_once_are_one_event(acme: TenantRef, boss: Actor, staff: Any) -> None:
    headers = signed(opened(acme, boss))
    told: list[Any] = []

    def send() -> None:
        try:
            told.append(receive(acme, "in-standard", headers=headers, body=BODY))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 50
    assert sum(not one.repeated for one in told) == 1
    assert len(events(acme)) == 1


def test_the_control_without_the_receipt_a_replay_is_a_second_event(
    acme: TenantRef, boss: Actor, staff: Any
) -> None:
    headers = signed(opened(acme, boss))
    receive(acme, "in-standard", headers=headers, body=BODY)
    with tenant_scope(acme):
        WebhookReceipt.objects.all().delete()
    receive(acme, "in-standard", headers=headers, body=BODY)
    assert len(events(acme)) == 2


def test_the_vector_of_standard_webhooks() -> None:
    """The vector of the specification's libraries."""
    key = signing.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signing.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def given(headers: dict[str, str], body: bytes, now: float) -> Given:
    return Given(headers, body, now)


def test_the_example_of_githubs_documentation() -> None:
    secret = "It's a Secret to Everybody"
    right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    message = given({"x-hub-signature-256": right, "x-github-delivery": "72d3162e"}, b"Hello, World!", 0)
    assert schemes.github(message, [secret], {}).message_id == "72d3162e"
    with pytest.raises(Refusal):
        schemes.github(given({"x-hub-signature-256": right}, b"Hello, World", 0), [secret], {})


def test_the_example_of_slacks_documentation() -> None:
    secret, stamp = "8f742231b10e8888abcd99yyyzzz85a5", 1531420618
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": str(stamp),
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    schemes.slack(given(headers, body, stamp + 10), [secret], {})
    with pytest.raises(Refusal, match="five minutes"):
        schemes.slack(given(headers, body, stamp + 301), [secret], {})


def test_stripe_takes_one_of_several_signatures() -> None:
    body, stamp = b'{"id": "evt_1"}', 1_700_000_000
    right = mac(TYPED, f"{stamp}.".encode() + body).hex()
    header = f"t={stamp},v1={'0' * 64},v1={right},v0=abc"
    schemes.stripe(given({"stripe-signature": header}, body, stamp), [TYPED], {})
    for wrong in (
        header.replace(right, "0" * 64),
        f"t={stamp + 1},v1={right}",
        f"v1={right}",
        f"t={stamp}",
        "x",
    ):
        with pytest.raises(Refusal):
            schemes.stripe(given({"stripe-signature": wrong}, body, stamp), [TYPED], {})


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_plain_hmac_in_any_header(digest: str, encoding: str) -> None:
    raw = mac(TYPED, BODY, getattr(hashlib, digest))
    text = raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()
    options = {
        "header": "x-sign",
        "prefix": "s=",
        "encoding": encoding,
        "digest": digest,
        "id_header": "x-id",
    }
    schemes.plain_hmac(given({"x-sign": f"s={text}"}, BODY, 0), [TYPED], options)
    for wrong in (text, f"s={text[:-4]}", "s=", f"s={'é' * 8}"):
        with pytest.raises(Refusal):
            schemes.plain_hmac(given({"x-sign": wrong}, BODY, 0), [TYPED], options)


def test_a_plain_hmac_with_a_timestamp_is_fresh_or_refused() -> None:
    options = {"header": "x-sign", "timestamp_header": "x-time"}
    text = mac(TYPED, b"1700000000." + BODY).hex()
    headers = {"x-sign": text, "x-time": "1700000000"}
    schemes.plain_hmac(given(headers, BODY, 1_700_000_000), [TYPED], options)
    for now, sent in ((1_700_000_400, headers), (1_700_000_000, headers | {"x-time": "1700000001"})):
        with pytest.raises(Refusal):
            schemes.plain_hmac(given(sent, BODY, now), [TYPED], options)


def test_what_a_message_may_hold(acme: TenantRef, boss: Actor, staff: Any) -> None:
    secret = opened(acme, boss, "github", secret=TYPED)

    def send(body: bytes) -> Any:
        headers = {"x-hub-signature-256": "sha256=" + mac(secret, body).hex()}
        receive(acme, "in-github", headers=headers, body=body)
        return events(acme)[-1].data

    assert send(b'[1, {"a": null}]')["payload"] == [1, {"a": None}]
    assert send(b"plain words")["text"] == "plain words"
    assert send(b"\xff\xfe")["base64"] == base64.b64encode(b"\xff\xfe").decode()
    assert send(b"")["text"] == ""
    assert send(b'{"x": NaN}')["text"] == '{"x": NaN}'
    assert send(json.dumps({"n": 2**60}).encode())["payload"] == {"n": str(2**60)}
    for broken in (b'{"x": "\\u0000"}', b"a\x00b"):
        with pytest.raises(Invalid):
            send(broken)
        with tenant_scope(acme):
            count = WebhookReceipt.objects.count()
    assert count == 6
    assert "text" in send(b"[" * 100_000 + b"]" * 100_000)  # too deep to be read


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "X"}, {"name": "a b"}, {"name": "a" * 41}, {"scheme": "none"}, {"secret": "short"},
        {"options": {"header": "x-a"}}, {"description": "x" * 201},
        {"scheme": "hmac"}, {"scheme": "hmac", "options": {"header": "X y"}},
        {"scheme": "hmac", "options": {"header": "x-a", "digest": "md5"}},
        {"scheme": "hmac", "options": {"header": "x-a", "encoding": "rot13"}},
        {"scheme": "hmac", "options": {"header": "x-a", "other": "1"}},
        {"scheme": "hmac", "options": {"header": "x-a", "prefix": "x" * 21}},
        {"scheme": "standard", "secret": "whsec_AAAA"},
    ],
)  # fmt: skip
def test_sources_are_checked(acme: TenantRef, boss: Actor, staff: Any, wrong: dict[str, Any]) -> None:
    with tenant_scope(acme), pytest.raises(Invalid):
        sources.create(**({"name": "good", "scheme": "github", "by": boss} | wrong))


def test_a_name_is_taken_once(acme: TenantRef, boss: Actor, staff: Any) -> None:
    opened(acme, boss)
    with pytest.raises(Invalid, match="already"):
        opened(acme, boss)


def test_refusals_are_noted_once_a_minute(acme: TenantRef, boss: Actor, staff: Any) -> None:
    opened(acme, boss)
    for _ in range(20):
        with pytest.raises(Unverified):
            receive(acme, "in-standard", headers={}, body=b"x")
    with tenant_scope(acme):
        assert WebhookSource.objects.get().refused == 1


def test_a_crash_before_the_commit_leaves_the_message_to_be_sent_again(
    acme: TenantRef, boss: Actor, staff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = signed(opened(acme, boss))
    with monkeypatch.context() as patch:
        patch.setattr(receiving.ledger, "record", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            receive(acme, "in-standard", headers=headers, body=BODY)
    assert events(acme) == []
    assert not receive(acme, "in-standard", headers=headers, body=BODY).repeated


def test_secrets_open_only_where_they_lie(acme: TenantRef, boss: Actor, staff: Any) -> None:
    from apps.core.sealing import SealBroken
    from apps.events.models import WebhookSecret

    opened(acme, boss)
    with tenant_scope(acme):
        row = WebhookSecret.objects.get()
        WebhookSecret.objects.create(
            tenant_id=acme.id, holder_id=row.holder_id, sealed=bytes(row.sealed)
        )  # moved to another row
        with pytest.raises(SealBroken):
            secrets.valid(row.holder_id)
