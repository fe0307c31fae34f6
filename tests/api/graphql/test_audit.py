"""The audits of graphql-http, the specification's own judge, against a running server."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import NPM
from tests.servers import LiveServer

CLIENT = Path(__file__).with_name("client")
AUDITS = 61


@pytest.mark.npm
@pytest.mark.usefixtures("objects")
def test_every_audit_of_graphql_over_http_is_passed(
    tmp_path: Path, server: LiveServer, keys: dict[str, str]
) -> None:
    for name in ("package.json", "audit.mjs"):
        shutil.copy(CLIENT / name, tmp_path / name)
    words = [NPM.needed(), "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    words = [shutil.which("node") or "node", "audit.mjs", server.url("/api/v1/graphql"), keys["owner@acme"]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") + 1 >= AUDITS, done.stdout
