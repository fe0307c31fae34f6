"""Charts as SVG: geometry only. Colours are classes, so that light, dark and print need no second picture.

A chart is hidden from screen readers, which read the table with the same figures and links beside it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi

from apps.portal import show
from apps.portal.reports.run import Figure, Outcome

COLOURS = 8
MOST_BARS, MOST_SLICES = 14, 7
LABEL = 15  # characters of a label below a column
TEXT = 6.4  # the usual width of a character of 12 units


@dataclass(frozen=True)
class Size:
    """A canvas in units; the page scales it to the place it has."""

    width: int = 760
    height: int = 280


@dataclass(frozen=True)
class Scale:
    """A round axis from 0 (or below) to the top."""

    low: float
    high: float
    ticks: list[float]

    def at(self, value: float, length: float) -> float:
        """Return how far from the low end a value stands."""
        return (value - self.low) / (self.high - self.low) * length


def scale(values: Sequence[float], steps: int = 4) -> Scale:
    """Return an axis with round ticks that holds all values and zero."""
    low, high = min([0.0, *values]), max([0.0, *values])
    if low == high:
        high = low + 1
    rough = (high - low) / steps
    power = 10 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= rough * 0.999)
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    count = round((top - bottom) / step)
    return Scale(bottom, top, [bottom + n * step for n in range(count + 1)])


def draw(outcome: Outcome, size: Size | None = None) -> SafeString:
    """Return the chart of a report; an empty text for numbers and tables."""
    made = DRAWN.get(outcome.spec.chart)
    if made is None or outcome.empty or not outcome.spec.groups:
        return SafeString("")
    canvas = size or Size()
    return format_html(
        '<svg class="ab-chart" viewBox="0 0 {} {}" aria-hidden="true" focusable="false">{}</svg>',
        *_canvas(outcome, canvas),
        made(outcome, canvas),
    )


def _canvas(outcome: Outcome, size: Size) -> tuple[int, int]:
    if outcome.spec.chart == "bar":
        return size.width, max(90, min(len(outcome.categories), MOST_BARS) * 32 + 34)
    return size.width, size.height


def colour(outcome: Outcome, n: int, tone: str = "") -> str:
    """Return the class of a series' or slice's colour: an option's own, else one of the palette."""
    return f"ab-tone-{tone}" if tone else f"ab-s{n % COLOURS + 1}"


def _value(figure: Figure) -> float:
    return float(figure.value or 0)


def _axis_text(outcome: Outcome, value: float) -> str:
    """Return a tick in few characters, with the unit of the first figure."""
    shown = next((f for s in outcome.series for f in s.figures if f.value), None)
    text = show.short(Decimal(str(round(value, 6))))
    if shown and any(sign in shown.short for sign in "€$£¥"):
        sign = next(sign for sign in "€$£¥" if sign in shown.short)
        return f"{text}\u00a0{sign}" if shown.short.endswith(sign) else f"{sign}{text}"
    return text


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _linked(figure: Figure, title: str, shape: SafeString) -> SafeString:
    body = format_html("<title>{}</title>{}", title, shape)
    if not figure.href:
        return format_html("<g>{}</g>", body)
    return format_html('<a href="{}" tabindex="-1">{}</a>', figure.href, body)


def _grid(outcome: Outcome, axis: Scale, left: float, top: float, width: float, height: float) -> SafeString:
    return format_html_join(
        "",
        '<line class="ab-grid{}" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="ab-tick-text" x="{}" y="{}" text-anchor="end">{}</text>',
        (
            (" is-zero" if tick == 0 else "", left, left + width, _r(y), _r(y), left - 8, _r(y + 4), _axis_text(outcome, tick))
            for tick, y in ((t, top + height - axis.at(t, height)) for t in axis.ticks)
        ),
    )  # fmt: skip


def _r(value: float) -> float:
    return round(value, 1)


def _below(outcome: Outcome, left: float, width: float, bottom: float) -> SafeString:
    """Return the labels of the categories; where they would collide only every second, third …"""
    count = len(outcome.categories)
    band = width / count
    longest = max(min(len(c.label), LABEL) for c in outcome.categories)
    every = max(1, math.ceil((longest * TEXT + 12) / band))
    places = range(0, count, every)
    return format_html_join(
        "",
        '<text class="ab-tick-text" x="{}" y="{}" text-anchor="middle">{}</text>',
        (
            (_r(left + band * (n + 0.5)), _r(bottom + 18), _cut(outcome.categories[n].label, LABEL))
            for n in places
        ),
    )


def _frame(outcome: Outcome, size: Size, values: Sequence[float]) -> tuple[Scale, float, float, float, float]:
    axis = scale(values)
    left = 20 + max(len(_axis_text(outcome, tick)) for tick in axis.ticks) * TEXT
    return axis, left, 12.0, size.width - left - 8, size.height - 12.0 - 28


def _columns(outcome: Outcome, size: Size) -> SafeString:
    """Columns over the categories, one on the other where there are two groups, else beside each other."""
    stacked, count = len(outcome.spec.groups) == 2, len(outcome.categories)
    sums = [sum(_value(s.figures[n]) for s in outcome.drawn) for n in range(count)]
    values = sums if stacked else [_value(f) for s in outcome.drawn for f in s.figures]
    axis, left, top, width, height = _frame(outcome, size, values)
    band = width / count
    lines = 1 if stacked else len(outcome.drawn)
    thick = min(band * 0.68, 64.0 * lines) / lines
    parts, zero = [], top + height - axis.at(0, height)
    for n, category in enumerate(outcome.categories):
        base, start = 0.0, left + band * (n + 0.5) - thick * lines / 2
        for k, series in enumerate(outcome.drawn):
            figure, value = series.figures[n], _value(series.figures[n])
            if not value:
                continue
            tall = abs(axis.at(value, height) - axis.at(0, height))
            x = start if stacked else start + thick * k
            y = zero - (axis.at(base, height) - axis.at(0, height)) - tall if value > 0 else zero
            base += value if stacked else 0
            one = len(outcome.drawn) == 1
            shade = colour(outcome, k, category.tone if one else series.tone)
            shape = format_html(
                '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="{}"/>',
                shade, _r(x + (0 if lines == 1 else 1)), _r(y), _r(thick - (0 if lines == 1 else 2)), _r(max(tall - (1 if stacked else 0), 1)), 0 if stacked else min(4, _r(thick / 4)),
            )  # fmt: skip
            title = (
                f"{category.label} · {figure.full}"
                if one
                else f"{category.label} · {series.label}: {figure.full}"
            )
            parts.append((_linked(figure, title, shape),))
    return format_html(
        "{}{}{}",
        _grid(outcome, axis, left, top, width, height),
        format_html_join("", "{}", parts),
        _below(outcome, left, width, top + height),
    )


def _line(outcome: Outcome, size: Size) -> SafeString:
    """A line for each series, with an area below it where it stands alone."""
    axis, left, top, width, height = _frame(
        outcome, size, [_value(f) for s in outcome.drawn for f in s.figures]
    )
    count = len(outcome.categories)
    parts = []
    for k, series in enumerate(outcome.drawn):
        shade = colour(outcome, k, series.tone)
        points = [
            (_r(left + width / count * (n + 0.5)), _r(top + height - axis.at(_value(f), height)))
            for n, f in enumerate(series.figures)
        ]
        path = " ".join(f"{'L' if n else 'M'}{x} {y}" for n, (x, y) in enumerate(points))
        zero = _r(top + height - axis.at(0, height))
        if len(outcome.drawn) == 1:
            area = f"{path} L{points[-1][0]} {zero} L{points[0][0]} {zero} Z"
            parts.append((format_html('<path class="ab-area {}" d="{}"/>', shade, area),))
        parts.append((format_html('<path class="ab-line {}" d="{}"/>', shade, path),))
        for (x, y), figure, category in zip(points, series.figures, outcome.categories, strict=True):
            title = f"{category.label} · {series.label}: {figure.full}"
            dot = format_html(
                '<circle class="ab-point {}" cx="{}" cy="{}" r="{}"/>', shade, x, y, 3.5 if count < 40 else 2
            )
            parts.append((_linked(figure, title, dot),))
    return format_html(
        "{}{}{}",
        _grid(outcome, axis, left, top, width, height),
        format_html_join("", "{}", parts),
        _below(outcome, left, width, top + height),
    )


def _bars(outcome: Outcome, size: Size) -> SafeString:
    """Horizontal bars with their words before and their figure behind them; from the right in Arabic."""
    bidi, shown = get_language_bidi(), outcome.categories[:MOST_BARS]
    sums = [sum(_value(s.figures[n]) for s in outcome.drawn) for n in range(len(shown))]
    most = 24
    words = min(max(len(_cut(c.label, most)) for c in shown) * 7.0 + 16, size.width * 0.34)
    axis, width = Scale(0, max([*sums, 0]) or 1, []), size.width - words - 84
    stacked = len(outcome.spec.groups) == 2

    before, behind = ("start", "end") if bidi else ("end", "start")

    def x_of(start: float, length: float) -> float:
        return size.width - start - length if bidi else start

    parts = []
    for n, category in enumerate(shown):
        y, start = 8 + n * 32, words
        parts.append((format_html('<text class="ab-bar-text" x="{}" y="{}" text-anchor="{}">{}</text>', _r(x_of(words - 10, 0)), y + 16, before, _cut(category.label, most)),))  # fmt: skip
        series = outcome.drawn if stacked else outcome.drawn[:1]
        for k, item in enumerate(series):
            figure, length = item.figures[n], axis.at(max(_value(item.figures[n]), 0), width)
            if length <= 0:
                continue
            shade = colour(outcome, k, item.tone if stacked else category.tone)
            shape = format_html('<rect class="{}" x="{}" y="{}" width="{}" height="20" rx="{}"/>', shade, _r(x_of(start, length)), y + 1, _r(max(length - (1 if stacked else 0), 2)), 0 if stacked else 4)  # fmt: skip
            parts.append((_linked(figure, f"{category.label} · {item.label}: {figure.full}", shape),))
            start += length
        text = series[0].figures[n].short if not stacked else _axis_text(outcome, sums[n])
        parts.append((format_html('<text class="ab-bar-value" x="{}" y="{}" text-anchor="{}">{}</text>', _r(x_of(start + 8, 0)), y + 16, behind, text),))  # fmt: skip
    return format_html_join("", "{}", parts)


def _donut(outcome: Outcome, size: Size) -> SafeString:
    """A ring of the shares with its legend; what is small is added up as the last slice."""
    series, bidi = outcome.drawn[0], get_language_bidi()
    before, behind = ("end", "start") if bidi else ("start", "end")
    pairs = sorted(
        ((c, f) for c, f in zip(outcome.categories, series.figures, strict=True) if _value(f) > 0),
        key=lambda pair: -_value(pair[1]),
    )
    total = sum(_value(f) for _c, f in pairs)
    radius, stroke = size.height / 2 - 34, 34
    cx, cy, round_ = (
        (size.width - size.height / 2) if bidi else size.height / 2,
        size.height / 2,
        2 * math.pi * radius,
    )
    parts, gone = [], 0.0
    legend = size.height + 12
    top = cy - (min(len(pairs), MOST_SLICES) * 26) / 2
    for n, (category, figure) in enumerate(pairs):
        share = _value(figure) / total
        shade = colour(outcome, n, category.tone)
        shape = format_html(
            '<circle class="ab-slice {}" cx="{}" cy="{}" r="{}" stroke-width="{}" stroke-dasharray="{} {}" stroke-dashoffset="{}" transform="rotate(-90 {} {})"/>',
            shade, _r(cx), _r(cy), _r(radius), stroke, _r(max(round_ * share - 2, 0.5)), _r(round_), _r(-round_ * gone), _r(cx), _r(cy),
        )  # fmt: skip
        parts.append((_linked(figure, f"{category.label} · {figure.full} ({share:.0%})", shape),))
        gone += share
        if n < MOST_SLICES:
            y = top + n * 26
            x, anchor_x = (size.width - legend, size.width - legend - 18) if bidi else (legend, legend + 18)
            parts.append((format_html('<circle class="ab-legend-dot {}" cx="{}" cy="{}" r="5"/><text class="ab-bar-text" x="{}" y="{}" text-anchor="{}">{}</text><text class="ab-tick-text" x="{}" y="{}" text-anchor="{}">{} · {}</text>', shade, _r(x), _r(y + 8), _r(anchor_x), _r(y + 12), before, _cut(category.label, 26), max(16, size.width - legend - 330) if bidi else min(size.width - 16, legend + 330), _r(y + 12), behind, figure.short, f"{share:.0%}"),))  # fmt: skip
    adds = outcome.totals[0].short if outcome.totals else ""
    parts.append(
        (
            format_html(
                '<text class="ab-ring-text" x="{}" y="{}" text-anchor="middle">{}</text>',
                _r(cx),
                _r(cy + 8),
                adds,
            ),
        )
    )
    return format_html_join("", "{}", parts)


DRAWN: Mapping[str, Callable[[Outcome, Size], SafeString]] = {
    "column": _columns,
    "line": _line,
    "bar": _bars,
    "donut": _donut,
}
