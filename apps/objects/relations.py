"""What definitions say of each other, judged together: references, masters, and what is rolled up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apps.core.errors import Problem
from apps.objects.definitions import FieldDef, ObjectDef, Summary
from apps.objects.kinds import kind_of
from apps.objects.parse import DefinitionError
from apps.objects.query.macros import TOKEN
from apps.objects.schema.rollups import condition, looked_at, relationship

NUMBERS = ("numeric", "integer")
Objects = Mapping[str, ObjectDef]
Edge = tuple[str, str]


def faults(definitions: Iterable[ObjectDef]) -> list[DefinitionError]:
    """Return what is wrong between these objects, which are all that the tenant will have."""
    objects = {definition.name: definition for definition in definitions}
    found = [*_missing(objects), *_masters(objects)]
    return found or [*_summaries(objects), *_circles(objects)]


def _fault(
    definition: ObjectDef, field: str, key: str, code: str, message: str, cure: str = ""
) -> DefinitionError:
    return DefinitionError(definition.name, 0, f"fields.{field}.{key}", code, message, cure)


def _missing(objects: Objects) -> Iterator[DefinitionError]:
    for definition in objects.values():
        for field in definition.references:
            if field.reference not in objects:
                message, cure = (
                    f"There is no object {field.reference!r}.",
                    "Publish it first or together with this one.",
                )
                yield _fault(definition, field.name, "reference", "unknown_reference", message, cure)


def _masters(objects: Objects) -> Iterator[DefinitionError]:
    """A detail that is, at any distance, a part of itself could never be made."""
    edges = {
        d.name: [f.reference or "" for f in d.references if f.type == "master_detail"]
        for d in objects.values()
    }
    for name in _on_a_circle(edges):
        field = next(f for f in objects[name].references if f.type == "master_detail")
        message = f"{name} would be a part of itself, by way of {field.reference}."
        yield _fault(objects[name], field.name, "reference", "conflict", message, "Use a lookup, or a tree.")


def _summaries(objects: Objects) -> Iterator[DefinitionError]:
    for parent in objects.values():
        for field in parent.fields.values():
            if field.summary is not None:
                yield from _judge(objects, parent, field, field.summary)


def _judge(
    objects: Objects, parent: ObjectDef, field: FieldDef, summary: Summary
) -> Iterator[DefinitionError]:
    def fault(key: str, code: str, message: str, cure: str = "") -> DefinitionError:
        return _fault(parent, field.name, f"summaryOperations.{key}", code, message, cure)

    child = objects.get(summary.object)
    if child is None:
        yield fault("object", "unknown_reference", f"There is no object {summary.object!r}.")
        return
    if relationship(parent, child, summary) is None:
        cure = f"Name in relationshipField the lookup or master_detail of {child.name} that refers to {parent.name}."
        yield fault(
            "relationshipField",
            "unknown_field",
            f"{child.name} does not lead to {parent.name} by one way.",
            cure,
        )
    rolled = child.fields.get(summary.source or "")
    if summary.source and (rolled is None or kind_of(rolled).sql_type not in NUMBERS):
        yield fault(
            "field", "unknown_field", f"{child.name} has no number {summary.source!r}.", "Name a number."
        )
    if list(_tokens(summary.filter)):
        yield fault(
            "filter", "unsupported", "A roll-up is kept once for everybody: its filter has no tokens."
        )
    try:
        condition(child, summary, "c")
    except Problem as problem:
        yield fault("filter", "invalid_value", problem.message)


def _tokens(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _tokens(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tokens(item)
    elif isinstance(value, str) and TOKEN.fullmatch(value):
        yield value


def _circles(objects: Objects) -> Iterator[DefinitionError]:
    """A sum that adds up itself would never come to rest."""
    edges: dict[Edge, list[Edge]] = {}
    for parent in objects.values():
        for field in parent.fields.values():
            if field.summary is not None:
                edges[parent.name, field.name] = [
                    (field.summary.object, name) for name in looked_at(field.summary)
                ]
    for name, field_name in _on_a_circle(edges):
        message = f"{name}.{field_name} would roll up itself."
        yield _fault(objects[name], field_name, "summaryOperations", "conflict", message)


def _on_a_circle(edges: Mapping[Any, Iterable[Any]]) -> list[Any]:
    """Return the nodes from which a way leads back to themselves."""

    def reaches(start: Any) -> bool:
        queue, seen = list(edges[start]), set()
        while queue:
            node = queue.pop()
            if node == start:
                return True
            if node not in seen:
                seen.add(node)
                queue += edges.get(node, ())
        return False

    return [node for node in edges if reaches(node)]
