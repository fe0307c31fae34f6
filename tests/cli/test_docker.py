"""The container files, read and judged without an engine, and their entry point, run without one."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from apps.cli.launch import commands, front, options
from apps.cli.launch.places import Places
from config.environment import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
ENTRYPOINT = DOCKER / "entrypoint.sh"
PINNED = re.compile(r"^[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?(@sha256:[0-9a-f]{64})?$")


def instructions(text):
    """A Dockerfile's instructions: [(word, arguments)], comments and line ends taken away."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (word.upper(), rest.strip())
        for word, _, rest in (line.partition(" ") for line in joined.splitlines())
        if word
    ]


def faults(text):
    """Our rules for an image; each broken one in words."""
    found = []
    parsed = instructions(text)
    stages = [rest.split() for word, rest in parsed if word == "FROM"]
    names = {stage[2] for stage in stages if len(stage) == 3}
    found += [f"base not pinned: {stage[0]}" for stage in stages if not PINNED.match(stage[0])]
    if len(stages) < 2:
        found.append("one stage only: what builds is shipped")
    last = max(index for index, (word, _) in enumerate(parsed) if word == "FROM")
    final = parsed[last:]
    users = [rest for word, rest in final if word == "USER"]
    if not users or users[-1] in ("root", "0"):
        found.append("runs as root")
    if not any(word == "HEALTHCHECK" and "/healthz" in rest for word, rest in final):
        found.append("no health check")
    if not any(word == "ENTRYPOINT" and rest.startswith("[") for word, rest in final):
        found.append("entry point not in the exec form")
    for word, rest in parsed:
        if word in ("ENV", "ARG") and re.search(r"SECRET|PASSWORD|TOKEN|DATABASE_URL", rest):
            found.append(f"secret in {word}")
        if word == "ADD":
            found.append("ADD")
        if word == "RUN" and re.search(r"pip install(?!.*--require-hashes)", rest):
            found.append("packages without hashes")
        origin = re.search(r"--from=(\S+)", rest) if word == "COPY" else None
        if origin and origin.group(1) not in names:
            found.append(f"no such stage: {origin.group(1)}")
    return found


def test_the_image_keeps_our_rules():
    assert faults((DOCKER / "Dockerfile").read_text()) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("USER 10001", "USER root"), "runs as root"),
        (("python:3.11.14-slim-bookworm AS", "python:latest AS"), "base not pinned: python:latest"),
        (("HEALTHCHECK", "LABEL"), "no health check"),
        (("--from=build /venv", "--from=builder /venv"), "no such stage: builder"),
        (("WORKDIR /app\nENV PATH", "ENV SECRET_KEY=x\nENV PATH"), "secret in ENV"),
        ((" --require-hashes", ""), "packages without hashes"),
    ],
)
def test_each_rule_is_broken_by_its_breach(change, fault):
    text = (DOCKER / "Dockerfile").read_text()
    assert change[0] in text
    assert fault in faults(text.replace(*change))


def test_what_the_image_copies_exists_and_passes_the_ignore_file():
    passed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in instructions((DOCKER / "Dockerfile").read_text()):
        if word != "COPY" or "--from" in rest:
            continue
        for source in rest.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in passed, source


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_the_compose_file_has_every_process_and_server(compose):
    assert set(compose["services"]) == {
        *("setup", "web", "sockets", "worker", "beat", "sequencer", "caddy", "postgres", "redis", "nats"),
    }
    words = {
        name: service["command"][0] for name, service in compose["services"].items() if "build" in service
    }
    assert set(words.values()) == set(commands.PROCESSES) | {"setup"}
    assert words["sockets"] == "live"


def test_every_image_is_pinned_and_every_volume_declared(compose):
    for name, service in compose["services"].items():
        if "build" not in service:
            assert PINNED.match(service["image"]), name
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"], name


def test_no_password_stands_in_the_compose_file(compose):
    for name, service in compose["services"].items():
        for key, value in (service.get("environment") or {}).items():
            for password in re.findall(r"://[^:@/]*:([^@]+)@", str(value)):
                assert password.startswith("${"), f"{name}: {key}"


def test_only_the_front_door_is_open_to_the_world(compose):
    assert [name for name, service in compose["services"].items() if service.get("ports")] == ["caddy"]


def test_our_containers_have_no_rights_to_spare(compose):
    for name, service in compose["services"].items():
        if "build" in service:
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
            assert "no-new-privileges:true" in service["security_opt"], name


def test_every_variable_of_the_compose_file_is_known(compose):
    known = {item.name for item in VARIABLES} | {item[0] for item in options.VARIABLES}
    known |= {"DATABASE_ADMIN_URL", "DATABASE_APP_PASSWORD", "DATABASE_OWNER_PASSWORD"}
    known |= {"ACME_EMAIL", "WEB_UPSTREAM", "LIVE_UPSTREAM"}  # of the Caddyfile
    for name, service in compose["services"].items():
        if "build" in service:
            assert set(service["environment"]) <= known, name


def test_what_must_be_set_is_in_the_example():
    text = (DOCKER / "compose.yaml").read_text()
    example = (ROOT / ".env.example").read_text()
    for name in set(re.findall(r"\$\{(\w+):\?", text)):
        assert re.search(rf"^#?{name}=", example, re.MULTILINE), name


def test_every_line_of_the_example_is_a_known_variable(compose):
    text = (DOCKER / "compose.yaml").read_text()
    known = (
        {item.name for item in VARIABLES} | {item[0] for item in options.VARIABLES} | {"DATABASE_ADMIN_URL"}
    )
    known |= set(re.findall(r"\$\{(\w+)", text))
    for name in re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
        assert name in known, name


def entry(tmp_path, *words, **environment):
    """Run the real entry point with a `python` that only says how it was called."""
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "python $*"\nenv | grep ^SECRET_KEY= || true\n')
    fake.chmod(0o755)
    clean = {"PATH": f"{tmp_path}:/usr/bin:/bin"} | environment
    return subprocess.run([ENTRYPOINT, *words], env=clean, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("word", sorted(commands.PROCESSES))
def test_the_entry_point_becomes_each_process(tmp_path, word):
    done = entry(tmp_path, word, "--port", "8001")
    assert done.stdout.splitlines()[0] == f"python -m apps.cli.launch process {word} --port 8001"


def test_the_entry_point_prepares_only_with_an_administrator(tmp_path):
    plain = entry(tmp_path, "setup").stdout.splitlines()
    assert plain == ["python manage.py migrate_all"]
    whole = entry(tmp_path, "setup", DATABASE_ADMIN_URL="x").stdout.splitlines()
    assert whole == ["python -m apps.cli.launch prepare-database --quiet", "python manage.py migrate_all"]


def test_the_entry_point_reads_secrets_from_files(tmp_path):
    (tmp_path / "key").write_text("a 'word' $HOME\n")
    done = entry(tmp_path, "web", SECRET_KEY_FILE=str(tmp_path / "key"))
    assert "SECRET_KEY=a 'word' $HOME" in done.stdout


def test_the_entry_point_runs_anything_else_as_it_stands(tmp_path):
    assert entry(tmp_path, "echo", "a b").stdout == "a b\n"


def test_the_commands_of_the_image_exist():
    """The words of every process name a program or module that is installed here too."""
    read = options.read({}, ROOT / "no.env")
    chosen = type("Chosen", (), {"host": "127.0.0.1", "port": 1})
    for name, build in commands.PROCESSES.items():
        command = build(chosen)
        if command[1] == "-m":
            done = subprocess.run([command[0], "-m", command[2], "--help"], capture_output=True, check=False)
            assert done.returncode == 0, name
    assert front.find_caddy(read)
    assert (ROOT / "manage.py").exists()


@pytest.mark.parametrize("which", ["local", "served"])
def test_caddy_understands_its_configuration(tmp_path, which):
    here = Places(tmp_path)
    here.make()
    read = options.read({"PORT": "8123"}, ROOT / "no.env")
    program = front.find_caddy(read)
    child = front.front_door(read, here, program=program, web=1, live=2)
    file = child.command[-1] if which == "local" else str(DOCKER / "Caddyfile")
    done = subprocess.run(
        [program, "validate", "--adapter", "caddyfile", "--config", file],
        env=dict(os.environ) | {"HOME": str(tmp_path), "ACME_EMAIL": "you@example.com"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_health_check_judges_by_the_answer():
    check = next(
        rest for word, rest in instructions((DOCKER / "Dockerfile").read_text()) if word == "HEALTHCHECK"
    )
    command = yaml.safe_load(check[check.index("CMD") + 3 :])
    done = subprocess.run(
        [sys.executable, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1  # nobody answers here
    assert command[-1] in done.stderr


def test_the_shell_scripts_are_sound():
    for script in (ENTRYPOINT, ROOT / ".ci" / "run"):
        shell = script.read_text().splitlines()[0].removeprefix("#!").split()
        done = subprocess.run([*shlex.split(" ".join(shell)), "-n", script], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert os.access(script, os.X_OK)
