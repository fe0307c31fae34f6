"""How many requests are served: every process counts for itself and hands its minutes to whoever keeps them."""

import datetime as dt
import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.core.registry import Registry

logger = logging.getLogger("aibos.traffic")

EVERY = 20.0
MOST = 1440  # minutes kept while nobody takes them: a day


@dataclass(frozen=True)
class Minute:
    """What was served in one minute since the last hand-over: `errors` are answers from 500, `millis` their sum."""

    start: dt.datetime
    requests: int
    errors: int
    millis: int


@dataclass(frozen=True)
class Sink:
    """Takes what was counted; called every `EVERY` seconds, also with nothing, so that it can sample other things."""

    take: Callable[[Sequence[Minute]], None]


sinks: Registry[Sink] = Registry("traffic sinks", Sink)


class Traffic:
    """The counters of this process."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._minutes: dict[dt.datetime, list[int]] = {}
        self._thread: threading.Thread | None = None

    def count(self, status: int, seconds: float) -> None:
        """Add one answered request."""
        start = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
        with self._lock:
            if start not in self._minutes and len(self._minutes) >= MOST:
                self._minutes.pop(min(self._minutes))
            minute = self._minutes.setdefault(start, [0, 0, 0])
            minute[0] += 1
            minute[1] += status >= 500
            minute[2] += round(seconds * 1000)

    def hand_over(self) -> int:
        """Give everything counted to the sinks and start anew; return how many requests that were."""
        with self._lock:
            counted, self._minutes = self._minutes, {}
        minutes = [Minute(start, *values) for start, values in sorted(counted.items())]
        for name, sink in sinks.items():
            try:
                sink.take(minutes)
            except Exception:
                logger.exception("The traffic sink %s failed; these minutes are lost.", name)
        return sum(minute.requests for minute in minutes)

    def start(self) -> None:
        """Hand over regularly from now on; called once by each serving process."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(EVERY):
            self.hand_over()


traffic = Traffic()
