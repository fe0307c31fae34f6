"""A WebSocket client of its own (RFC 6455, texts below 64 KB), so that headers are the test's to choose."""

import base64
import json
import os
import socket
import struct
from typing import Any


class Refused(Exception):
    """The server did not switch protocols; the first argument is its status."""


class Wire:
    """One connection; reads messages, answers pings."""

    def __init__(self, port: int, path: str, headers: dict[str, str], patience: float = 30.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        status = int(head.split()[1])
        if status != 101:
            self._socket.close()
            raise Refused(status)

    def next(self) -> dict[str, Any] | int:
        """Return the next message, or the code of the close."""
        while True:
            first, length = self._read(2)
            if length == 126:
                (length,) = struct.unpack(">H", self._read(2))
            body, code = self._read(length), first & 15
            if code == 1:
                return json.loads(body)
            if code == 8:
                self._socket.close()
                return int(struct.unpack(">H", body[:2])[0]) if body else 1005

    def all(self) -> tuple[list[dict[str, Any]], int]:
        """Return every message and the code of the close."""
        heard = []
        while not isinstance(item := self.next(), int):
            heard.append(item)
        return heard, item

    def close(self) -> None:
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                msg = "the server hung up"
                raise ConnectionError(msg)
            data += part
        return data
