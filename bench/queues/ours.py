"""AI-BOS's durable work: a row per job; the effect commits with the completion. `python -m bench.queues.ours SECONDS`."""

import os
import sys
import threading
import time
from typing import Any
from uuid import UUID

import django
from django.db import connections

LEASE = 2.0


def prepare() -> None:
    """Load the product and register the task."""
    django.setup()
    from apps.core import queue

    @queue.task("bench.effect", max_attempts=100)
    def effect(_job: queue.JobHandle, *, number: int, millis: int) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("INSERT INTO public.bench_effect (number) VALUES (%s)", [number])
        time.sleep(millis / 1000)


def ask(number: int, millis: int = 0) -> None:
    """Ask for one job in a transaction of its own."""
    from apps.core import queue
    from apps.core.actor import SYSTEM
    from apps.core.scope import TenantRef, tenant_scope

    tenant = TenantRef(UUID(os.environ["BENCH_TENANT"]), "bench", os.environ["BENCH_SCHEMA"])
    args: dict[str, Any] = {"number": number, "millis": millis}
    with tenant_scope(tenant):
        queue.enqueue("bench.effect", tenant=tenant.id, args=args, title="Effect", by=SYSTEM)


def main() -> None:
    """Run jobs as `manage.py work --threads 1` does, and sweep as `manage.py sequencer` does."""
    prepare()
    from apps.events.jobs.runner import work_forever
    from apps.events.jobs.sweeper import sweep_forever

    stop = threading.Event()
    threading.Thread(target=sweep_forever, args=(stop,), daemon=True).start()
    work_forever(stop, lease=float(sys.argv[1]), pause=0.05)


if __name__ == "__main__":
    main()
