"""The official TypeScript client from npm, unmodified, drives a running server."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.people import People
from tests.programs import NPM
from tests.servers import LiveServer

CLIENT = Path(__file__).with_name("client")
NEWEST = "2026-09-15"  # some of its dependencies were withdrawn later


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script and the client as npm installs it."""
    folder = tmp_path_factory.mktemp("client")
    for name in ("package.json", "smoke.mjs"):
        shutil.copy(CLIENT / name, folder / name)
    words = [NPM.needed(), "install", f"--before={NEWEST}", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.npm
def test_every_call_is_answered_as_promised(client: Path, server: LiveServer, people: People) -> None:
    told = {
        "BASE_URL": server.url("").rstrip("/"),
        "EMAIL": people.email("owner"),
        "PASSWORD": people.password,
        "TENANT": "acme",
    }
    words = [shutil.which("node") or "node", "smoke.mjs"]
    done = subprocess.run(
        words, cwd=client, env=os.environ | told, capture_output=True, text=True, check=False, timeout=300
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 not" in done.stdout
