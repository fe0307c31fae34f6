"""Some worker processes that are forked again when they die, as a process manager does: `python -m tests.events.pool`.

Arguments: the number of processes, the lease in seconds, and `mended` when poison is none any more.
"""

import os
import signal
import sys
import threading
import time
from typing import Any

import django

django.setup()

from apps.core import queue  # noqa: E402
from apps.events.jobs import runner, sweeper  # noqa: E402
from tests.events import worker  # noqa: E402

MENDED = "mended" in sys.argv


@queue.task("test.poison", max_attempts=2, waits=(0.5,))
def poison(job: queue.JobHandle, *, number: int) -> dict[str, Any]:
    """Take the worker along, unless the cause is mended."""
    if not MENDED:
        os._exit(9)
    return worker.mark(job, number=number)


def _child(lease: float) -> None:
    try:
        runner.work_forever(threading.Event(), lease=lease, pause=0.02)
    finally:
        os._exit(1)


def main(processes: int, lease: float) -> None:
    """Keep so many workers alive, and sweep, until the end of input."""
    children: set[int] = set()
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    print("ready", flush=True)
    while not stop.is_set():
        while len(children) < processes:
            made = os.fork()
            if made == 0:
                _child(lease)
            children.add(made)
        gone, _status = os.waitpid(-1, os.WNOHANG)
        children.discard(gone)
        if not gone:
            time.sleep(0.01)
    for child in children:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    swept = os.fork()
    if swept == 0:
        sweeper.sweep_forever(threading.Event(), pause=0.2)
    try:
        main(int(sys.argv[1]), float(sys.argv[2]))
    finally:
        os.kill(swept, signal.SIGKILL)
