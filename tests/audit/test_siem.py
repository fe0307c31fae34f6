"""Copies for a SIEM: formats read by a strict reader, real listeners, and a place that is neither lost nor ahead."""

import datetime as dt
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.audit import ledger
from apps.audit.models import ExportPosition
from apps.audit.siem import formats, forward, transport
from apps.audit.siem.formats import Copied
from apps.audit.siem.forward import Forwarder
from apps.audit.siem.health import siem
from apps.core import context
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.audit.settling import settle
from tests.audit.test_sealing import person

NASTY = 'a|b=c\\d "e" ]f\nnew line\r\nüñí 漢字 \u2028'


class Listener:
    """A real receiver: takes connections one after the other and keeps what came, by connection."""

    def __init__(self, context: ssl.SSLContext | None = None, *, drop_first: bool = False) -> None:
        self.received: list[bytes] = []
        self._context, self._drop = context, drop_first
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                client, _address = self._server.accept()
            except OSError:
                return
            if self._drop:
                self._drop = False
                client.close()
                continue
            try:
                with self._context.wrap_socket(client, server_side=True) if self._context else client as way:
                    self.received.append(b"")
                    while chunk := way.recv(65_536):
                        self.received[-1] += chunk
            except (OSError, ssl.SSLError):
                continue

    def all(self) -> bytes:
        return b"".join(self.received)

    def close(self) -> None:
        self._stop.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def told(fresh_tenant: TenantRef) -> TenantRef:
    """A tenant with 12 chained entries, one by a person, one with nasty characters, one refused."""
    anna = person()
    with tenant_scope(fresh_tenant), context.carrying(ip="192.0.2.7", request_id="req-1"):
        ledger.record(
            "lead.updated", by=anna, target="crm_lead:1", before={"name": "x"}, after={"name": NASTY}
        )
        for number in range(9):
            ledger.record("lead.created", by=SYSTEM, target=f"crm_lead:{number}", after={"number": number})
    ledger.denied("lead.delete", by=anna, reason="no | right", target="crm_lead:1", tenant=fresh_tenant)
    settle(fresh_tenant)
    return fresh_tenant


def only(tenant: TenantRef, forwarder: Forwarder) -> int:
    """Forward this tenant's ledger alone."""
    sent = 0
    with platform_scope("test"):
        row = ExportPosition.objects.filter(tenant_id=tenant.id, target=forwarder._target.name).first()
    while True:
        with platform_scope("test"):
            done = forwarder._send(tenant.id, tenant, (row.seq if row else 0) + sent)
        if not done:
            return sent
        sent += done


def count(tenant: TenantRef) -> int:
    from apps.audit.models import Entry

    with tenant_scope(tenant):
        return Entry.objects.count()


def lines_of(listener: Listener) -> list[bytes]:
    return listener.all().rstrip(b"\n").split(b"\n")


def counted(data: bytes) -> list[bytes]:
    """Take octet-counted frames apart (RFC 6587), strictly."""
    found = []
    while data:
        size, _space, rest = data.partition(b" ")
        assert re.fullmatch(rb"[1-9][0-9]*", size)
        found.append(rest[: int(size)])
        assert len(found[-1]) == int(size)
        data = rest[int(size) :]
    return found


HEADER = re.compile(
    r"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48})"
    r" ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) "
)


def syslog(message: bytes) -> dict[str, Any]:
    """Read one message by the grammar of RFC 5424; anything else fails."""
    text = message.decode("utf-8", "strict")
    head = HEADER.match(text)
    assert head, text[:200]
    rest = text[head.end() :]
    params: dict[str, str] = {}
    if rest.startswith("-"):
        rest = rest[1:]
    else:
        assert rest.startswith("[aibos@32473")
        at = len("[aibos@32473")
        while rest[at] != "]":
            found = re.compile(
                r' ([\x21\x23-\x3c\x3e-\x5c\x5e-\x7e]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"'
            ).match(rest, at)
            assert found, rest[at : at + 80]
            params[found[1]] = re.sub(r'\\(["\\\]])', r"\1", found[2])
            at = found.end()
        rest = rest[at + 1 :]
    assert rest.startswith(" \ufeff")
    return {"pri": int(head[1]), "at": head[2], "id": head[6], "params": params, "msg": rest[2:]}


def cef(text: str) -> tuple[list[str], dict[str, str]]:
    """Read one CEF line: seven header fields, then extensions; anything else fails."""
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", text, maxsplit=7)
    assert len(parts) == 8
    assert parts[0] == "CEF:0"
    assert parts[6].isdigit() and 0 <= int(parts[6]) <= 10
    assert "\n" not in text and "\r" not in text
    found = re.findall(r"(\w+)=((?:[^=\\]|\\[=\\nr])*?)(?=\s\w+=|$)", parts[7])
    return parts, {key: re.sub(r"\\([=\\])", r"\1", value) for key, value in found}


def test_json_lines_over_tcp(told: TenantRef, listener: Listener) -> None:
    forwarder = Forwarder(transport.parse(f"tcp://127.0.0.1:{listener.port}"), "json")
    assert only(told, forwarder) == count(told)
    forwarder.close()
    lines = [json.loads(line) for line in lines_of(listener)]
    assert [line["seq"] for line in lines] == list(range(1, count(told) + 1))
    entry = next(line for line in lines if line["action"] == "lead.updated")
    assert entry["after"]["name"] == NASTY
    assert "label" not in entry["actor"], "names stay behind unless asked for"
    assert "ip" not in entry
    assert "sealed" not in entry


def test_personal_data_leave_only_when_the_setting_says_so(told: TenantRef, listener: Listener) -> None:
    forwarder = Forwarder(transport.parse(f"tcp://127.0.0.1:{listener.port}"), "json", personal=True)
    only(told, forwarder)
    forwarder.close()
    (entry,) = [line for line in map(json.loads, lines_of(listener)) if line["action"] == "lead.updated"]
    assert (entry["actor"]["label"], entry["ip"]) == ("Anna Adler", "192.0.2.7")


@pytest.mark.parametrize("form", formats.FORMATS)
def test_syslog_over_tcp_is_read_by_the_grammar(told: TenantRef, listener: Listener, form: str) -> None:
    forwarder = Forwarder(transport.parse(f"syslog+tcp://127.0.0.1:{listener.port}"), form, personal=True)
    only(told, forwarder)
    forwarder.close()
    messages = [syslog(frame) for frame in counted(listener.all())]
    assert len(messages) == count(told)
    refused = [item for item in messages if item["id"] == "lead.delete"]
    assert [item["pri"] for item in refused] == [13 * 8 + 4]
    (changed,) = [item for item in messages if item["id"] == "lead.updated"]
    assert changed["pri"] == 13 * 8 + 5
    if form == "json":
        assert json.loads(changed["msg"])["after"]["name"] == NASTY
    elif form == "cef":
        parts, fields = cef(changed["msg"])
        assert parts[1:3] == ["AI-BOS", "AI-BOS"]
        assert (fields["act"], fields["suser"], fields["src"]) == ("lead.updated", "Anna Adler", "192.0.2.7")
        assert (fields["cs2Label"], fields["cs2"], fields["outcome"]) == ("target", "crm_lead:1", "success")
        assert dt.datetime.fromtimestamp(int(fields["rt"]) / 1000, dt.UTC).year >= 2026
    else:
        assert changed["params"]["target"] == "crm_lead:1"
        assert json.loads(changed["params"]["changes"])["after"]["name"] == NASTY


def test_syslog_over_udp_one_message_a_datagram(told: TenantRef) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        with tenant_scope(told):
            ledger.record("lead.updated", by=SYSTEM, after={"long": "x" * 60_000})
        settle(told)
        target = transport.parse(f"syslog+udp://127.0.0.1:{receiver.getsockname()[1]}")
        forwarder = Forwarder(target, "json")
        sent = only(told, forwarder)
        messages = [syslog(receiver.recv(65_536)) for _ in range(sent)]
        forwarder.close()
    values = [json.loads(item["msg"]) for item in messages]
    assert [item["seq"] for item in values] == list(range(1, sent + 1))
    assert values[-1]["details"] == {"shortened": True}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "receiver.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def test_syslog_over_tls_with_a_certificate_one_trusts(told: TenantRef, certificate: Path) -> None:
    context_ = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context_.load_cert_chain(certificate)
    receiver = Listener(context_)
    target = transport.parse(f"syslog+tls://localhost:{receiver.port}", str(certificate))
    forwarder = Forwarder(target, "rfc5424")
    assert only(told, forwarder) == count(told)
    forwarder.close()
    assert len(counted(receiver.all())) == count(told)
    # Negative control: without the certificate nothing is sent, for nobody knows who listens.
    stranger = Forwarder(transport.parse(f"syslog+tls://localhost:{receiver.port}"), "rfc5424")
    with pytest.raises(transport.Refused, match="certificate"), platform_scope("test"):
        stranger._send(told.id, told, 0)
    receiver.close()


def test_a_file_takes_lines(told: TenantRef, tmp_path: Path) -> None:
    path = tmp_path / "below" / "ledger.jsonl"
    forwarder = Forwarder(transport.parse(f"file://{path}"), "json")
    only(told, forwarder)
    forwarder.close()
    assert len(path.read_bytes().rstrip(b"\n").split(b"\n")) == count(told)


def test_the_place_moves_with_what_was_taken_and_goes_on_from_there(told: TenantRef) -> None:
    """The receiver goes away in between: nothing is skipped, and after a restart nothing is sent again."""
    receiver = Listener()
    target = transport.parse(f"tcp://127.0.0.1:{receiver.port}")
    forwarder = Forwarder(target, "json")
    first = only(told, forwarder)
    forwarder.close()
    receiver.close()
    with tenant_scope(told):
        for number in range(5):
            ledger.record("lead.created", by=SYSTEM, after={"number": number})
    settle(told)
    with pytest.raises(transport.Refused), platform_scope("test"):
        forwarder._send(told.id, told, first)
    with platform_scope("test"):
        assert ExportPosition.objects.get(tenant_id=told.id, target=target.name).seq == first
    again = socket.create_server(("127.0.0.1", receiver.port))
    again.close()
    second = Listener()
    moved = transport.Target(target.scheme, "127.0.0.1", second.port, "")
    with platform_scope("test"):
        ExportPosition.objects.filter(tenant_id=told.id).update(target=moved.name)
    restarted = Forwarder(moved, "json")
    only(told, restarted)
    restarted.close()
    numbers = [json.loads(line)["seq"] for line in lines_of(second)]
    assert numbers == list(range(first + 1, count(told) + 1))
    second.close()


def test_a_receiver_that_hangs_up_has_taken_nothing(told: TenantRef) -> None:
    receiver = Listener(drop_first=True)
    target = transport.parse(f"tcp://127.0.0.1:{receiver.port}")
    forwarder = Forwarder(target, "json")
    with pytest.raises(transport.Refused), platform_scope("test"):
        for _ in range(50):  # the end of a connection may take a moment to arrive
            forwarder._deliver([b"x" * 1000])
    with platform_scope("test"):
        assert not ExportPosition.objects.filter(tenant_id=told.id, target=target.name).exists()
    assert only(told, forwarder) == count(told)
    forwarder.close()
    receiver.close()


def test_the_loop_serves_every_ledger_and_only_one_forwarder_works(
    told: TenantRef, listener: Listener, settings: Any
) -> None:
    settings.SIEM_URL = f"tcp://127.0.0.1:{listener.port}"
    settings.SIEM_FORMAT = "json"
    forwarder = Forwarder(forward.configured(), "json")
    held = threading.Event()
    release = threading.Event()

    def hold() -> None:
        from django.db import connections

        with platform_scope("another forwarder"), connections["default"].cursor() as cursor:
            cursor.execute(forward.LOCK, [f"siem {forward.configured().name}"])
            held.set()
            release.wait(10)
        connections.close_all()

    other = threading.Thread(target=hold)
    other.start()
    held.wait(10)
    assert forwarder.run_once() == 0
    release.set()
    other.join()
    while forwarder.run_once():
        pass
    forwarder.close()
    ledgers = {json.loads(line)["ledger"] for line in lines_of(listener)}
    assert {told.slug, "platform"} <= ledgers
    assert siem().status == "ok"
    assert siem().figures["siem_behind_entries"] == 0


def test_the_health_page_says_what_is_wrong(told: TenantRef, settings: Any) -> None:
    settings.SIEM_URL = "ftp://nowhere"
    assert siem().status == "failed"
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings.SIEM_URL = f"tcp://127.0.0.1:{port}"
    with platform_scope("test"):
        ExportPosition.objects.create(tenant_id=told.id, target=f"tcp://127.0.0.1:{port}")
    forwarder = Forwarder(forward.configured(), "json")
    with pytest.raises(transport.Refused) as refusal:
        forwarder.run_once()
    forwarder.report(str(refusal.value))
    found = siem()
    assert found.status == "degraded"
    assert "refused" in found.message


@pytest.mark.parametrize(
    "url", ["http://x:1", "syslog+tcp://", "tcp://host", "file://relative/path", "", "tls://:6514"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="SIEM_URL"):
        transport.parse(url)


def test_values_never_break_out_of_their_field() -> None:
    values = {
        "id": str(uuid4()),
        "at": "2026-11-20T10:00:00.000Z",
        "action": "lead.updated",
        "actor": {"kind": "member", "id": "1", "label": 'x" ] [evil a="b'},
        "target": "t|=\\\n",
        "details": {"outcome": "denied", "reason": "r=1 act=forged|x"},
    }
    item = Copied("acme", 1, "00", values)
    parts, fields = cef(formats.as_cef(item))
    assert (fields["act"], fields["outcome"], parts[6]) == ("lead.updated", "failure", "6")
    read = syslog(formats.framed(item, "rfc5424", "a host"))
    assert read["params"]["actorName"] == values["actor"]["label"]
    assert "evil" not in read["params"]
