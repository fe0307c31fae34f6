"""`manage.py sequencer`: chains the ledger, relays events and sweeps jobs, until it is stopped."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.audit.sequencer import run_until_empty
from apps.events import pump
from apps.events.jobs.sweeper import sweep
from apps.events.relay import deliver_all


class Command(BaseCommand):
    help = "Chain the ledger, relay events and sweep jobs; any number may run, each ledger has one at a time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what can be done now, then end")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["once"]:
            linked, delivered = run_until_empty(), deliver_all()
            self.stdout.write(
                f"{linked} entries chained, {delivered} events relayed, {sweep()} leases taken back."
            )
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        pump.run(stop)
