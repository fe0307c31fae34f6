"""What a console page shows, as plain values; templates turn them into markup."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Tone = Literal["neutral", "info", "success", "warning", "danger", "primary"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A short state with a colour."""

    text: Any
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class Link:
    """Text that leads somewhere; `post` names a form's action where following it changes something."""

    text: Any
    url: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled value; `note` explains it in smaller print."""

    label: Any
    value: Any
    note: Any = ""


@dataclass(frozen=True, slots=True)
class Meter:
    """Usage against a limit; a limit of None means unlimited."""

    used: int
    limit: int | None

    @property
    def percent(self) -> int:
        """How full, 0 to 100; an exceeded or zero limit is full."""
        if self.limit is None:
            return 0
        return 100 if self.limit <= 0 else min(100, round(100 * self.used / self.limit))

    @property
    def tone(self) -> Tone:
        """Green below 80 percent, orange below 100, red from there."""
        if self.limit is None or self.percent < 80:
            return "success"
        return "warning" if self.percent < 100 else "danger"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under headers; `empty` says what belongs here when there is nothing yet."""

    headers: Sequence[Any]
    rows: Sequence[Sequence[Any]]
    empty: Any
    more: Link | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One card of a page: facts, a table or both."""

    title: Any
    facts: Sequence[Fact] = ()
    table: Table | None = None
    links: Sequence[Link] = ()
    wide: bool = False
    key: str = ""
    note: Any = ""


@dataclass(frozen=True, slots=True)
class Number:
    """One figure of the dashboard and the list behind it."""

    label: Any
    value: Any
    url: str
    note: Any = ""
    tone: Tone = "neutral"
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One line or bar set of a chart; values in the order of the chart's labels."""

    name: Any
    values: Sequence[int | float]
    color: str = "primary"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as labels and series; `urls` holds the page behind each label, empty where there is none."""

    key: str
    title: Any
    kind: Literal["line", "bar", "doughnut"]
    labels: Sequence[str]
    series: Sequence[Series]
    url: str
    urls: Sequence[str] = field(default_factory=tuple)
    unit: str = ""
    colors: Sequence[str] = field(default_factory=tuple)
    empty: Any = ""

    @property
    def blank(self) -> bool:
        """Whether every value is zero, so that a sentence says more than a flat line."""
        return not any(value for line in self.series for value in line.values)

    @property
    def spec_id(self) -> str:
        """The id of the element that holds the chart's values."""
        return f"spec-{self.key}"

    @property
    def spec(self) -> dict[str, Any]:
        """The chart for the browser, as JSON types."""
        return {
            "kind": self.kind,
            "labels": [str(label) for label in self.labels],
            "series": [
                {"name": str(line.name), "values": list(line.values), "color": line.color}
                for line in self.series
            ],
            "urls": list(self.urls),
            "colors": list(self.colors),
            "unit": self.unit,
        }
