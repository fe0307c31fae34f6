"""R29: whatever address a user gives, nothing inside our walls is reached."""

import ast
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from apps.core import egress
from apps.core.addresses import SPECIAL_V4, SPECIAL_V6, is_public
from apps.core.egress import EgressFailed, EgressRefused
from tests.core.listeners import CANARY, VOUCHED, Canary, Receiver, certificate, plain
from tests.core.naming import NameServer, name_server

PORT = "{port}"
# Everything below would reach the canary on 127.0.0.1, or something else that no user may reach.
TARGETS = [
    # every spelling of an IPv4 address
    "https://127.0.0.1:{port}/", "https://127.0.0.1.:{port}/", "https://127.1:{port}/", "https://127.0.1:{port}/",
    "https://2130706433:{port}/", "https://0x7f000001:{port}/", "https://0x7f.0.0.1:{port}/",
    "https://0177.0.0.1:{port}/", "https://017700000001:{port}/", "https://127.0.0.01:{port}/",
    "https://0:{port}/", "https://0.0.0.0:{port}/", "https://127.255.255.254:{port}/", "https://4294967295:{port}/",
    "https://①②⑦.⓪.⓪.①:{port}/", "https://127。0。0。1:{port}/", "https://127.0.0.1:{port}/",
    "https://%31%32%37.0.0.1:{port}/", "https://127.0.0.%31:{port}/",
    # IPv6, with IPv4 inside and with a zone
    "https://[::1]:{port}/", "https://[::]:{port}/", "https://[::ffff:127.0.0.1]:{port}/",
    "https://[::ffff:7f00:1]:{port}/", "https://[::127.0.0.1]:{port}/", "https://[64:ff9b::7f00:1]:{port}/",
    "https://[2002:7f00:1::]:{port}/", "https://[2001:0:7f00:1::]:{port}/", "https://[fe80::1%25lo]:{port}/",
    "https://[fe80::1]:{port}/", "https://[fc00::1]:{port}/", "https://[ff02::1]:{port}/",
    "https://[0:0:0:0:0:ffff:127.0.0.1%251]:{port}/", "https://[::1", "https://[1.2.3.4]:{port}/",
    # private and special networks, metadata servers of clouds
    "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/",
    "https://100.100.100.200/", "https://168.63.129.16/", "https://[fd00:ec2::254]/", "https://100.64.0.1/",
    "https://192.0.0.192/", "https://198.18.0.1/", "https://224.0.0.1/", "https://255.255.255.255/",
    # names of this machine and of inner networks
    "https://localhost:{port}/", "https://LOCALHOST:{port}/", "https://localhost.:{port}/", "https://db:{port}/",
    "https://printer.local:{port}/", "https://metadata.google.internal/", "https://host.docker.internal:{port}/",
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/", "https://router.lan/", "https://a.onion/", "https://1.0.0.127.in-addr.arpa/",
    # other schemes, user names, ports, white space, broken text
    "http://93.184.215.14/", "ftp://93.184.215.14/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/_x",
    "data:text/plain,x", "unix:///tmp/x", "//127.0.0.1:{port}/", "127.0.0.1:{port}", "jar:https://x.org!/",
    "https://public.example.org@127.0.0.1:{port}/", "https://127.0.0.1:{port}@public.example.org/",
    "https://user:pass@93.184.215.14/", "https://93.184.215.14:22/", "https://93.184.215.14:{port}/",
    "https://93.184.215.14:0/", "https://93.184.215.14:99999/", "https://93.184.215.14:x/",
    "https://127.0.0.1:{port}\\@public.example.org/", "https://public.example.org\\.127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/\r\nHost: x", "https:// 127.0.0.1:{port}/", "https://127.0.0.1\t:{port}/",
    "https://", "https:///path", "https://?", "", "https://a..b.org/", "https://-a.org/", "https://a_-.org/",
    "https://" + "a" * 64 + ".org/", "https://" + "a." * 130 + "org/", "https://x.org/" + "a" * 2100,
    "https://stra\u00dfe.de/", "https://xn--/", "https://x.org/ä",
]  # fmt: skip


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary()
    yield made
    made.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """A name server of our own, asked by everything in this process that resolves names."""
    with name_server() as server:
        real = socket.getaddrinfo

        def ask(host: Any, port: Any, *args: Any, **more: Any) -> Any:
            if isinstance(host, str) and host.endswith(".org"):
                found = server.resolve(host)
                if not found:
                    raise socket.gaierror(socket.EAI_NONAME, "no such name")
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in found]
            return real(host, port, *args, **more)

        monkeypatch.setattr(socket, "getaddrinfo", ask)
        yield server


@pytest.fixture
def vouched(settings: Any) -> Iterator[Receiver]:
    """A receiver on 127.0.0.2, the one address of this machine that the operator allowed."""
    settings.EGRESS_ALLOW = [f"{VOUCHED}/32"]
    made = Receiver()
    yield made
    made.close()


def test_there_are_more_than_forty_targets() -> None:
    assert len(set(TARGETS)) >= 80


@pytest.mark.parametrize("url", TARGETS, ids=range(len(TARGETS)))
def test_no_target_reaches_the_canary(url: str, canary: Canary, settings: Any) -> None:
    """Refused before a connection, also where the operator opened the canary's port to the world."""
    settings.EGRESS_PORTS = ["443"]
    with pytest.raises(EgressRefused):
        egress.send("POST", url.replace(PORT, str(canary.port)), body=b"x", seconds=2)
    assert canary.caught == []


def test_the_control_a_plain_client_is_caught(canary: Canary) -> None:
    """The same canary, asked by a client that only looks at the text of the address."""
    for host in ("127.1", "0x7f000001", "2130706433", "017700000001"):
        with urllib.request.urlopen(f"http://{host}:{canary.port}/", timeout=5) as answer:
            assert answer.read() == b"caught"
    assert len(canary.caught) == 4


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0"])
def test_a_public_name_with_an_inner_address_is_refused(
    inner: str, canary: Canary, names: NameServer, settings: Any
) -> None:
    settings.EGRESS_PORTS = ["443", str(canary.port)]
    names.knows("evil.org", [inner])
    names.knows("half.org", ["93.184.215.14", inner])
    for host in ("evil.org", "half.org"):
        with pytest.raises(EgressRefused, match="not on the public internet"):
            egress.send("GET", f"https://{host}:{canary.port}/", seconds=2)
    assert canary.caught == []


def test_rebinding_reaches_what_was_checked_and_nothing_else(
    vouched: Receiver, names: NameServer, settings: Any
) -> None:
    """The name answers a good address first and the canary's from then on: one question, one connection."""
    canary = Canary(vouched.port)
    try:
        names.knows("rebind.org", [VOUCHED], [CANARY])
        reply = egress.send("POST", f"http://rebind.org:{vouched.port}/hook", body=b"hello", seconds=5)
        assert (reply.status, reply.address) == (200, VOUCHED)
        assert names.asked["rebind.org"] == 1
        assert canary.caught == []
        assert vouched.seen[0][1]["host"] == f"rebind.org:{vouched.port}"
        with pytest.raises(EgressRefused):
            egress.send("POST", f"http://rebind.org:{vouched.port}/hook", seconds=5)
        assert canary.caught == []
    finally:
        canary.close()


def test_the_control_check_then_connect_by_name_is_caught(vouched: Receiver, names: NameServer) -> None:
    """What most guards do: check the name's address, then let a client resolve it again."""
    canary = Canary(vouched.port)
    try:
        names.knows("rebind.org", [VOUCHED], [CANARY])
        url = f"http://rebind.org:{vouched.port}/hook"
        egress.resolve(egress.check(url))
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.read() == b"caught"
        assert len(canary.caught) == 1
    finally:
        canary.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_answers_and_not_followed(status: int, vouched: Receiver, canary: Canary) -> None:
    vouched.answer = plain(status, Location=f"http://{CANARY}:{canary.port}/")
    reply = egress.send("POST", vouched.url, body=b"x", seconds=5)
    assert reply.status == status
    assert canary.caught == []


def test_proxies_of_the_environment_are_not_used(
    vouched: Receiver, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{CANARY}:{canary.port}")
    assert egress.send("GET", vouched.url, seconds=5).status == 200
    assert canary.caught == []
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with urllib.request.build_opener().open(vouched.url, timeout=5) as answer:  # the control
        assert answer.read() == b"caught"


def test_tls_keeps_the_name_while_connecting_to_the_checked_address(
    tmp_path: Path, names: NameServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EGRESS_ALLOW = [f"{VOUCHED}/32"]
    pair = certificate(tmp_path, "good.org")
    trusting = ssl.create_default_context(cafile=str(pair[0]))
    monkeypatch.setattr(egress, "tls_context", lambda: trusting)
    receiver = Receiver(certificate=pair)
    names.knows("good.org", [VOUCHED])
    names.knows("other.org", [VOUCHED])
    try:
        assert egress.send("POST", f"https://good.org:{receiver.port}/a?b=c", body=b"x").status == 200
        assert receiver.names == ["good.org"]
        assert receiver.seen[0][0] == "/a?b=c"
        with pytest.raises(EgressFailed, match="TLS") as failed:
            egress.send("POST", f"https://other.org:{receiver.port}/", body=b"x")
        assert failed.value.kind == "tls"
        monkeypatch.undo()
        monkeypatch.setattr(egress, "system_resolver", lambda *_: [VOUCHED])
        settings.EGRESS_ALLOW = [f"{VOUCHED}/32"]
        with pytest.raises(EgressFailed, match="TLS"):
            egress.send("POST", f"https://good.org:{receiver.port}/", resolver=lambda *_: [VOUCHED])
    finally:
        receiver.close()
    assert len(receiver.seen) == 1


def _drip(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(200):
        try:
            handler.wfile.write(b"x")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.05)


def test_a_slow_drip_ends_at_the_deadline(vouched: Receiver) -> None:
    vouched.answer = _drip
    with pytest.raises(EgressFailed) as failed:
        egress.send("GET", vouched.url, seconds=0.5)
    assert failed.value.kind == "timeout"


def test_answers_are_cut_at_the_limit(vouched: Receiver) -> None:
    vouched.answer = plain(200, b"y" * 500_000)
    reply = egress.send("GET", vouched.url, seconds=10, max_bytes=1000)
    assert (len(reply.body), reply.truncated) == (1000, True)
    vouched.answer = plain(200, b"y" * 1000)
    reply = egress.send("GET", vouched.url, seconds=10, max_bytes=1000)
    assert (len(reply.body), reply.truncated) == (1000, False)


def test_endless_headers_are_a_failure(vouched: Receiver) -> None:
    vouched.answer = plain(200, **{f"X_{i}": "y" * 900 for i in range(60)})
    with pytest.raises(EgressFailed, match="headers"):
        egress.send("GET", vouched.url, seconds=10)


def test_a_resolver_that_hangs_ends_in_time() -> None:
    def hang(_host: str, _port: int) -> list[str]:
        time.sleep(1.5)
        return ["93.184.215.14"]

    with pytest.raises(EgressFailed) as failed:
        egress.send("GET", "https://slow.org/", seconds=0.3, resolver=hang)
    assert failed.value.kind == "dns"


def test_a_name_without_an_address_fails(names: NameServer) -> None:
    for resolver in (None, lambda *_: []):
        with pytest.raises(EgressFailed) as failed:
            egress.send("GET", "https://missing.org/", seconds=2, resolver=resolver)
        assert failed.value.kind == "dns"


def test_the_operator_may_close_names_and_networks(names: NameServer, settings: Any) -> None:
    settings.EGRESS_DENY = ["93.184.0.0/16", "closed.org"]
    names.knows("open.org", ["93.184.215.14"])
    for url in ("https://open.org/", "https://closed.org/", "https://93.184.215.14/"):
        with pytest.raises(EgressRefused, match="closed by the operator"):
            egress.send("GET", url, seconds=2)


def test_the_operator_may_vouch_for_a_name(vouched: Receiver, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["receiver"]
    url = f"http://receiver:{vouched.port}/hook"
    assert egress.send("GET", url, seconds=5, resolver=lambda *_: [VOUCHED]).status == 200
    with pytest.raises(EgressRefused):
        egress.send("GET", f"http://other:{vouched.port}/", seconds=5, resolver=lambda *_: [VOUCHED])
    with pytest.raises(EgressRefused):
        egress.send("GET", vouched.url, seconds=5)


def test_a_header_cannot_smuggle_another(vouched: Receiver) -> None:
    with pytest.raises(ValueError, match="header"):
        egress.send("GET", vouched.url, headers={"X-A": "1\r\nX-B: 2"}, seconds=5)
    assert vouched.seen == []


@pytest.mark.parametrize(
    ("text", "public"),
    [("8.8.8.8", True), ("93.184.215.14", True), ("2606:4700::1111", True), ("2001:4860:4860::8888", True)]
    + [(str(network[0]), False) for network in (*SPECIAL_V4, *SPECIAL_V6)]
    + [(str(network[-1]), False) for network in (*SPECIAL_V4, *SPECIAL_V6)],
)  # fmt: skip
def test_what_is_public(text: str, public: bool) -> None:
    assert is_public(egress.literal(text)) is public


# Who opens connections besides the guard: to places that operators name, never to one that a user gives.
CALLERS = {
    "apps/core/egress.py": "the guard itself",
    "apps/audit/siem/transport.py": "SIEM_URL, an operator's setting",
    "apps/audit/siem/forward.py": "the name of this machine",
    "apps/audit/anchors/s3.py": "the operator's bucket",
    "apps/audit/anchors/git.py": "the operator's repository",
    "apps/events/bus/kafka.py": "the operator's bus",
    "apps/events/bus/nats.py": "the operator's bus",
    "apps/events/health/guard.py": "pairs of sockets of this process",
    "apps/events/health/processes.py": "the name of this machine",
    "apps/events/jobs/history.py": "the name of this machine",
    "apps/portal/vendoring.py": "the npm registry, when a developer refreshes the vendored files",
}
NETWORK = {
    "socket",
    "http.client",
    "urllib.request",
    "urllib3",
    "requests",
    "httpx",
    "aiohttp",
    "boto3",
    "dulwich",
}
NETWORK |= {"nats", "confluent_kafka", "smtplib", "ftplib", "telnetlib", "paramiko", "websockets"}


def callers(root: Path) -> set[str]:
    """The modules of the apps that import something with which one can call out."""
    found = set()
    for path in (root / "apps").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            if any(name in NETWORK or name.split(".")[0] in NETWORK for name in names):
                found.add(path.relative_to(root).as_posix())
    return {name for name in found if not name.startswith("apps/cli/")}  # the launcher starts servers here


def test_nobody_else_calls_out() -> None:
    """A new way out must go through the guard, or say here why no user can choose where it leads."""
    assert callers(Path(__file__).resolve().parents[2]) == set(CALLERS)


def test_the_control_another_caller_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "sly.py").write_text("from urllib import request\n")
    assert callers(tmp_path) == {"apps/sly.py"}
