"""The one way out to an address that a user chose: checked, connected to what was checked, bounded.

A name is resolved once; every address it has must be public; the connection goes to one of these addresses
while TLS and the Host header keep the name. No redirect is followed, no proxy and no credential of the
environment is used, and time and size end. `EGRESS_ALLOW` names what an operator vouches for.
"""

import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.addresses import Address, among, is_public, literal, parsed
from apps.core.errors import Problem

Resolver = Callable[[str, int], Sequence[str]]

URL_ROOM, HOST_ROOM, LABEL_ROOM = 2048, 253, 63
PORTS: Mapping[str, int] = {"https": 443, "http": 80}
DNS_SECONDS = 5.0
LOOKUPS = threading.BoundedSemaphore(64)
NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\\s]")
# These four mean different names in the two generations of IDNA.
AMBIGUOUS = frozenset("\u00df\u03c2\u200c\u200d")
LOCAL_ENDINGS = (
    "local", "localhost", "localdomain", "internal", "intranet", "lan", "home", "corp", "private",
    "arpa", "onion", "test", "invalid", "example",
)  # fmt: skip
HEADER_ROOM = 16_384


class EgressRefused(Problem):
    """400: the address may not be called; `fields` stays empty, callers name theirs."""

    def __init__(self, message: str, cure: str | None = None) -> None:
        super().__init__("URL_REFUSED", message, status=400, cure=cure)


class EgressFailed(Exception):
    """The call did not come to an answer. `kind` is dns, connect, tls, timeout or protocol."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Target:
    """A checked URL. `host` is ASCII and lower-case, without brackets; `path` holds the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def address(self) -> Address | None:
        """The address when the host is one."""
        return literal(self.host)


@dataclass(frozen=True)
class Reply:
    """What came back. Header names are lower-case; `body` is cut at the caller's limit (`truncated`)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    address: str
    seconds: float


@dataclass(frozen=True)
class Rules:
    """What the operator's settings say: vouched networks and names, closed networks, open ports."""

    allowed: tuple[tuple[Any, ...], frozenset[str]]
    denied: tuple[tuple[Any, ...], frozenset[str]]
    ports: frozenset[int]

    def vouches(self, host: str, address: Address | None) -> bool:
        """Return whether the operator named this host or address."""
        networks, names = self.allowed
        return host in names or (address is not None and among(address, networks))

    def closes(self, host: str, address: Address | None) -> bool:
        """Return whether the operator closed this host or address."""
        networks, names = self.denied
        return host in names or (address is not None and among(address, networks))


def rules() -> Rules:
    """Return the rules of the settings in force."""
    return _rules(tuple(settings.EGRESS_ALLOW), tuple(settings.EGRESS_DENY), tuple(settings.EGRESS_PORTS))


@lru_cache(maxsize=16)
def _rules(allow: tuple[str, ...], deny: tuple[str, ...], ports: tuple[str, ...]) -> Rules:
    return Rules(parsed(allow), parsed(deny), frozenset(int(port) for port in ports))


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Return the context of outgoing TLS: certificates and names are verified, 1.2 at least."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def system_resolver(host: str, port: int) -> list[str]:
    """Return the addresses of a name as the system's resolver gives them; blocks."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check(url: str) -> Target:
    """Return the target of a URL that may be called, as far as that can be said without asking DNS.

    Raises EgressRefused with a sentence for the person who typed it.
    """
    if not isinstance(url, str) or not 0 < len(url) <= URL_ROOM or UNSAFE.search(url):
        raise EgressRefused("The address must be a URL without spaces, at most 2048 characters long.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressRefused("This is not a URL.") from None
    if parts.scheme not in PORTS:
        raise EgressRefused("The address must begin with https://.")
    if "@" in parts.netloc:
        raise EgressRefused("The address may not hold a user name or password.")
    host = _host(parts.netloc)
    found = literal(host)
    if port == 0:
        raise EgressRefused("Port 0 cannot be called.")
    made = Target(parts.scheme, host, port or PORTS[parts.scheme], _path(parts.path, parts.query))
    if found is not None:
        _judge(made, found)
    elif not rules().vouches(host, None):
        _judge_name(host)
        if not rules().allowed[
            0
        ]:  # else the name may lead to an inner address, which may be called in any way
            _judge_way(made)
    return made


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float = 20.0,
    max_bytes: int = 65_536,
    resolver: Resolver | None = None,
) -> Reply:
    """Call a URL once and return its answer, whatever its status; redirects are answers too.

    `seconds` bounds the whole call, slow drips included. Raises EgressRefused before any connection, and
    EgressFailed when none was made or it broke.
    """
    started = time.monotonic()
    until = started + seconds
    target = check(url)
    addresses = resolve(target, resolver=resolver, seconds=min(DNS_SECONDS, seconds))
    sock, address = _connect(target, addresses, until)
    try:
        status, got, content = _exchange(target, sock, until, method, headers or {}, body, max_bytes)
    except TimeoutError:
        raise EgressFailed("timeout", f"No complete answer within {seconds:.0f} s.") from None
    except (OSError, http.client.HTTPException) as error:
        raise EgressFailed(
            "protocol", f"The connection broke: {type(error).__name__}: {error}"[:300]
        ) from None
    finally:
        sock.close()
    cut = len(content) > max_bytes
    return Reply(status, got, content[:max_bytes], cut, str(address), time.monotonic() - started)


def resolve(
    target: Target, *, resolver: Resolver | None = None, seconds: float = DNS_SECONDS
) -> list[Address]:
    """Return the addresses of a target, each of them checked; one that is not allowed refuses them all."""
    if target.address is not None:
        return [target.address]
    found = []
    for text in _look_up(resolver or system_resolver, target, seconds):
        address = literal(text)
        if address is None:
            raise EgressRefused(f"{target.host} has an address that cannot be read.")
        _judge(target, address)
        found.append(address)
    if not found:
        raise EgressFailed("dns", f"{target.host} has no address.")
    return found


def _host(netloc: str) -> str:
    text = netloc.rpartition("]")[0].removeprefix("[") if netloc.startswith("[") else netloc.partition(":")[0]
    if netloc.startswith("["):
        found = literal(text)
        if not isinstance(found, IPv6Address) or found.scope_id:
            raise EgressRefused("The address in brackets is not an IPv6 address of the internet.")
        return str(found)
    if not text or len(text) > HOST_ROOM + 1 or "%" in text:
        raise EgressRefused("The host of the address is missing, too long or written with percent signs.")
    if AMBIGUOUS & set(text):
        raise EgressRefused("This host can be read in two ways.", "Write it in its ASCII form (xn--…).")
    try:
        host = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise EgressRefused("The host of the address is not a name of the internet.") from None
    labels = host.split(".")
    if literal(host) is None:
        if not all(NAME.fullmatch(label) for label in labels):
            raise EgressRefused("The host of the address is not a name of the internet.")
        # What a C library would read as an address (0x7f.1, 017700000001, 2130706433) is not a name.
        if re.fullmatch(r"0x[0-9a-f]*|[0-9]+", labels[-1]):
            raise EgressRefused("Write an IPv4 address as four decimal numbers without leading zeros.")
    return host


def _path(path: str, query: str) -> str:
    text = (path or "/") + (f"?{query}" if query else "")
    if not text.isascii():
        raise EgressRefused("Write letters beyond ASCII in the path as percent signs (%C3%A4).")
    return text


def _judge(target: Target, address: Address) -> None:
    given = rules()
    if given.closes(target.host, address):
        raise EgressRefused(f"{target.host} is closed by the operator of this installation.")
    if given.vouches(target.host, address):
        return
    if not is_public(address):
        raise EgressRefused(
            f"{target.host} leads to an address that is not on the public internet.",
            "The operator of this installation can allow an inner address (EGRESS_ALLOW).",
        )
    _judge_way(target)


def _judge_name(host: str) -> None:
    if rules().closes(host, None):
        raise EgressRefused(f"{host} is closed by the operator of this installation.")
    if "." not in host or host.rpartition(".")[2] in LOCAL_ENDINGS:
        raise EgressRefused(
            f"{host} is not a name of the public internet.",
            "The operator of this installation can allow an inner name (EGRESS_ALLOW).",
        )


def _judge_way(target: Target) -> None:
    if target.scheme != "https":
        raise EgressRefused("The address must begin with https://.")
    if target.port not in rules().ports:
        ports = ", ".join(map(str, sorted(rules().ports)))
        raise EgressRefused(f"Only these ports may be called: {ports}.")


def _look_up(resolver: Resolver, target: Target, seconds: float) -> Sequence[str]:
    """Ask in a thread of its own: the system's resolver knows no time limit."""
    answer: list[Sequence[str] | Exception] = []
    if not LOOKUPS.acquire(timeout=seconds):
        raise EgressFailed("dns", "Too many names are being looked up.")

    def ask() -> None:
        try:
            answer.append(resolver(target.host, target.port))
        except (OSError, UnicodeError) as error:
            answer.append(error)
        finally:
            LOOKUPS.release()

    thread = threading.Thread(target=ask, name="egress-dns", daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer:
        raise EgressFailed("dns", f"{target.host} was not found within {seconds:.0f} s.")
    if isinstance(answer[0], Exception):
        raise EgressFailed("dns", f"There is no host {target.host}.")
    return answer[0]


def _connect(
    target: Target, addresses: Sequence[Address], until: float
) -> tuple[socket.socket | ssl.SSLSocket, Address]:
    last: OSError = OSError("no address")
    for place, address in enumerate(addresses):
        try:
            patience = _left(until) / (len(addresses) - place)
            sock = socket.create_connection((str(address), target.port), timeout=patience)
        except OSError as error:
            last = error
            continue
        if target.scheme != "https":
            return sock, address
        try:
            sock.settimeout(_left(until))
            return tls_context().wrap_socket(sock, server_hostname=target.host), address
        except OSError as error:
            sock.close()
            if isinstance(error, TimeoutError):
                raise EgressFailed("timeout", "The TLS handshake took too long.") from None
            raise EgressFailed("tls", f"TLS failed: {error}"[:300]) from None
    kind = "timeout" if isinstance(last, TimeoutError) else "connect"
    raise EgressFailed(kind, f"{target.host} does not take connections: {last}"[:300])


def _exchange(
    target: Target,
    sock: socket.socket | ssl.SSLSocket,
    until: float,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    max_bytes: int,
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.default_port = PORTS[target.scheme]  # type: ignore[misc]
    connection.sock = _Timed(sock, until)
    sent = {"User-Agent": "AI-BOS", "Accept": "*/*", "Connection": "close"} | dict(headers)
    connection.request(method, target.path, body=body, headers=sent)
    response = connection.getresponse()
    got = {name.lower(): value for name, value in response.getheaders()}
    if sum(len(name) + len(value) for name, value in got.items()) > HEADER_ROOM:
        raise http.client.HTTPException("the headers are too long")
    return response.status, got, response.read(max_bytes + 1)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Timed:
    """What `http.client` needs of a socket, with one deadline for everything."""

    def __init__(self, sock: socket.socket | ssl.SSLSocket, until: float) -> None:
        self._sock, self._until = sock, until

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._until))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Stream(self._sock, self._until))

    def close(self) -> None:
        """Leave the closing to `send`: the answer is still read after the connection says goodbye."""


class _Stream(io.RawIOBase):
    def __init__(self, sock: socket.socket | ssl.SSLSocket, until: float) -> None:
        self._sock, self._until = sock, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._until))
        return self._sock.recv_into(buffer)
