"""Servers of the tests on addresses of this machine: a canary that nobody may reach, and receivers."""

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CANARY, VOUCHED = "127.0.0.1", "127.0.0.2"


class Canary:
    """Counts who connects to a port of 127.0.0.1 (and of ::1, where there is one)."""

    def __init__(self, port: int = 0) -> None:
        self.caught: list[str] = []
        self._socks = [socket.create_server((CANARY, port))]
        self.port = self._socks[0].getsockname()[1]
        with contextlib.suppress(OSError):
            self._socks.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for sock in self._socks:
            threading.Thread(target=self._listen, args=[sock], daemon=True).start()

    def _listen(self, sock: socket.socket) -> None:
        while True:
            try:
                client, sender = sock.accept()
            except OSError:
                return
            self.caught.append(str(sender))
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\ncaught")
            client.close()

    def close(self) -> None:
        for sock in self._socks:
            sock.close()


class Receiver:
    """An HTTP server whose `answer(handler, body)` is replaced by the test; `seen` holds (path, headers, body)."""

    def __init__(
        self, host: str = VOUCHED, port: int = 0, certificate: tuple[Path, Path] | None = None
    ) -> None:
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.names: list[str | None] = []
        self.answer: Callable[[BaseHTTPRequestHandler, bytes], None] = plain(200)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {key.lower(): value for key, value in self.headers.items()}
                receiver.seen.append((self.path, headers, body))
                receiver.answer(self, body)

            do_GET = do_POST  # noqa: N815 - the name http.server asks for

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((host, port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            context.sni_callback = lambda _sock, name, _context: self.names.append(name)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._server.handle_error = lambda *_args: None  # type: ignore[method-assign]
        self.host, self.port = self._server.server_address[0], self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def plain(
    status: int, body: bytes = b"ok", **headers: str
) -> Callable[[BaseHTTPRequestHandler, bytes], None]:
    def answer(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """Return (certificate, key) files of a self-signed certificate for these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(text) for text in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{names[0]}.crt", folder / f"{names[0]}.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file
