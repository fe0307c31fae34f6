"""The product's own web server for journeys: granian in processes of its own, nothing of ours mocked."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class LiveServer:
    """Where the server answers."""

    port: int
    log: Path

    def url(self, path: str = "/", tenant: str | None = None) -> str:
        """Return the address of a path on a tenant's host or the platform's."""
        host = f"{tenant}.localhost" if tenant else "localhost"
        return f"http://{host}:{self.port}{path}"


# Runs side by side have neighbouring process ids; each begins elsewhere and hands no port out twice.
FIRST_PORT, PORTS = 20000, 12000
_numbers = itertools.count(os.getpid() * 61)


def free_port() -> int:
    """Return a port nobody listens on, below the ephemeral range."""
    for number in itertools.islice(_numbers, PORTS):
        port = FIRST_PORT + number % PORTS
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    msg = "No free port below 32000."
    raise RuntimeError(msg)


@contextmanager
def live_server(folder: Path, *, workers: int = 1, threads: int = 4) -> Iterator[LiveServer]:
    """Run granian on the test's database until the block ends."""
    port, log = free_port(), folder / "server.log"
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test", "PORT": str(port)}
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    command += ["--workers", str(workers), "--blocking-threads", str(threads), "config.wsgi:application"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True)
        try:
            _wait(port, process, log)
            yield LiveServer(port, log)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    msg = f"The server did not start:\n{log.read_text()[-3000:]}"
    raise RuntimeError(msg)
