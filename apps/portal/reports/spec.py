"""What a report asks: an object, keys that group its records, figures, a filter, and how it is drawn.

Its address form is also what is kept: `object`, `g=<field>[:<bucket>]` (two at most), `m=<function>[:<field>]`
(four at most), the list's `f`, `chart`, and `order=value` for the largest first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.errors import PermissionDenied
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.query.grouping import BUCKETS
from apps.portal import show
from apps.portal.listing import filters
from apps.portal.listing.filters import Condition

CHARTS: Mapping[str, tuple[str, Promise]] = {
    "column": ("chart-bar", gettext_lazy("Columns")),
    "bar": ("chart-bar-popular", gettext_lazy("Bars")),
    "line": ("chart-line", gettext_lazy("Line")),
    "donut": ("chart-donut", gettext_lazy("Ring")),
    "number": ("123", gettext_lazy("Number")),
    "table": ("table", gettext_lazy("Table")),
}
FUNCTIONS: Mapping[str, Promise] = {
    "count": gettext_lazy("Number of records"),
    "sum": gettext_lazy("Sum of %(field)s"),
    "avg": gettext_lazy("Average of %(field)s"),
    "min": gettext_lazy("Least %(field)s"),
    "max": gettext_lazy("Greatest %(field)s"),
}
BUCKET_LABELS: Mapping[str, Promise] = {
    "day": gettext_lazy("by day"),
    "week": gettext_lazy("by week"),
    "month": gettext_lazy("by month"),
    "quarter": gettext_lazy("by quarter"),
    "year": gettext_lazy("by year"),
}
MOST_GROUPS, MOST_MEASURES, MOST_ROWS = 2, 4, 1000
KEPT = ("g", "m", "f", "chart", "order")


@dataclass(frozen=True)
class Group:
    """One key: a field, for dates with the bucket they are cut to."""

    field: str
    bucket: str = ""

    def encoded(self) -> str:
        """Return the address form."""
        return f"{self.field}:{self.bucket}" if self.bucket else self.field


@dataclass(frozen=True)
class Measure:
    """One figure; `field` is empty for the number of records."""

    function: str
    field: str = ""

    def encoded(self) -> str:
        """Return the address form."""
        return f"{self.function}:{self.field}" if self.field else self.function


COUNT = Measure("count")


@dataclass(frozen=True)
class Spec:
    """A whole report; `hidden` names what it uses and the reader may not see."""

    object: str
    groups: tuple[Group, ...] = ()
    measures: tuple[Measure, ...] = (COUNT,)
    conditions: tuple[Condition, ...] = ()
    chart: str = "column"
    order: str = ""
    hidden: tuple[str, ...] = ()

    def params(self) -> dict[str, list[str]]:
        """Return what a saved report keeps."""
        kept = {
            "g": [group.encoded() for group in self.groups],
            "m": [measure.encoded() for measure in self.measures],
            "f": [condition.encoded() for condition in self.conditions],
            "chart": [self.chart],
            "order": [self.order] if self.order else [],
        }
        return {name: values for name, values in kept.items() if values}

    def query(self, **changes: Any) -> str:
        """Return `?…` of the report with changes."""
        other = replace(self, **changes)
        return "?" + urlencode({"object": [other.object]} | other.params(), doseq=True)

    def ast(self) -> dict[str, Any]:
        """Return the query in the protocol's form."""
        body: dict[str, Any] = {"limit": MOST_ROWS}
        body["groupBy"] = [
            {"field": g.field, "alias": f"g{n}"} | ({"dateGranularity": g.bucket} if g.bucket else {})
            for n, g in enumerate(self.groups)
        ]
        body["aggregations"] = [
            {"function": m.function, "alias": f"m{n}"} | ({"field": m.field} if m.field else {})
            for n, m in enumerate(self.measures)
        ]
        where = filters.where(self.conditions)
        return body | ({"where": where} if where else {})


def groupable(field: FieldDef) -> bool:
    """Say whether records can be grouped by a field."""
    kind = kind_of(field)
    return (
        kind.sortable and field.sortable and not kind.is_array and kind.cell not in ("json", "longtext", "id")
    )


def dated(field: FieldDef) -> bool:
    """Say whether a field is cut to days, weeks, months … when it groups."""
    return field.type in ("date", "datetime")


def countable(field: FieldDef) -> bool:
    """Say whether a field can be added up."""
    return kind_of(field).cell in show.NUMERIC_CELLS and not field.system


def label_of(measure: Measure, definition: ObjectDef) -> str:
    """Return a figure in words."""
    words = str(FUNCTIONS[measure.function])
    return words % {"field": show.label(definition, measure.field)} if measure.field else words


def read(given: QueryDict | Mapping[str, Any], definition: ObjectDef, clear: frozenset[str]) -> Spec:
    """Return the report of an address or of a saved body; what makes no sense is left out.

    What the reader may not see is left out too, and named in `hidden`.
    """
    lists = {name: _list(given, name) for name in KEPT}
    groups = [_group(text, definition) for text in lists["g"]]
    measures = [_measure(text, definition) for text in lists["m"]]
    everything = frozenset(definition.all_fields)
    conditions = filters.decode(lists["f"], definition, everything)
    made_groups = list(dict.fromkeys(g for g in groups if g))[:MOST_GROUPS]
    made_measures = list(dict.fromkeys(m for m in measures if m))[:MOST_MEASURES] or [COUNT]
    used = [g.field for g in made_groups] + [m.field for m in made_measures if m.field]
    used += [c.field for c in conditions]
    chart = (lists["chart"] or [""])[0]
    return Spec(
        object=definition.name,
        groups=tuple(made_groups),
        measures=tuple(made_measures),
        conditions=tuple(conditions),
        chart=chart if chart in CHARTS else "column",
        order="value" if lists["order"][:1] == ["value"] else "",
        hidden=tuple(sorted({name for name in used if name not in clear})),
    )


def require_clear(spec: Spec) -> None:
    """Raise `PermissionDenied` when the report uses what the reader may not see: half of it would mislead."""
    if spec.hidden:
        raise PermissionDenied(
            _("This report uses fields that you may not see."), details={"object": spec.object}
        )


def _list(given: Any, name: str) -> list[str]:
    if isinstance(given, QueryDict):
        return [text for text in given.getlist(name) if text]
    value = given.get(name, [])
    return [str(text) for text in value] if isinstance(value, list) else []


def _group(text: str, definition: ObjectDef) -> Group | None:
    name, _colon, bucket = text.partition(":")
    field = definition.all_fields.get(name)
    if field is None or not groupable(field):
        return None
    if dated(field):
        return Group(name, bucket if bucket in BUCKETS else "month")
    return Group(name)


def _measure(text: str, definition: ObjectDef) -> Measure | None:
    function, _colon, name = text.partition(":")
    if function == "count" and not name:
        return COUNT
    field = definition.all_fields.get(name)
    if function not in FUNCTIONS or function == "count" or field is None or not countable(field):
        return None
    return Measure(function, name)
