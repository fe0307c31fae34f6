"""`manage.py work`: runs jobs without a broker, asking the database by itself, until it is stopped."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections

from apps.events.health.processes import WORKER, Heartbeat
from apps.events.jobs.runner import drain, work_forever


class Command(BaseCommand):
    """A worker that needs no bell: for installations without a broker, and for tests."""

    help = "Run jobs in a few threads, without Celery; any number of such processes may run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--threads", type=int, default=2, help="jobs run at the same time")
        parser.add_argument("--once", action="store_true", help="run what is due, then end")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(f"{drain(float('inf'))} jobs run.")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        threads = [threading.Thread(target=_work, args=(stop,)) for _ in range(options["threads"])]
        for thread in threads:
            thread.start()
        heart = Heartbeat(WORKER, lambda: {"slots": options["threads"]}).start()
        for thread in threads:
            thread.join()
        heart.stop()


def _work(stop: threading.Event) -> None:
    try:
        work_forever(stop)
    finally:
        connections.close_all()
