"""Spans of time for the charts: how far back, and in what steps."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, DateTimeField, F, Func, QuerySet, Value
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _

EPOCH = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Range:
    """A span that ends now."""

    key: str
    label: Any
    span: dt.timedelta
    step: dt.timedelta

    def starts(self, now: dt.datetime | None = None) -> list[dt.datetime]:
        """The beginnings of its steps, oldest first; the last one holds the present."""
        now = now or timezone.now()
        last = EPOCH + ((now - EPOCH) // self.step) * self.step
        count = self.span // self.step
        return [last - self.step * back for back in range(count - 1, -1, -1)]

    def label_of(self, start: dt.datetime) -> str:
        """A step's name on the axis, in the operator's zone."""
        local = timezone.localtime(start)
        if self.step >= DAY:
            return formats.date_format(local, "j M")
        shown = formats.time_format(local, "H:i")
        return shown if self.span <= DAY else f"{formats.date_format(local, 'j M')} {shown}"


RANGES = (
    Range("hour", _("1 hour"), HOUR, dt.timedelta(minutes=1)),
    Range("day", _("24 hours"), DAY, HOUR),
    Range("week", _("7 days"), 7 * DAY, 6 * HOUR),
    Range("month", _("30 days"), 30 * DAY, DAY),
)


def chosen(key: str | None) -> Range:
    """The range of a query parameter; a day when it names none."""
    return next((each for each in RANGES if each.key == key), RANGES[1])


def bin_of(field: str, step: dt.timedelta) -> Func:
    """The beginning of the step in which `field` lies, computed by PostgreSQL."""
    return Func(Value(step), F(field), Value(EPOCH), function="date_bin", output_field=DateTimeField())


def counts(rows: QuerySet, field: str, span: Range, by: str | None = None) -> dict[Any, list[int]]:
    """Return how many rows lie in each step, per value of `by` (None: all together, under the key None)."""
    starts = span.starts()
    place = {start: index for index, start in enumerate(starts)}
    keys = ["bin", by] if by else ["bin"]
    found = (
        rows.filter(**{f"{field}__gte": starts[0]})
        .annotate(bin=bin_of(field, span.step))
        .order_by()
        .values(*keys)
        .annotate(n=Count("pk"))
    )
    series: dict[Any, list[int]] = {}
    for row in found:
        if row["bin"] in place:
            series.setdefault(row[by] if by else None, [0] * len(starts))[place[row["bin"]]] = row["n"]
    return series
