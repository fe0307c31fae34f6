"""List views of an artifact: `views: [{object, list, listViews: {<name>: …}}]`; forms are laid out by the platform."""

from __future__ import annotations

from typing import Any

from apps.core.errors import Problem
from apps.modules.artifact.notices import Judgement, listing, mapping
from apps.objects.query.arrays import to_object

TABLES = ("grid", "table")
TAKEN = frozenset({"name", "label", "type", "columns", "filter", "sort", "data"})


def read_views(given: list[Any], objects: dict[str, dict[str, Any]], judged: Judgement) -> None:
    """Put each list view into the body of its object."""
    for index, item in enumerate(given):
        container = mapping(item)
        name = container.get("object") or container.get("name")
        place = f"views.{name or index}"
        if name not in objects:
            judged.note(place, "refused", "It shows no object of this package.")
            continue
        lists = dict(mapping(container.get("listViews")))
        if container.get("list"):
            lists = {str(mapping(container["list"]).get("name") or "all"): container["list"]} | lists
        for position, (key, view) in enumerate(lists.items()):
            made = _view(f"{place}.{key}", mapping(view), objects[name], judged)
            if made is not None:
                default = {"default": True} if position == 0 and container.get("list") else {}
                objects[name].setdefault("listViews", {})[key] = made | default
        for key in container:
            if key not in ("object", "name", "label", "list", "listViews"):
                judged.note(f"{place}.{key}", "parked", "Forms follow the object's sections here.")


def _view(place: str, view: dict[str, Any], body: dict[str, Any], judged: Judgement) -> dict[str, Any] | None:
    if view.get("type", "grid") not in TABLES:
        judged.note(place, "parked", f"Views of type {view['type']} are not taken from packages yet.")
        return None
    made: dict[str, Any] = {}
    if isinstance(view.get("label"), str):
        made["label"] = view["label"]
    columns = [mapping(item).get("field", item) for item in listing(view.get("columns"))]
    if columns:
        made["columns"] = [name for name in columns if name in body["fields"]]
    if view.get("sort"):
        made["sort"] = view["sort"]
    if view.get("filter"):
        made["filter"] = _condition(place, view["filter"], judged)
    for key in view:
        if key not in TAKEN:
            judged.note(f"{place}.{key}", "parked", "AI-BOS lists do not use this.")
    return made


def _condition(place: str, given: Any, judged: Judgement) -> Any:
    """Return a filter in object form: `[{field, operator, value}]` and the array form are turned into it."""
    if isinstance(given, list) and given and all(isinstance(item, dict) for item in given):
        given = [[item.get("field"), item.get("operator", "="), item.get("value")] for item in given]
    try:
        return to_object(given) if isinstance(given, list) else given
    except Problem as problem:
        judged.fault(f"{place}.filter", problem.code.lower(), problem.message)
        return {}
