"""Hatches processes of the chaos in milliseconds: Django is loaded once, then forked. Orders and answers are lines.

`{"role": …}` hatches one and answers its process id; an empty line answers the ids of those that have ended, each with
the signal that ended it. The end of the input ends them all.
"""

import ctypes
import json
import os
import signal
import sys
import traceback

import django

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve orders until the input ends."""
    django.setup()
    from tests.chaos import worker

    alive: set[int] = set()
    parent = os.getpid()
    for line in sys.stdin:
        if not line.strip():
            print(json.dumps(_ended(alive)), flush=True)
            continue
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            os.dup2(2, 1)
            try:
                worker.run(order)
            except BaseException:  # noqa: BLE001 - said, and the process ends
                traceback.print_exc()
            os._exit(1)
        alive.add(pid)
        print(json.dumps(pid), flush=True)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _ended(alive: set[int]) -> dict[int, int]:
    found = {}
    for pid in sorted(alive):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            alive.discard(pid)
            found[pid] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return found


main()
