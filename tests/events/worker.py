"""A worker process of the tests: its tasks leave marks in the tenant's ledger and on standard output."""

import sys
import threading
import time
from typing import Any

import django

django.setup()

from apps.audit import ledger  # noqa: E402
from apps.core import queue  # noqa: E402
from apps.events.jobs import runner  # noqa: E402


@queue.task("test.mark")
def mark(job: queue.JobHandle, *, number: int) -> dict[str, Any]:
    """Write one entry into the ledger of the tenant in force."""
    ledger.record("test.marked", by=job.by, target=f"mark:{number}", details={"job": str(job.id)})
    return {"number": number}


@queue.task("test.slow", max_attempts=10)
def slow(job: queue.JobHandle, *, seconds: int) -> dict[str, Any]:
    """Leave a mark, say so, then take long."""
    ledger.record("test.marked", by=job.by, target=f"slow:{job.id}")
    print(f"started {job.id}", flush=True)
    time.sleep(seconds)
    return {}


if __name__ == "__main__":
    runner.work_forever(threading.Event(), lease=float(sys.argv[1]), pause=0.02)
