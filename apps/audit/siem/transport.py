"""How copies get there: a file, UDP (RFC 5426), TCP with counted octets (RFC 6587) or lines, and TLS (RFC 5425).

`deliver` returns once the receiver's machine has acknowledged every byte, so that what is noted as sent is not
lost in our own buffers. UDP acknowledges nothing; it is there for those who have nothing else.
"""

import contextlib
import fcntl
import os
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

TIMEOUT = 10.0
DATAGRAM = 8_192
SCHEMES = ("file", "tcp", "tls", "syslog+udp", "syslog+tcp", "syslog+tls")
DEFAULT_PORTS = {"syslog+udp": 514, "syslog+tcp": 601, "syslog+tls": 6514}


class Refused(RuntimeError):
    """The receiver could not be reached or did not take what was sent."""


@dataclass(frozen=True)
class Target:
    """Where copies go; `syslog` says whether the header of RFC 5424 stands before each."""

    scheme: str
    host: str
    port: int
    path: str
    ca: str = ""

    @property
    def syslog(self) -> bool:
        return self.scheme.startswith("syslog")

    @property
    def datagrams(self) -> bool:
        return self.scheme.endswith("udp")

    @property
    def name(self) -> str:
        """The target as the position names it."""
        return f"file:{self.path}" if self.scheme == "file" else f"{self.scheme}://{self.host}:{self.port}"


class Transport(Protocol):
    """An open way to a target."""

    def deliver(self, messages: Sequence[bytes]) -> None:
        """Send all; raises `Refused` when one may not have arrived."""

    def close(self) -> None:
        """Give the connection up."""


def parse(url: str, ca: str = "") -> Target:
    """Return the target of a SIEM_URL; raises ValueError when it is none."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        msg = f"SIEM_URL begins with one of {', '.join(SCHEMES)}, not {parts.scheme!r}."
        raise ValueError(msg)
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            msg = "SIEM_URL names a file by its whole path: file:///var/log/ledger.jsonl."
            raise ValueError(msg)
        return Target("file", "", 0, parts.path)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    if not parts.hostname or not port:
        msg = "SIEM_URL names host and port: syslog+tls://siem.example.org:6514."
        raise ValueError(msg)
    return Target(parts.scheme, parts.hostname, port, "", ca)


def opened(target: Target) -> Transport:
    """Open the way to a target; raises `Refused`."""
    try:
        if target.scheme == "file":
            return _File(Path(target.path))
        if target.datagrams:
            return _Datagrams(target)
        return _Stream(target)
    except OSError as error:
        msg = f"{target.name}: {error}"
        raise Refused(msg) from error


class _File:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    def deliver(self, messages: Sequence[bytes]) -> None:
        try:
            self._file.write(b"".join(message + b"\n" for message in messages))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise Refused(str(error)) from error

    def close(self) -> None:
        self._file.close()


class _Datagrams:
    def __init__(self, target: Target) -> None:
        family, kind, proto, _name, address = socket.getaddrinfo(
            target.host, target.port, type=socket.SOCK_DGRAM
        )[0]
        self._socket = socket.socket(family, kind, proto)
        self._socket.connect(address)

    def deliver(self, messages: Sequence[bytes]) -> None:
        try:
            for message in messages:
                self._socket.send(message)
        except OSError as error:
            raise Refused(str(error)) from error

    def close(self) -> None:
        self._socket.close()


class _Stream:
    def __init__(self, target: Target) -> None:
        self._counted = target.syslog
        raw = socket.create_connection((target.host, target.port), TIMEOUT)
        self._raw: socket.socket | None = raw
        self._socket: socket.socket = raw
        if target.scheme.endswith("tls"):
            context = ssl.create_default_context(cafile=target.ca or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            try:
                self._socket = context.wrap_socket(raw, server_hostname=target.host)
            except BaseException:
                raw.close()
                raise

    def deliver(self, messages: Sequence[bytes]) -> None:
        try:
            self._socket.sendall(b"".join(map(self._frame, messages)))
            self._settle()
        except OSError as error:
            raise Refused(str(error)) from error

    def _frame(self, message: bytes) -> bytes:
        return b"%d %s" % (len(message), message) if self._counted else message + b"\n"

    def _settle(self) -> None:
        """Wait until the other machine has acknowledged all bytes; a closed connection may have lost some."""
        until = time.monotonic() + TIMEOUT
        while _unacknowledged(self._socket):
            if time.monotonic() > until:
                msg = "the receiver does not acknowledge"
                raise TimeoutError(msg)
            time.sleep(0.002)
        if _ended(self._socket):
            msg = "the receiver closed the connection"
            raise ConnectionResetError(msg)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()


def _unacknowledged(connection: socket.socket) -> int:
    held = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int(struct.unpack("i", held)[0])


def _ended(connection: socket.socket) -> bool:
    """Say whether the other side has closed; what it may have said is of no interest."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN | select.POLLRDHUP)
    for _number, events in waiting.poll(0):
        if events & (select.POLLRDHUP | select.POLLHUP | select.POLLERR):
            return True
    return False
