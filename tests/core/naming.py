"""A name server of the tests: real DNS over UDP on this machine, whose answers change as an attacker's would."""

import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

A, AAAA = 1, 28


class NameServer:
    """Answers A and AAAA questions; each question for a name takes the next of its answers, the last one stays."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._answers: dict[str, deque[list[str]]] = {}
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def knows(self, name: str, *answers: list[str]) -> None:
        self._answers[name] = deque(answers)

    def close(self) -> None:
        self._sock.close()

    def _serve(self) -> None:
        while True:
            try:
                packet, sender = self._sock.recvfrom(2048)
            except OSError:
                return
            name, end = _name(packet, 12)
            (kind,) = struct.unpack("!H", packet[end : end + 2])
            found = self._next(name) if kind == A else []
            answers = b"".join(
                b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 0, 4) + socket.inet_aton(text) for text in found
            )
            head = packet[:2] + struct.pack("!HHHHH", 0x8180, 1, len(found), 0, 0)
            self._sock.sendto(head + packet[12 : end + 4] + answers, sender)

    def _next(self, name: str) -> list[str]:
        self.asked[name] += 1
        waiting = self._answers.get(name, deque([[]]))
        return waiting.popleft() if len(waiting) > 1 else waiting[0]

    def resolve(self, host: str, port: int = 0) -> list[str]:
        """Ask over the wire, as a resolver without a cache does."""
        labels = b"".join(bytes([len(part)]) + part.encode() for part in host.split(".")) + b"\0"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.sendto(
                struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!HH", A, 1),
                ("127.0.0.1", self.port),
            )
            packet = client.recv(2048)
        count, at = struct.unpack("!H", packet[6:8])[0], 12 + len(labels) + 4
        return [socket.inet_ntoa(packet[at + 16 * i + 12 : at + 16 * i + 16]) for i in range(count)]


def _name(packet: bytes, at: int) -> tuple[str, int]:
    labels = []
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels), at + 1


@contextmanager
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    try:
        yield server
    finally:
        server.close()
