"""`make check`: every check that needs no server of its own, each named, all run even when one fails."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field

from apps.cli.launch.places import ROOT

# Enough for Django to load; nothing listens there, so a check that would query fails at once.
NOWHERE = {
    "SECRET_KEY": "only-for-checks-" + "0123456789abcdef" * 4,
    "DATABASE_URL": "postgresql://aibos_app@127.0.0.1:1/none",
    "DATABASE_OWNER_URL": "postgresql://aibos_owner@127.0.0.1:1/none",
}
DEVELOPMENT = NOWHERE | {"DJANGO_SETTINGS_MODULE": "config.settings.development"}
PRODUCTION = NOWHERE | {"DJANGO_SETTINGS_MODULE": "config.settings.production"}


@dataclass(frozen=True)
class Check:
    """One check: its name, its command after `python`, and the variables it needs."""

    name: str
    words: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


CHECKS = (
    Check("style", ("-m", "ruff", "check", ".")),
    Check("format", ("-m", "ruff", "format", "--check", ".")),
    Check("imports go down the tower", ("-c", "from importlinter.cli import lint_imports_command as c; c()")),
    Check("types", ("-m", "mypy"), DEVELOPMENT),
    Check("migrations match models", ("manage.py", "makemigrations", "--check", "--dry-run"), DEVELOPMENT),
    Check("production settings", ("manage.py", "check", "--deploy", "--fail-level", "WARNING"), PRODUCTION),
    Check("declared = enforced", ("manage.py", "declared", "check"), DEVELOPMENT),
)


def check() -> int:
    """Run all checks and print what each said when it failed; return 1 when one did."""
    failed = []
    for item in CHECKS:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, *item.words],
            env=dict(os.environ) | item.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.monotonic() - began
        sys.stdout.write(f"{'ok  ' if done.returncode == 0 else 'FAIL'}  {item.name}  ({took:.1f} s)\n")
        if done.returncode != 0:
            failed.append(item.name)
            sys.stdout.write(done.stdout + done.stderr)
        sys.stdout.flush()
    if failed:
        sys.stdout.write(f"\nFailed: {', '.join(failed)}\n")
    return 1 if failed else 0
