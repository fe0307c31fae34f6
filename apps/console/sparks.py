"""Sparklines: a check's history as a small drawing, and the same in words for whoever does not see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from apps.events.health.history import DAY, Point, Span

WIDTH, HEIGHT, STRIP = 160, 30, 3


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of the strip below the line, `x` and `width` in the drawing's units."""

    x: float
    width: float
    status: str


@dataclass(frozen=True, slots=True)
class Spark:
    """The drawing: lines as SVG point lists (one per stretch without gaps), the strip of states, and the words."""

    lines: Sequence[str]
    marks: Sequence[Mark]
    words: str
    rows: Sequence[tuple[str, str, str]]
    width: int = WIDTH
    height: int = HEIGHT + STRIP


def amount(value: float | None, measure: str) -> str:
    """Return a figure with the unit that its name ends in; an empty measure is a time."""
    if value is None:
        return "\u2013"
    if measure.endswith("_bytes"):
        return filesizeformat(value)
    if measure.endswith("_ratio"):
        return f"{formats.number_format(value * 100, 0)} %"
    if measure.endswith("_seconds") or not measure:
        return _time(value)
    return formats.number_format(value, 0)


def _time(seconds: float) -> str:
    if seconds < 1:
        return _("%(n)s ms") % {"n": formats.number_format(seconds * 1000, 0)}
    if seconds < 120:
        return _("%(n)s s") % {"n": formats.number_format(seconds, 1 if seconds < 10 else 0)}
    if seconds < 7200:
        return _("%(n)s min") % {"n": formats.number_format(seconds / 60, 0)}
    if seconds < 172_800:
        return _("%(n)s h") % {"n": formats.number_format(seconds / 3600, 0)}
    return _("%(n)s d") % {"n": formats.number_format(seconds / 86_400, 0)}


def draw(points: Sequence[Point], span: Span, measure: str, labels: dict[str, Any]) -> Spark:
    """Draw a history; steps in which nothing was probed are gaps."""
    step = WIDTH / max(1, len(points))
    peaks = [point.peak for point in points if point.peak is not None]
    top = max(peaks, default=0.0) or 1.0
    stretches: list[list[str]] = [[]]
    for number, point in enumerate(points):
        if point.peak is None:
            stretches.append([])
            continue
        y = HEIGHT - 2 - (HEIGHT - 4) * max(0.0, point.peak) / top
        stretches[-1].append(f"{step * (number + 0.5):.1f},{y:.1f}")
    marks = [
        Mark(round(step * number, 2), round(step, 2), point.status or "unknown")
        for number, point in enumerate(points)
    ]
    lines = [" ".join(stretch if len(stretch) > 1 else stretch * 2) for stretch in stretches if stretch]
    return Spark(lines, marks, _words(points, peaks, measure), _rows(points, span, measure, labels))


def _words(points: Sequence[Point], peaks: Sequence[float], measure: str) -> str:
    if not peaks:
        return _("Nothing was probed in this time.")
    bad = sum(point.status == "failed" for point in points)
    poor = sum(point.status == "degraded" for point in points)
    said = _("Between %(low)s and %(high)s, last %(now)s.") % {
        "low": amount(min(peaks), measure),
        "high": amount(max(peaks), measure),
        "now": amount(peaks[-1], measure),
    }
    if bad or poor:
        said += " " + _("Of %(all)s steps %(bad)s failed and %(poor)s were degraded.") % {
            "all": sum(point.status is not None for point in points),
            "bad": bad,
            "poor": poor,
        }
    return said


def _rows(
    points: Sequence[Point], span: Span, measure: str, labels: dict[str, Any]
) -> list[tuple[str, str, str]]:
    """The last steps in words, newest first: time, peak and status."""
    rows = []
    for point in [point for point in reversed(points) if point.status is not None][:12]:
        local = timezone.localtime(point.start)
        shown = formats.time_format(local, "H:i")
        if span.length > DAY.length:
            shown = f"{formats.date_format(local, 'j M')} {shown}"
        rows.append((shown, amount(point.peak, measure), str(labels.get(point.status or "", point.status))))
    return rows
