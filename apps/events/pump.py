"""The pump: sequencer, relay, sweeper and the clock of chores in one process, a thread and a connection each."""

import logging
import threading
import time
from collections.abc import Callable

from django.db import connections

from apps.audit.sequencer import Sequencer
from apps.events.jobs.chores import call_forever
from apps.events.jobs.sweeper import sweep_forever
from apps.events.relay import Relay

logger = logging.getLogger("aibos.pump")

RESTART = 1.0


def run(stop: threading.Event) -> None:
    """Run all of them until `stop` is set; one that dies is started again and says so."""
    loops: dict[str, Callable[[threading.Event], None]] = {
        "sequencer": Sequencer().run_forever,
        "relay": Relay().run_forever,
        "sweeper": sweep_forever,
        "chores": call_forever,
    }
    threads = [
        threading.Thread(target=_keep, args=(name, loop, stop), name=name, daemon=True)
        for name, loop in loops.items()
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(1.0):
        pass
    for thread in threads:
        thread.join(timeout=10)


def _keep(name: str, loop: Callable[[threading.Event], None], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            loop(stop)
        except Exception:
            logger.exception("The %s stopped; it starts again in %s s.", name, RESTART)
            time.sleep(RESTART)
        finally:
            connections.close_all()
