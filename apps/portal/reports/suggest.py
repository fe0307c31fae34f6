"""Reports that suggest themselves: what an object's own fields make worth asking."""

from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.objects.catalog import catalog
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.parse.views import groups_a_board
from apps.permissions.access import access_for
from apps.portal import show
from apps.portal.reports.spec import COUNT, Group, Measure, Spec

MOST_OF_A_MODULE = 9


@dataclass(frozen=True)
class Suggestion:
    """A report with a title; `size` is its share of a dashboard's width."""

    title: str
    spec: Spec
    size: int

    def widget(self) -> dict[str, Any]:
        """Return it as a part of a dashboard."""
        body = self.spec.params()
        return {"object": self.spec.object, "body": body, "title": self.title, "size": self.size}


def of(definition: ObjectDef, clear: frozenset[str]) -> list[Suggestion]:
    """Return up to four reports for an object: the whole, by state, over time, by owner."""
    fields = [f for f in definition.fields.values() if f.name in clear and not f.hidden]
    state = next((f for f in fields if groups_a_board(f) and any(o.color for o in f.options)), None)
    state = state or next((f for f in fields if groups_a_board(f) and f.options), None)
    day = next((f for f in fields if f.type in ("date", "datetime") and f.required), None)
    money = next((f for f in fields if kind_of(f).cell == "currency"), None)
    plural = definition.label_for(show.locale(), plural=True)
    whole = Spec(definition.name, measures=_figures(money), chart="number")
    found = [Suggestion(plural, whole, 1)]
    if state:
        found.append(_by(definition, plural, whole, state, "bar" if money else "donut", 2))
    if definition.owner_field and "owner_id" in clear:
        owner = definition.all_fields["owner_id"]
        spec = replace(whole, groups=(Group("owner_id"),), chart="bar", order="value")
        if state:
            spec = replace(spec, groups=(Group("owner_id"), Group(state.name)))
        found.append(Suggestion(_titled(definition, plural, owner), spec, 2))
    if day:
        spec = replace(whole, groups=(Group(day.name, "month"),), chart="column")
        spec = replace(spec, groups=(*spec.groups, Group(state.name))) if state else spec
        title = _("%(objects)s by month") % {"objects": plural}
        found.insert(1, Suggestion(title, spec, 4))
    return found


def _figures(money: FieldDef | None) -> tuple[Measure, ...]:
    return (Measure("sum", money.name), COUNT) if money else (COUNT,)


def _by(
    definition: ObjectDef, plural: str, whole: Spec, field: FieldDef, chart: str, size: int
) -> Suggestion:
    spec = replace(whole, groups=(Group(field.name),), chart=chart)
    return Suggestion(_titled(definition, plural, field), spec, size)


def _titled(definition: ObjectDef, plural: str, field: FieldDef) -> str:
    words = {"objects": plural, "field": show.label(definition, field.name)}
    return _("%(objects)s by %(field)s") % words


def of_module(module: str, by: Actor) -> list[Suggestion]:
    """Return what a dashboard of a module starts with: the figures first, then the charts of its richest objects."""
    access = access_for(by)
    objects = [d for d in catalog() if (d.module or "") == module and access.can("read", d)]
    every = [of(definition, access.clear(definition)) for definition in objects]
    figures = [found[0] for found in every][:4]
    rich = sorted(every, key=lambda found: (-len(found), not found[0].spec.measures[0].field))
    return [*figures, *(s for found in rich for s in found[1:])][:MOST_OF_A_MODULE]
