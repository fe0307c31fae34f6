"""The clock of chores: one job per chore and period, however many pumps look at it."""

import threading
import time

from apps.core import queue
from apps.core.actor import SYSTEM
from apps.core.chores import chores
from apps.core.db import loss
from apps.core.scope import platform_scope

PAUSE = 20.0


def call_due(now: float | None = None) -> int:
    """Enqueue every chore for the period of `now`; the key makes a second call do nothing. Return how many."""
    moment = time.time() if now is None else now
    with platform_scope("chores"):
        for name, chore in chores.items():
            key = f"{name}:{int(moment // chore.every)}"
            queue.enqueue(
                "core.chore", tenant=None, args={"name": name}, title=chore.title, by=SYSTEM, key=key
            )
    return len(list(chores))


def call_forever(stop: threading.Event, pause: float = PAUSE) -> None:
    """Look every `pause` seconds until `stop` is set; work missed while nothing ran is done once, not often."""
    while not stop.wait(pause):
        try:
            call_due()
        except loss.ERRORS:
            loss.reset()
