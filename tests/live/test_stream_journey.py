"""Live events through the real processes: the front door, the sockets' process killed under way, the page's example."""

import os
import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from apps.cli.launch import plan
from apps.core.scope import tenant_scope
from apps.objects import records
from tests.api.conftest import make_key
from tests.events.working import until
from tests.live.stage import process, staged
from tests.objects.world import published, world  # noqa: F401
from tests.settling import settled

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "streams.md").read_text()


@pytest.fixture(scope="module")
def stage(published, tmp_path_factory):  # noqa: F811
    with staged(tmp_path_factory.mktemp("stage")) as running:
        yield running


def create(world, name):  # noqa: F811
    with tenant_scope(world.acme):
        return records.create("qa_lead", {"name": name}, by=world.actor("manager")).id


def example(address, key):
    """Run the program of the page; its lines are read by a thread, with the time of each."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    env = os.environ | {"ADDRESS": address, "KEY": key}
    program = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
    lines = []
    threading.Thread(
        target=lambda: lines.extend((line.split(), time.monotonic()) for line in program.stdout), daemon=True
    ).start()
    return program, lines


def ended(program):
    program.kill()
    program.wait()
    program.stdout.close()


def test_the_example_of_the_page_hears_everything(stage, world, acme, tmp_path):  # noqa: F811
    address = f"http://127.0.0.1:{stage.port}/api/v1/events/stream?subject=qa_lead:*"
    key = make_key(acme, world.actor("manager"))
    settled()
    program, lines = example(address, key)
    try:
        until(lambda: lines)
        assert lines[0][0][0] == "open"
        sent = []
        for n in range(20):
            create(world, f"Lead {n}")
            sent.append(time.monotonic())
        until(lambda: len(lines) == 21)
        assert {words[0] for words, _at in lines[1:]} == {"qa_lead.created"}
        late = [at - began for (_words, at), began in zip(lines[1:], sent, strict=True)]
        print(
            f"commit to client: median {statistics.median(late) * 1000:.0f} ms, worst {max(late) * 1000:.0f} ms"
        )
    finally:
        ended(program)


def test_a_killed_process_loses_nothing(stage, world, acme, tmp_path):  # noqa: F811
    """The sockets' process dies; what happened meanwhile comes after `Last-Event-ID`."""
    key, port = make_key(acme, world.actor("manager")), stage.port
    address = f"http://127.0.0.1:{port}/api/v1/events/stream?subject=qa_lead:*"
    settled()
    program, lines = example(address, key)
    until(lambda: lines)
    create(world, "Before")
    until(lambda: len(lines) == 2)
    os.killpg(stage.sockets.pid, 9)
    stage.sockets.wait()
    ended(program)
    last = lines[-1][0][1]
    names = [create(world, f"Meanwhile {n}") for n in range(3)]
    assert len(names) == 3
    command = plan.live_command(host="127.0.0.1", port=live_port(stage))
    with process(command, tmp_path / "live.log"):
        from tests.live.stage import _answers, _until

        _until(lambda: _answers(live_port(stage)))
        program, lines = example(f"{address}&after={last}", key)
        try:
            until(lambda: len(lines) == 4)
            assert [words[0] for words, _at in lines] == ["open", *["qa_lead.created"] * 3]
        finally:
            ended(program)


def live_port(stage):
    command = stage.sockets.args
    return int(command[command.index("--port") + 1])


def test_the_page_tells_the_true_numbers():
    from apps.api.live import events, follow, tap, wishes
    from config import environment

    days = next(item.default for item in environment.VARIABLES if item.name == "EVENTS_KEEP_DAYS")
    assert (days, "seven days by default" in PAGE) == (7, True)
    assert f"Every {events.HEARTBEAT:.0f} quiet seconds" in PAGE
    assert f"every {events.EVERY} seconds" in PAGE
    assert f"look every {tap.PAUSE} seconds" in PAGE
    assert (events.PAGE, "next hundred events" in PAGE) == (100, True)
    assert f"{follow.MOST_PER_CALLER} connections, a process {follow.MOST:,}" in PAGE
    assert f"at most {wishes.MOST_PATTERNS}" in PAGE
    assert all(f"| `{name}` |" in PAGE for name in wishes.KNOWN)
