"""Running a report: one aggregate query under the reader's rights, arranged as categories, series and figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.portal import records, show
from apps.portal.listing import page as listing
from apps.portal.listing.address import ListAddress
from apps.portal.reports import periods
from apps.portal.reports.spec import MOST_ROWS, Group, Measure, Spec, label_of

Key = Any
BESIDE = 8  # more series than this cannot be told apart; the rest is added up as "other"
ADDING = ("count", "sum")


@dataclass(frozen=True)
class Category:
    """One value of a group: what the query calls it, its words, the colour of an option."""

    key: Key
    label: str
    tone: str = ""


@dataclass(frozen=True)
class Figure:
    """One number: as it is, in full and in few characters, and where its records are listed."""

    value: Decimal | None
    full: str
    short: str
    href: str = ""


@dataclass(frozen=True)
class Series:
    """One line of figures over the categories; with one group there is one for each measure."""

    label: str
    tone: str
    figures: list[Figure]


@dataclass(frozen=True)
class Outcome:
    """A report's answer. Without a group there is one category that stands for everything."""

    spec: Spec
    definition: ObjectDef
    categories: list[Category]
    series: list[Series]
    totals: list[Figure]
    heads: list[str]
    cut: bool

    @property
    def empty(self) -> bool:
        """Whether nothing was found."""
        return not any(figure.value for series in self.series for figure in series.figures)

    @property
    def title(self) -> str:
        """The question in words: figures, and what they are grouped by."""
        figures = ", ".join(
            label_of(m, self.definition) for m in self.spec.measures[: 1 if self._crossed else None]
        )
        if not self.spec.groups:
            return figures
        groups = ", ".join(show.label(self.definition, group.field) for group in self.spec.groups)
        return _("%(figures)s by %(groups)s") % {"figures": figures, "groups": groups}

    @property
    def drawn(self) -> list[Series]:
        """The series of one chart: figures of one unit, for money and numbers of records share no axis."""
        if self._crossed:
            return self.series
        units = [self._unit(measure) for measure in self.spec.measures]
        return [series for series, unit in zip(self.series, units, strict=True) if unit == units[0]]

    def _unit(self, measure: Measure) -> str:
        return kind_of(self.definition.all_fields[measure.field]).cell if measure.field else ""

    @property
    def bigs(self) -> list[tuple[Figure, str]]:
        """The figures of the whole with their words."""
        return [
            (f, label_of(m, self.definition)) for f, m in zip(self.totals, self.spec.measures, strict=True)
        ]

    @property
    def _crossed(self) -> bool:
        return len(self.spec.groups) == 2

    @property
    def axis(self) -> str:
        """The words over the categories."""
        return show.label(self.definition, self.spec.groups[0].field) if self.spec.groups else ""


def run(spec: Spec, definition: ObjectDef, *, by: Actor) -> Outcome:
    """Return the report's answer as the reader may see it; raises the query's problems."""
    page = records.find(definition, spec.ast(), by=by)
    return _Arranged(spec, definition, page.rows, by).outcome(cut=len(page.rows) >= MOST_ROWS)


class _Arranged:
    """The rows of the query put into categories and series."""

    def __init__(
        self, spec: Spec, definition: ObjectDef, rows: Sequence[Mapping[str, Any]], by: Actor
    ) -> None:
        self.spec, self.definition, self.rows = spec, definition, rows
        self.currency = records.currency()
        self.names = self._names(by)
        self.cells = {tuple(row[f"g{n}"] for n, _g in enumerate(spec.groups)): row for row in rows}

    def _names(self, by: Actor) -> show.Names:
        columns = [g.field for g in self.spec.groups if not g.bucket]
        turned = [{g.field: row[f"g{n}"] for n, g in enumerate(self.spec.groups)} for row in self.rows]
        return records.names_for(self.definition, turned, columns, by=by)

    def outcome(self, *, cut: bool) -> Outcome:
        groups = self.spec.groups
        first = self._categories(0) if groups else [Category((), _("All records"))]
        if len(groups) == 2:
            series = [self._crossed(second, first) for second in self._categories(1)]
        else:
            series = [self._measured(n, measure, first) for n, measure in enumerate(self.spec.measures)]
        first, series = self._ordered(first, series)
        return Outcome(
            self.spec, self.definition, first, series, self._totals(), [s.label for s in series], cut
        )

    def _categories(self, n: int) -> list[Category]:
        group = self.spec.groups[n]
        field = self.definition.all_fields[group.field]
        keys = list(dict.fromkeys(row[f"g{n}"] for row in self.rows))
        known, empty = [key for key in keys if key is not None], [key for key in keys if key is None]
        if group.bucket:
            known = list(periods.without_gaps(known, group.bucket))
        elif field.options:
            known = [o.value for o in field.options if o.value in known] + [
                key for key in known if key not in field.option_values
            ]
        else:
            known = sorted(known, key=lambda key: -self._weight(n, key))
        return [Category(key, *self._words(key, group, field)) for key in [*known, *empty]]

    def _weight(self, n: int, key: Key) -> Decimal:
        return sum((Decimal(row["m0"] or 0) for row in self.rows if row[f"g{n}"] == key), Decimal(0))

    def _words(self, key: Key, group: Group, field: FieldDef) -> tuple[str, str]:
        if key is None:
            return _("None"), ""
        if group.bucket:
            return periods.label(key, group.bucket), ""
        coloured = any(option.color for option in field.options)
        tone = next((show.tone(option.color) for option in field.options if option.value == key), "")
        tone = tone or ("grey" if coloured else "")
        if field.reference:
            return self.names.records.get((field.reference, str(key)), _("not visible to you")), ""
        return show.plain(key, field, self.definition, self.names) or str(key), tone

    def _crossed(self, second: Category, first: Iterable[Category]) -> Series:
        measure = self.spec.measures[0]
        figures = [
            self._figure(self.cells.get((one.key, second.key)), 0, measure, (one, second)) for one in first
        ]
        return Series(second.label, second.tone, figures)

    def _measured(self, n: int, measure: Measure, first: Iterable[Category]) -> Series:
        def row(one: Category) -> Mapping[str, Any] | None:
            return self.cells.get((one.key,) if self.spec.groups else ())

        return Series(
            label_of(measure, self.definition),
            "",
            [self._figure(row(one), n, measure, (one,)) for one in first],
        )

    def _figure(
        self, row: Mapping[str, Any] | None, n: int, measure: Measure, at: tuple[Category, ...]
    ) -> Figure:
        found = row.get(f"m{n}") if row else None
        if found is None and measure.function in ADDING:
            return Figure(Decimal(0), "–", "0")
        href = self._records(at) if row else ""
        if found is None:
            return Figure(None, "–", "–", href)
        return self._number(Decimal(str(found)), measure, href)

    def _number(self, value: Decimal, measure: Measure, href: str = "") -> Figure:
        if not measure.field:
            return Figure(value, show.number(value), show.short(value), href)
        field = self.definition.all_fields[measure.field]
        rounded = round(value, 2) if measure.function == "avg" else value
        if kind_of(field).cell == "currency":
            currency = field.currency or self.currency
            return Figure(value, show.money(rounded, currency), show.money_short(value, currency), href)
        unit = "\u00a0%" if kind_of(field).cell == "percent" else ""
        return Figure(value, show.number(rounded) + unit, show.short(value) + unit, href)

    def _records(self, at: tuple[Category, ...]) -> str:
        """Return the address of the list with the records behind a figure."""
        address = ListAddress(
            columns=tuple(self.definition.default_view.columns),
            sort=(("updated_at", True),),
            conditions=self.spec.conditions,
        )
        for group, category in zip(self.spec.groups, at, strict=False):
            address = listing.with_condition(address, group.field, *self._condition(group, category.key))
        return reverse("portal:list", args=[self.definition.name]) + replace(address, view="").query()

    def _condition(self, group: Group, key: Key) -> tuple[str, str]:
        if key is None:
            return "empty", ""
        if group.bucket:
            return (
                "between",
                f"{periods.start(key).isoformat()}..{periods.end(key, group.bucket).isoformat()}",
            )
        if isinstance(key, bool):
            return ("yes" if key else "no"), ""
        return "is", str(key)

    def _ordered(self, first: list[Category], series: list[Series]) -> tuple[list[Category], list[Series]]:
        """Return the largest categories first where the report asks for it, and the rest of many series added up."""
        if self.spec.order == "value" and first:
            weights = [
                sum((s.figures[n].value or Decimal(0) for s in series), Decimal(0)) for n in range(len(first))
            ]
            order = sorted(range(len(first)), key=lambda n: -weights[n])
            first = [first[n] for n in order]
            series = [replace(s, figures=[s.figures[n] for n in order]) for s in series]
        adds = self.spec.measures[0].function in ADDING
        if len(self.spec.groups) == 2 and len(series) > BESIDE and adds:
            series = [*series[: BESIDE - 1], self._others(series[BESIDE - 1 :])]
        return first, series

    def _others(self, rest: list[Series]) -> Series:
        measure = self.spec.measures[0]
        sums = [
            sum((s.figures[n].value or Decimal(0) for s in rest), Decimal(0))
            for n in range(len(rest[0].figures))
        ]
        return Series(_("Other"), "", [self._number(value, measure) for value in sums])

    def _totals(self) -> list[Figure]:
        """Return what all categories have together; only what may be added up, and the only row's figures."""
        found = []
        for n, measure in enumerate(self.spec.measures):
            if measure.function in ADDING or not self.spec.groups:
                values = [Decimal(str(row[f"m{n}"])) for row in self.rows if row.get(f"m{n}") is not None]
                found.append(self._number(sum(values, Decimal(0)), measure))
            else:
                found.append(Figure(None, "", ""))
        return found
