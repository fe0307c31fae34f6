"""A worker process whose task takes its time and says so."""

import threading
import time

import django

django.setup()

from apps.core import queue  # noqa: E402
from apps.events.jobs import runner  # noqa: E402


@queue.task("live.steps", tenant="optional")
def steps(job: queue.JobHandle, *, number: int, pause: int) -> dict[str, int]:
    """Take `number` steps of `pause` milliseconds; each message is the time at which the step was told."""
    for step in range(1, number + 1):
        time.sleep(pause / 1000)
        job.progress(step, number, f"{time.time():.6f}")
    return {"steps": number}


if __name__ == "__main__":
    runner.work_forever(threading.Event(), pause=0.05)
