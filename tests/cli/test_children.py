"""One process: started again when it crashes, stopped with everything it started."""

import os
import signal
import sys
import time

import pytest

from apps.cli.launch import children
from apps.cli.launch.children import Child
from apps.cli.launch.lock import Lock, Taken
from apps.cli.launch.passwords import secret
from apps.cli.launch.processes import program
from apps.cli.launch.supervisor import Stopping, Supervisor, wait_for


def child(tmp_path, code, **more):
    return Child(
        name="one",
        command=[sys.executable, "-c", code],
        environment=dict(os.environ),
        log=tmp_path / "one.log",
        **more,
    )


def wait(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.02)


def test_a_crash_is_reported_and_followed_by_growing_pauses(tmp_path, monkeypatch):
    one = child(tmp_path, "raise SystemExit(3)")
    one.start()
    pauses = []
    for _ in range(3):
        wait(lambda: one.poll() is not None)
        report = one.look_after()
        assert "one ended (exit code 3)" in report
        assert str(one.log) in report
        pauses.append(one.again_at - time.monotonic())
        assert one.look_after() is None  # not before its time
        one.again_at = 0
        assert one.look_after() == "one is started again"
    assert pauses[0] < pauses[1] < pauses[2] <= children.LONGEST_PAUSE
    one.stop()


def test_what_runs_is_left_alone(tmp_path):
    one = child(tmp_path, "import time; time.sleep(600)")
    one.start()
    first = one.process.pid
    assert one.look_after() is None
    assert one.process.pid == first
    one.stop()


def test_an_end_by_signal_is_named(tmp_path):
    one = child(tmp_path, "import time; time.sleep(600)")
    one.start()
    os.kill(one.process.pid, signal.SIGKILL)
    wait(lambda: one.poll() is not None)
    assert "by SIGKILL" in one.look_after()


def test_stopping_ends_grandchildren_too(tmp_path):
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, time, pathlib;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"pathlib.Path({str(note)!r}).write_text(str(p.pid)); time.sleep(600)"
    )
    one = child(tmp_path, code)
    one.start()
    wait(lambda: note.exists() and note.read_text())
    grandchild = int(note.read_text())
    assert program(grandchild)
    one.stop()
    wait(lambda: not program(grandchild))


def test_one_that_does_not_want_to_stop_is_ended_by_force(tmp_path):
    note = tmp_path / "deaf"
    code = f"import signal, time, pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(note)!r}).touch(); time.sleep(600)"
    one = child(tmp_path, code, stop_seconds=0.2)
    one.start()
    wait(note.exists)
    assert one.stop() is True
    assert one.poll() == -signal.SIGKILL


def test_all_are_stopped_the_last_group_first(tmp_path):
    order = tmp_path / "order"
    code = (
        "import signal, sys, time, pathlib\n"
        "def bye(*_):\n"
        f"    with open({str(order)!r}, 'a') as f: f.write(sys.argv[1] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(15, bye)\n"
        f"pathlib.Path({str(tmp_path)!r}, sys.argv[1]).touch()\n"
        "time.sleep(600)"
    )
    supervisor = Supervisor()
    for name in ("postgres", "web", "front"):
        one = child(tmp_path, code)
        one.command.append(name)
        one.ready = (tmp_path / name).exists
        one.start()
        supervisor.add(one)
        assert wait_for([one], 10) is None
    supervisor.stop()
    assert order.read_text().split() == ["front", "web", "postgres"]


def test_a_signal_during_the_start_ends_it():
    supervisor = Supervisor()
    with pytest.raises(Stopping):
        supervisor._asked()
    supervisor._asked()  # a second one does not raise into the stopping


def test_a_large_log_is_turned(tmp_path):
    log = tmp_path / "web.log"
    log.write_bytes(b"x" * (children.LARGEST_LOG + 1))
    children.turn_log(log)
    assert not log.exists()
    assert (tmp_path / "web.old.log").exists()


def test_a_lock_is_held_once_and_names_its_holder(tmp_path):
    with Lock(tmp_path / "lock"):
        with pytest.raises(Taken) as refusal, Lock(tmp_path / "lock"):
            pass
        assert refusal.value.pid == str(os.getpid())
    with Lock(tmp_path / "lock"):
        pass


def test_a_secret_is_made_once_and_differs_between_installations(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = secret(tmp_path / "one", "key")
    assert secret(tmp_path / "one", "key") == first
    assert secret(tmp_path / "two", "key") != first
    (tmp_path / "one" / "key").write_text("")  # a start that was killed between creating and writing
    assert len(secret(tmp_path / "one", "key")) >= 40
