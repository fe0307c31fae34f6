"""`make reset`: delete what `make run` made, after a question."""

import os
import shutil
import sys

from apps.cli.launch.lock import Lock, Taken
from apps.cli.launch.places import Places
from apps.cli.launch.problems import StartProblem
from apps.cli.launch.processes import sweep
from apps.cli.launch.running import LOCK

WORD = "delete"


def reset(here: Places) -> int:
    """Delete the data folder when the answer is the right word, or REALLY=yes says so; return the exit code."""
    if not here.var.exists():
        sys.stdout.write(f"There is nothing to delete in {here.var}.\n")
        return 0
    here.make()
    try:
        with Lock(here.run / LOCK):
            if not confirmed(here):
                sys.stdout.write("Nothing was deleted.\n")
                return 1
            sweep(here.var)
            shutil.rmtree(here.var)
    except Taken as taken:
        raise StartProblem("E202", pid=taken.pid) from taken
    sys.stdout.write(f"{here.var} is deleted.\n")
    return 0


def confirmed(here: Places) -> bool:
    """Whether whoever asked means it."""
    if os.environ.get("REALLY") == "yes":
        return True
    sys.stdout.write(
        f"This deletes all tenants, files, secrets and logs in {here.var}.\n"
        f"Type {WORD} to go on (scripts: make reset REALLY=yes): "
    )
    sys.stdout.flush()
    return sys.stdin.readline().strip() == WORD
