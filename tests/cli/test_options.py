"""The launcher's own variables, and what is taken from the environment instead of embedded servers."""

import json
import os
import socket
import subprocess
import sys

import pytest

from apps.cli.launch import front, options, places, plan, surroundings
from apps.cli.launch.places import Places
from apps.cli.launch.problems import StartProblem


@pytest.fixture
def silent(monkeypatch):
    """An environment in which nothing of ours is set."""
    for name in [*surroundings.HANDED_ON, *(item[0] for item in options.VARIABLES)]:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def here(tmp_path):
    found = Places(tmp_path)
    found.make()
    return found


def read(tmp_path, **environment):
    return options.read(environment, tmp_path / "no.env")


def venv_of_a_new_process(tmp_path):
    script = "from apps.cli import bootstrap; print(bootstrap.VENV)"
    environment = dict(os.environ) | {"AIBOS_VENV": str(tmp_path / "venv")}
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=places.ROOT,
    ).stdout.strip()


def test_every_variable_has_its_effect(tmp_path, monkeypatch):
    plain = read(tmp_path)
    effects = {
        "BIND": lambda: read(tmp_path, BIND="0.0.0.0").bind != plain.bind,
        "CADDY_BIN": lambda: front.find_caddy(read(tmp_path, CADDY_BIN="/bin/sh")) == "/bin/sh",
        "WEB_WORKERS": lambda: "7" in plan.web_command(read(tmp_path, WEB_WORKERS="7"), host="h", port=1),
        "WEB_THREADS": lambda: "9" in plan.web_command(read(tmp_path, WEB_THREADS="9"), host="h", port=1),
        "WORKER_PROCESSES": lambda: "5" in plan.worker_command(read(tmp_path, WORKER_PROCESSES="5")),
        "DEMO": lambda: plain.demo and not read(tmp_path, DEMO="no").demo,
        "AIBOS_VAR": lambda: (
            monkeypatch.setenv("AIBOS_VAR", str(tmp_path)) or places.places().var == tmp_path
        ),
        "AIBOS_VENV": lambda: venv_of_a_new_process(tmp_path) == str(tmp_path / "venv"),
    }
    assert set(effects) == {item[0] for item in options.VARIABLES}
    assert [name for name, effect in effects.items() if not effect()] == []


def test_the_environment_wins_over_the_file(tmp_path):
    file = tmp_path / ".env"
    file.write_text("PORT=8100\nBIND=0.0.0.0\n")
    environment = {"PORT": "8200"}
    found = options.read(environment, file)
    assert (found.port, found.bind) == (8200, "0.0.0.0")
    assert environment == {"PORT": "8200", "BIND": "0.0.0.0"}


def test_a_port_that_is_no_number_is_told_so(tmp_path):
    with pytest.raises(SystemExit, match="PORT must be a number, not 'web'"):
        read(tmp_path, PORT="web")


def test_a_database_of_ones_own_needs_both_logins(silent, here):
    silent.setenv("DATABASE_URL", "postgresql://aibos_app@127.0.0.1:1/none")
    with pytest.raises(StartProblem, match=r"(?s)E222.*prepare-database"):
        surroundings.database(here, 1, surroundings.Surroundings())


def test_an_unreachable_database_is_named_without_its_password(silent, here):
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        silent.setenv(name, "postgresql://aibos_app:hidden-word@127.0.0.1:1/none")
    with pytest.raises(StartProblem) as refusal:
        surroundings.database(here, 1, surroundings.Surroundings())
    assert refusal.value.code == "E221"
    assert "postgresql://127.0.0.1:1/none" in str(refusal.value)
    assert "hidden-word" not in str(refusal.value)


def test_a_database_of_ones_own_is_used_and_none_embedded_is_started(silent, here, admin_url):
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        silent.setenv(name, admin_url)
    found = surroundings.Surroundings()
    surroundings.database(here, 1, found)
    assert found.servers == []
    assert not found.embedded_database
    assert not here.postgres.exists()


def test_an_unreachable_broker_is_named(silent, here):
    silent.setenv("BROKER_URL", "redis://:hidden-word@127.0.0.1:1/0")
    with pytest.raises(StartProblem) as refusal:
        surroundings.broker_and_caches(here, 1, surroundings.Surroundings())
    assert refusal.value.code == "E223"
    assert "BROKER_URL" in str(refusal.value)
    assert "hidden-word" not in str(refusal.value)


def test_servers_of_ones_own_are_used_and_none_embedded_is_started(silent, here):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"redis://127.0.0.1:{listening.getsockname()[1]}/0"
        for name in ("BROKER_URL", "CHANNELS_URL", "CACHE_URL"):
            silent.setenv(name, url)
        found = surroundings.Surroundings()
        surroundings.broker_and_caches(here, 1, found)
    assert found.servers == []
    assert os.environ["CACHE_URL"] == url


def test_a_full_disk_and_a_locked_folder_are_told(monkeypatch, tmp_path):
    usage = type("Usage", (), {"free": 10 * 10**6})
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StartProblem, match="E203 The disk is nearly full: 10 MB free"):
        Places(tmp_path / "var").make()
    (tmp_path / "file").write_text("")
    with pytest.raises(StartProblem, match="E204 The folder"):
        Places(tmp_path / "file").make()


def test_the_variables_are_kept_private_for_the_commands_beside(silent, here):
    silent.setenv("SECRET_KEY", "one")
    silent.setenv("DATABASE_URL", "two")
    surroundings.remember(here)
    file = here.secrets / "environment.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == {"SECRET_KEY": "one", "DATABASE_URL": "two"}
    silent.delenv("SECRET_KEY")
    silent.setenv("DATABASE_URL", "mine")
    surroundings.recall(here)
    assert (os.environ["SECRET_KEY"], os.environ["DATABASE_URL"]) == ("one", "mine")
