"""The embedded servers: nobody enters without the password, nothing is lost by a kill, other data are refused."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psycopg
import pytest

from apps.cli.launch import ports, postgres
from apps.cli.launch.places import Places
from apps.cli.launch.problems import StartProblem
from apps.cli.launch.processes import MARK, marked, program
from apps.cli.launch.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def here():
    """A folder outside pytest's, which are private: as root, the server's user must pass through."""
    with tempfile.TemporaryDirectory(prefix="aibos-embedded-") as folder:
        Path(folder).chmod(0o711)
        places = Places(Path(folder) / "var")
        places.make()
        yield places


@pytest.fixture(scope="module")
def server(here):
    """A running server; tests may kill it, the next start is theirs too."""
    found = postgres.Server(here.postgres, ports.free_port(), here)
    child = found.child()
    found.start(child)
    yield found, child
    child.stop()


def test_a_password_is_asked_of_everyone(server):
    found, _ = server
    assert found.answers()
    for login in ("postgres@", "postgres:wrong@", "nobody@"):
        with pytest.raises(psycopg.OperationalError, match=r"password|authentication"):
            psycopg.connect(f"postgresql://{login}127.0.0.1:{found.port}/postgres?passfile=/nonexistent")


def test_no_line_of_the_access_file_trusts(server):
    found, _ = server
    lines = (found.data / "pg_hba.conf").read_text().splitlines()
    methods = {line.split()[-1] for line in lines if line.strip() and not line.startswith("#")}
    assert methods == {"scram-sha-256"}


def test_the_password_is_random_and_private(server, here):
    file = here.secrets / "postgres-password"
    assert len(file.read_text()) >= 40
    assert file.stat().st_mode & 0o777 == 0o600
    assert here.secrets.stat().st_mode & 0o777 == 0o700


def test_it_listens_on_this_machine_alone(server):
    found, _ = server
    with psycopg.connect(found.admin_url()) as admin:
        assert admin.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert admin.execute("SHOW unix_socket_directories").fetchone() == ("",)
    listening = []
    for table, anywhere in (("/proc/net/tcp", "0" * 8), ("/proc/net/tcp6", "0" * 32)):
        for row in Path(table).read_text().splitlines()[1:]:
            columns = row.split()
            if columns[3] == "0A" and int(columns[1].split(":")[1], 16) == found.port:
                listening.append(columns[1].split(":")[0] != anywhere)
    assert listening == [True]


def test_a_kill_of_everything_loses_nothing_that_was_committed(server):
    found, child = server
    with psycopg.connect(found.admin_url(), autocommit=True) as admin:
        admin.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        admin.execute("INSERT INTO kept VALUES ('before the kill')")
    child.end_group(signal.SIGKILL)
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.wait()
    assert (found.data / "postmaster.pid").exists()  # the stale lock is there: the situation is the real one
    again = found.child()
    server[1].process = again.process
    found.start(again)
    server[1].process = again.process
    with psycopg.connect(found.admin_url()) as admin:
        assert ("before the kill",) in admin.execute("SELECT word FROM kept").fetchall()


def test_a_server_that_a_killed_launcher_left_is_taken_over(server):
    found, child = server
    first = child.process.pid
    again = found.child()  # a second launcher: finds the lock of the first one's server, which still runs
    child.process.wait(20)
    assert program(first) is None
    found.start(again)
    child.process = again.process
    assert found.answers()


def test_a_lock_whose_process_is_another_program_now_is_forgotten(tmp_path):
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{tmp_path}\n")
    postgres.stop_stray(tmp_path)
    assert not lock.exists()


def test_data_of_another_major_version_are_refused_and_left_alone(tmp_path, here):
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(StartProblem) as refusal:
        postgres.refuse_other_version(data, postgres.find_programs())
    assert refusal.value.code == "E211"
    assert f"{data} were made by PostgreSQL 9" in str(refusal.value)
    assert "pg_dump" in refusal.value.cure
    assert [item.name for item in data.iterdir()] == ["PG_VERSION"]
    (data / "PG_VERSION").write_text(f"{postgres.major(postgres.find_programs())}\n")
    postgres.refuse_other_version(data, postgres.find_programs())  # the negative control


def test_a_server_that_cannot_start_says_why(here, tmp_path):
    found = postgres.Server(here.var / "broken", ports.free_port(), here, name="broken")
    found.settings = {"shared_buffers": "a lot"}
    child = found.child()
    with pytest.raises(StartProblem, match=r"(?s)E213.*shared_buffers"):
        found.start(child)


def test_valkey_asks_for_its_password_and_keeps_what_it_was_given(here):
    server = Valkey(ports.free_port(), here)
    child = server.child()
    server.start(child)
    try:
        import redis

        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=server.port).ping()
        redis.Redis.from_url(server.url(0)).set("kept", "yes")
    finally:
        child.stop()
    again = server.child()
    server.start(again)
    try:
        assert redis.Redis.from_url(server.url(0)).get("kept") == b"yes"
    finally:
        again.stop()
    assert "requirepass" not in " ".join(child.command)
    assert Path(child.command[1]).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform != "linux", reason="the system's watch over parents is Linux'")
def test_children_die_with_a_launcher_that_is_killed(here):
    script = textwrap.dedent(
        f"""
        import os, sys, time
        from pathlib import Path
        from apps.cli.launch import ports, postgres
        from apps.cli.launch.children import Child
        from apps.cli.launch.places import Places
        from apps.cli.launch.processes import MARK
        here = Places(Path({str(here.var / "short")!r}))
        here.make()
        os.environ[MARK] = str(here.var)
        server = postgres.Server(here.postgres, ports.free_port(), here, settings=postgres.FORGETFUL)
        child = server.child()
        server.start(child)
        other = Child(name="other", command=["sleep", "600"], environment=dict(os.environ), log=here.logs / "o.log")
        other.start()
        print("up", flush=True)
        time.sleep(600)
        """
    )
    before = os.environ.get(MARK)  # `make test` has one of its own
    launcher = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    folder = here.var / "short"
    try:
        assert launcher.stdout.readline() == "up\n"
        assert (
            len(marked(folder)) >= 2
        )  # PostgreSQL and the other child are up: the situation is the real one
    finally:
        launcher.kill()
        launcher.communicate()
    deadline = time.monotonic() + 20
    while (left := [pid for pid in marked(folder) if program(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
    assert os.environ.get(MARK) == before


def test_a_taken_port_is_seen_and_its_holder_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not ports.is_free(port)
        assert f"process {os.getpid()}" in ports.holder(port)
    assert ports.is_free(port)


def test_ports_are_remembered_and_replaced_only_when_taken(tmp_path):
    file = tmp_path / "ports.json"
    first = ports.remembered(file, ["a", "b"])
    assert ports.remembered(file, ["a", "b"]) == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["a"]))
        taken.listen()
        second = ports.remembered(file, ["a", "b"])
    assert second["b"] == first["b"]
    assert second["a"] != first["a"]
    assert all(port < 32768 for port in second.values())
