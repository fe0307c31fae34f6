"""The processes of live progress as they are served: front door, pages, sockets, worker, channel layer."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from apps.cli.launch import front, options, plan
from apps.cli.launch.places import Places
from apps.cli.launch.valkey import find_program
from tests.api.conftest import environment
from tests.servers import ROOT, free_port, live_server


@dataclass
class Stage:
    """Where the front door is, and the process behind its sockets."""

    port: int
    sockets: "subprocess.Popen[bytes]"

    def origin(self, slug: str) -> str:
        return f"http://{slug}.localhost:{self.port}"


@contextmanager
def process(command: list[str], log: Path, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in the repository until the block ends."""
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"} | more
    with log.open("wb") as out:
        made = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True)
        try:
            yield made
        finally:
            if made.poll() is None:
                os.killpg(made.pid, signal.SIGTERM)
            try:
                made.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(made.pid, signal.SIGKILL)
                made.wait()


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Start everything, the front door last."""
    with ExitStack() as stack:
        store = free_port()
        command = [
            find_program(),
            "--port",
            str(store),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(folder),
        ]
        stack.enter_context(process(command, folder / "valkey.log"))
        url = f"redis://127.0.0.1:{store}/0"
        with redis.Redis.from_url(url) as client:
            _until(client.ping)
        stack.enter_context(environment(CHANNELS_URL=url))
        web = stack.enter_context(live_server(folder))
        live, port = free_port(), free_port()
        command = plan.live_command(host="127.0.0.1", port=live)
        sockets = stack.enter_context(process(command, folder / "live.log"))
        stack.enter_context(process([sys.executable, "-m", "tests.live.worker"], folder / "worker.log"))
        read = options.read({"PORT": str(port)}, file=folder / "none")
        places = Places(folder)
        places.make()
        child = front.front_door(read, places, program=str(front.find_caddy(read)), web=web.port, live=live)
        stack.enter_context(process(child.command, folder / "front.log"))
        _until(lambda: _answers(live) and _answers(port))
        yield Stage(port, sockets)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2)
    except urllib.error.HTTPError:
        return True
    return True


def _until(condition: object) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            if condition():
                return
        except (OSError, redis.ConnectionError):
            assert time.monotonic() < end, "it did not start"
        time.sleep(0.1)
