"""When a schedule is due: by the calendar of a time zone, every so often, or once."""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from apps.core.errors import FieldError
from apps.events.models import ScheduleKind

SHORTEST, LONGEST = 10, 366 * 86_400  # seconds between two moments of an interval
LONGEST_CRON = 200


@dataclass(frozen=True)
class Timing:
    """Moments to come. `cron` has five fields (minute, hour, day, month, weekday) read in `time_zone`.

    As in Debian's cron: a time of day that the change to summer time leaves out comes at the first minute after the
    gap, one that the change back repeats comes once; what comes every hour or minute follows the time that passes.
    `every` is in seconds and counts from `at`; for a single moment `at` is the moment.
    """

    kind: str
    cron: str = ""
    every: int | None = None
    at: dt.datetime | None = None
    time_zone: str = "UTC"

    def after(self, moment: dt.datetime) -> dt.datetime | None:
        """Return the first moment later than `moment` in UTC, or None when none is left."""
        if self.kind == ScheduleKind.CRON:
            return self._by_calendar(moment)
        start = _at(self)
        if moment < start:
            return start
        if self.kind == ScheduleKind.ONCE:
            return None
        step = dt.timedelta(seconds=self.every or 0)
        return start + ((moment - start) // step + 1) * step

    def upcoming(self, moment: dt.datetime, number: int) -> list[dt.datetime]:
        """Return up to `number` moments after `moment`."""
        found: list[dt.datetime] = []
        following = self.after(moment)
        while following is not None and len(found) < number:
            found.append(following)
            following = self.after(following)
        return found

    def faults(self) -> list[FieldError]:
        """Return what is wrong with it; empty when it has a meaning."""
        if self.kind not in ScheduleKind.values:
            return [
                FieldError("kind", "invalid_option", f"The kind is one of {', '.join(ScheduleKind.values)}.")
            ]
        if self.time_zone not in _zones():
            return [FieldError("time_zone", "invalid_option", f"There is no time zone {self.time_zone!r}.")]
        if self.at is not None and self.at.tzinfo is None:
            return [
                FieldError("at", "invalid_date", "The moment needs a time zone, as in 2030-01-31T08:00:00Z.")
            ]
        if self.kind == ScheduleKind.CRON:
            return self._faults_of_cron()
        if self.at is None:
            return [FieldError("at", "required", "The moment is missing.")]
        in_range = self.kind == ScheduleKind.ONCE or SHORTEST <= (self.every or 0) <= LONGEST
        text = f"An interval has {SHORTEST} to {LONGEST} seconds."
        return [] if in_range else [FieldError("every", "out_of_range", text)]

    def _faults_of_cron(self) -> list[FieldError]:
        words = self.cron.split()
        if len(words) != 5 or len(self.cron) > LONGEST_CRON:
            text = "A calendar rule has five fields: minute, hour, day, month, weekday; for example 0 7 * * MON-FRI."
            return [FieldError("cron", "invalid_format", text)]
        try:
            following = self._by_calendar(dt.datetime.now(dt.UTC))
        except CronSimError as error:
            return [FieldError("cron", "invalid_format", f"{error}.")]
        return [] if following else [FieldError("cron", "invalid_format", "Such a day never comes.")]

    def _by_calendar(self, moment: dt.datetime) -> dt.datetime | None:
        for found in CronSim(self.cron, moment.astimezone(ZoneInfo(self.time_zone))):
            # Within the repeated hour the calendar would go back; times of one zone compare without their offset.
            if (there := found.astimezone(dt.UTC)) > moment:
                return there
        return None


def _at(timing: Timing) -> dt.datetime:
    if timing.at is None:
        msg = f"A schedule of kind {timing.kind} has no moment to count from."
        raise ValueError(msg)
    return timing.at.astimezone(dt.UTC)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
