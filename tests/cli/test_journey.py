"""A newcomer's first day: a clone, one command, two kills, a second start, a backup brought back, a clean end.

Nothing is mocked: the real launcher starts real servers in a folder of its own.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from apps.cli.launch import ports
from apps.cli.launch.processes import MARK, marked, program

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180  # seconds until a test gives up; no measure of speed


class Product:
    """One clone with its launcher."""

    def __init__(self, folder, port):
        self.folder, self.port, self.var = folder, port, folder / "var"
        self.process = None
        self.said = folder.parent / f"{folder.name}-said.txt"

    @property
    def environment(self):
        names = {
            "DJANGO_SETTINGS_MODULE",
            "SECRET_KEY",
            "PORT",
            "AIBOS_VAR",
            "MEDIA_ROOT",
            "EXPORT_ROOT",
            MARK,
        }
        clean = {
            key: value for key, value in os.environ.items() if key not in names and not key.endswith("_URL")
        }
        return clean | {"PORT": str(self.port)}

    def launch(self, *words, **more):
        """Run one verb to its end."""
        return subprocess.run(
            [sys.executable, "-m", "apps.cli.launch", *words],
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def start(self):
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "apps.cli.launch", "run"],
                cwd=self.folder,
                env=self.environment,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
            )
        self.until(lambda: "Stop: Ctrl-C" in self.text or self.process.poll() is not None)
        assert self.process.poll() is None, self.text

    @property
    def text(self):
        return self.said.read_text()

    def until(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{self.text}\n{self.get('/readyz')}"
            time.sleep(0.1)

    def get(self, path, host="localhost"):
        """Status and body of a page."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            headers={"Host": f"{host}:{self.port}", "Accept": "text/html"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def pid(self, needle):
        """The first process of this product whose command line holds the word."""
        for pid in marked(self.var):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if needle in line:
                return pid
        return None

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def nothing_left(self):
        return not [pid for pid in marked(self.var) if program(pid)]


def hidden(path, top):
    """Whether a folder on the way keeps others out."""
    return any(parent.stat().st_mode & 0o077 == 0 for parent in path.parents if parent.is_relative_to(top))


@pytest.fixture(scope="module")
def product():
    # Not in pytest's folders: those are private, and as root the server's user must pass through.
    home = Path(tempfile.mkdtemp(prefix="aibos-newcomer-"))
    home.chmod(0o711)
    folder = home / "clone"
    shutil.copytree(
        ROOT,
        folder,
        ignore=lambda at, names: [
            name
            for name in names
            if name in {".venv", ".git", "__pycache__", "node_modules"}
            or (name == "var" and Path(at) == ROOT)
        ],
    )
    found = Product(folder, ports.free_port())
    yield found
    if found.process and found.process.poll() is None:
        found.process.send_signal(signal.SIGTERM)
        found.process.wait(60)
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def running(product):
    """The first start, with everything to do."""
    product.start()
    return product


def test_the_first_start_ends_with_addresses_and_logins(running):
    text = running.text
    assert "bringing the tables up to date" in text
    assert f"http://localhost:{running.port}/console/" in text
    for slug in ("acme", "globex"):
        assert f"http://{slug}.localhost:{running.port}/" in text
    assert (
        len(set(re.findall(r"[\w.-]+@[\w.-]+\.\w+", text))) >= 4
    )  # operator, and members with different rights
    assert "x-api-key" in text


def test_every_address_answers(running):
    assert running.get("/healthz")[0] == 200
    assert running.get("/readyz")[0] == 200
    assert running.get("/api/v1")[0] == 200
    assert running.get("/api/v1/docs")[0] == 200
    assert running.get("/console/")[0] == 200
    for slug in ("acme", "globex"):
        status, page = running.get("/", f"{slug}.localhost")
        assert status == 200
        assert "<html" in page
    assert running.get("/", "nobody.localhost")[0] == 404


def test_the_front_door_asks_before_it_wants_a_certificate(running):
    assert running.get("/healthz/host?domain=acme.localhost")[0] == 200
    assert running.get("/healthz/host?domain=localhost")[0] == 200
    assert running.get("/healthz/host?domain=nobody.localhost")[0] == 404
    assert running.get("/healthz/host")[0] == 404


def test_the_key_of_the_table_opens_the_api_of_its_tenant_alone(running):
    key = re.search(r"x-api-key for \S+\s+(\S+)", running.text).group(1)
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/api/v1/auth/me/permissions",
        headers={"Host": f"localhost:{running.port}", "x-api-key": key},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def test_every_process_runs_and_stays(running):
    names = ("config.wsgi", "config.asgi", "worker", "beat", "sequencer", "caddy", "valkey", "postgres")
    running.until(lambda: all(running.pid(name) for name in names))
    assert "ended (" not in running.text


def test_nobody_else_on_the_machine_can_read_the_data(running):
    open_to_others = [
        path
        for path in running.var.rglob("*")
        if not path.is_symlink()
        and path.is_file()
        and path.stat().st_mode & 0o077
        and not hidden(path, running.var)
    ]
    assert open_to_others == []


def test_a_second_start_in_the_same_folder_is_refused(running):
    done = running.launch("run")
    assert done.returncode == 1
    assert "E202 AI-BOS is already running from this folder" in done.stderr


def test_a_second_clone_on_the_same_port_is_told_of_a_free_one(running, tmp_path):
    done = running.launch("run", AIBOS_VAR=str(tmp_path))
    assert done.returncode == 1
    assert re.search(
        rf"E201 Port {running.port} is in use by another program \(caddy, process \d+\)", done.stderr
    )
    assert re.search(r"make run PORT=\d+", done.stderr)


def test_a_command_runs_beside_the_product(running):
    done = running.launch("manage", "ledger", "verify")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["postgres", "valkey", "config.wsgi"])
def test_a_killed_process_comes_back_and_the_product_with_it(running, name):
    first = running.pid(name)
    os.kill(first, signal.SIGKILL)
    running.until(lambda: (again := running.pid(name)) is not None and again != first)
    running.until(lambda: running.get("/readyz")[0] == 200)
    running.until(lambda: running.get("/", "acme.localhost")[0] == 200)


def test_a_backup_brings_back_what_was_deleted(running):
    archive = running.folder.parent / "backup.tar"
    done = running.launch("backup", str(archive))
    assert done.returncode == 0, done.stderr
    assert archive.stat().st_mode & 0o777 == 0o600
    assert running.launch("restore", str(archive)).returncode == 1  # not under a running product
    assert running.stop() == 0
    assert running.nothing_left()
    assert running.launch("reset", REALLY="yes").returncode == 0
    assert not running.var.exists()
    done = running.launch("restore", str(archive))
    assert done.returncode == 0, done.stderr
    running.start()
    assert "making the demo" in running.text  # the code looks at what it found, once
    assert running.get("/", "acme.localhost")[0] == 200
    done = running.launch("manage", "ledger", "verify")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_launcher_that_is_killed_takes_everything_along_and_starts_again(running):
    running.process.kill()
    running.process.wait()
    running.until(running.nothing_left)
    running.start()
    assert "tables are up to date" in running.text  # nothing that has not changed is done again
    assert running.get("/readyz")[0] == 200


def test_one_signal_stops_all(running):
    assert running.stop() == 0
    assert running.text.rstrip().endswith("stopped")
    assert "by force" not in running.text
    assert running.nothing_left()
    assert ports.is_free(running.port)


def test_data_of_another_version_are_refused_by_the_whole_launcher(product):
    version = product.var / "postgres" / "data" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("9\n")
    done = product.launch("run")
    assert done.returncode == 1
    assert "E211" in done.stderr
    assert "PostgreSQL 9" in done.stderr
    assert "Traceback" not in done.stderr
    version.write_text(kept)
