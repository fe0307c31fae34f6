"""A Django command with the variables and servers of this folder's product, running or not."""

import os
import subprocess
import sys

from apps.cli.launch import options, ports, surroundings
from apps.cli.launch.lock import Lock, Taken
from apps.cli.launch.places import ROOT, Places, places
from apps.cli.launch.processes import MARK, sweep
from apps.cli.launch.running import LOCK, OWN_PORTS, start_servers
from apps.cli.launch.supervisor import Stopping, Supervisor


def manage(words: list[str]) -> int:
    """Run the command beside the running product; without one, start its servers for as long as it takes."""
    chosen, here = options.read(), places()
    here.make()
    try:
        with Lock(here.run / LOCK):
            return _alone(words, chosen, here)
    except Taken:
        surroundings.recall(here)
        return _command(words)


def _alone(words: list[str], chosen: options.Options, here: Places) -> int:
    os.environ[MARK] = str(here.var)
    sweep(here.var)
    supervisor = Supervisor()
    supervisor.listen()
    try:
        start_servers(supervisor, chosen, here, ports.remembered(here.run / "ports.json", OWN_PORTS))
        return _command(words)
    except Stopping:
        return 130
    finally:
        supervisor.stop()


def _command(words: list[str]) -> int:
    return subprocess.run([sys.executable, "manage.py", *words], check=False, cwd=ROOT).returncode
