"""manage.py without a database says where the database is, instead of a traceback."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_ADMIN_URL")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py as somebody who has only cloned the repository."""
    bare = {key: value for key, value in os.environ.items() if key not in NAMES} | {"DATABASE_URL": ""}
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=bare, capture_output=True, text=True, check=False
    )


def test_a_command_without_a_database_names_the_way() -> None:
    done = run("ledger", "verify")
    assert done.returncode == 1
    assert 'make manage ARGS="ledger verify"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_that_needs_no_database_runs() -> None:
    assert run("vendor", "check").returncode == 0
