"""`make lock`: requirements/*.in to lock files with hashes, good for every system and Python we support."""

import os
import subprocess
import sys
from pathlib import Path

from apps.cli.bootstrap import pip_settings, uv_environment
from apps.cli.launch.places import ROOT

NAMES = ("installer", "base", "dev")


def lock(words: list[str]) -> int:
    """Resolve all; `--upgrade` in words takes newer versions, without it the present ones are kept."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    environment = uv_environment(pip_settings(listed), os.environ) or dict(os.environ)
    for name in NAMES:
        command = [
            *(str(Path(sys.executable).parent / "uv"), "pip", "compile", "--quiet", "--generate-hashes"),
            *("--python-version", "3.11", "--universal", f"{name}.in", "-o", f"{name}.txt", *words),
        ]
        done = subprocess.run(command, cwd=ROOT / "requirements", env=environment, check=False)
        if done.returncode:
            return done.returncode
        sys.stdout.write(f"requirements/{name}.txt is current\n")
    return 0
