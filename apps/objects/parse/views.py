"""Reading list views, their filters and orders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.objects.definitions import SYSTEM_FIELDS, VIEW_TYPES, FieldDef, ListView
from apps.objects.kinds import FieldProblem, kind_of
from apps.objects.parse.field_keys import humanize
from apps.objects.parse.shape import (
    BAD,
    Key,
    Reading,
    anything,
    boolean,
    choice,
    items,
    name,
    read_shape,
    text,
)
from apps.objects.parse.tree import Spot

TESTS = "tests/objects/test_definitions.py::"
LAYOUTS = "tests/portal/test_layouts.py::"
TOKEN = re.compile(r"\{[a-z0-9_]+\}")
LISTS = frozenset({"$in", "$nin"})


def _sort(reading: Reading, spot: Spot) -> Any:
    pairs = spot.value if isinstance(spot.value, list) else [spot]
    found: list[tuple[str, str]] = []
    for item in pairs:
        if isinstance(item.value, str):
            found.append((item.value.removeprefix("-"), "desc" if item.value.startswith("-") else "asc"))
            continue
        plain = item.plain()
        if not (
            isinstance(plain, dict)
            and set(plain) <= {"field", "order"}
            and isinstance(plain.get("field"), str)
        ):
            return reading.fail(
                item, "invalid_type", "An order is -field or {field, order}.", "Write -created_at."
            )
        if plain.get("order", "asc") not in ("asc", "desc"):
            return reading.fail(item, "invalid_value", "The order is asc or desc.")
        found.append((plain["field"], plain.get("order", "asc")))
    return tuple(found)


VIEW_KEYS: Mapping[str, Key] = {
    "label": Key(
        "label",
        text(120),
        "Title of the list.",
        "apps.objects.describe:list_view_item",
        TESTS + "test_list_views",
    ),
    "columns": Key(
        "columns",
        items(name()),
        "Fields shown, in order.",
        "apps.objects.describe:list_view_item",
        TESTS + "test_list_views",
    ),
    "filter": Key(
        "filter",
        anything,
        "Filter in object form; always added to the reader's own.",
        "apps.objects.parse.views:judge_filter",
        TESTS + "test_list_view_filter_is_judged",
    ),
    "sort": Key(
        "sort",
        _sort,
        "Order: -field, or a list of {field, order}.",
        "apps.objects.describe:list_view_item",
        TESTS + "test_list_views",
    ),
    "default": Key(
        "default",
        boolean,
        "The list that opens first.",
        "apps.objects.definitions:ObjectDef.default_view",
        TESTS + "test_default_view",
    ),
    "type": Key(
        "type",
        choice(*VIEW_TYPES),
        "How the list is laid out: table, board, calendar or gallery.",
        "apps.portal.listing.address:of_declared",
        LAYOUTS + "test_views_declare_their_layout",
    ),
    "groupBy": Key(
        "group_by",
        name(),
        "The lanes of a board: a field with options, or one that holds a member.",
        "apps.objects.parse.views:_judge_layout",
        LAYOUTS + "test_views_declare_their_layout",
    ),
    "dateField": Key(
        "date_field",
        name(),
        "The days of a calendar: a date or a date with time.",
        "apps.objects.parse.views:_judge_layout",
        LAYOUTS + "test_views_declare_their_layout",
    ),
}


def read_views(reading: Reading, spot: Spot, fields: Mapping[str, FieldDef]) -> dict[str, ListView]:
    """Return the list views by name; columns, filters and orders are judged against `fields`."""
    if not isinstance(spot.value, dict):
        reading.fail(spot, "invalid_type", "listViews maps names to views.", "Write listViews: {all: {…}}.")
        return {}
    known = {**SYSTEM_FIELDS, **fields}
    views: dict[str, ListView] = {}
    for key, child in spot.value.items():
        if name()(reading, Spot(key, child.line, child.path)) is not BAD:
            view = _read_view(reading, child, key, known)
            if view is not None:
                views[key] = view
    if sum(v.default for v in views.values()) > 1:
        reading.fail(spot, "conflict", "Two views are the default.", "Keep one.")
    return views


def _read_view(
    reading: Reading, spot: Spot, view_name: str, known: Mapping[str, FieldDef]
) -> ListView | None:
    found = read_shape(reading, spot, VIEW_KEYS)
    if not isinstance(spot.value, dict):
        return None
    if "columns" not in spot.value:
        reading.fail(spot, "required", "A view needs columns.", "Add columns: [name, …].")
        return None
    for column in found.get("columns", ()):
        if column not in known:
            reading.fail(spot.value["columns"], "unknown_field", f"There is no field {column!r}.")
    for column, _order in found.get("sort", ()):
        if column not in known or not known[column].sortable:
            reading.fail(spot.value["sort"], "unknown_field", f"{column!r} cannot order a list.")
    _judge_layout(reading, spot, found, known)
    filter_spot = found.pop("filter", None)
    if filter_spot is not None:
        judge_filter(reading, filter_spot, known)
        found["filter"] = filter_spot.plain()
    found.setdefault("label", humanize(view_name))
    return ListView(name=view_name, columns=found.pop("columns", ()), **found)


def groups_a_board(field: FieldDef) -> bool:
    """Say whether the values of a field can be the lanes of a board: one option, or one member."""
    kind = kind_of(field)
    return not kind.is_array and not field.multiple and (bool(field.options) or kind.cell == "user")


def dates_a_calendar(field: FieldDef) -> bool:
    """Say whether a field puts a record on a day."""
    return kind_of(field).cell in ("date", "datetime")


def _judge_layout(
    reading: Reading, spot: Spot, found: Mapping[str, Any], known: Mapping[str, FieldDef]
) -> None:
    """Note a board without lanes, a calendar without days, and a field that cannot be either."""
    wants = {"board": ("groupBy", "group_by"), "calendar": ("dateField", "date_field")}
    fits = {"group_by": groups_a_board, "date_field": dates_a_calendar}
    layout = found.get("type", "table")
    for layout_name, (key, attribute) in wants.items():
        named = found.get(attribute)
        if layout == layout_name and not named:
            reading.fail(spot, "required", f"A {layout} needs {key}.", f"Add {key}: <field>.")
        elif named and layout != layout_name:
            reading.fail(spot.value[key], "conflict", f"{key} belongs to a {layout_name}.", "Remove it.")
        elif named and (named not in known or not fits[attribute](known[named])):
            reading.fail(spot.value[key], "unknown_field", f"{named!r} cannot be the {key} of a {layout}.")


def judge_filter(reading: Reading, spot: Spot, known: Mapping[str, FieldDef]) -> None:
    """Note what is wrong with a filter in object form."""
    if not isinstance(spot.value, dict):
        reading.fail(spot, "invalid_type", "A filter is a mapping.", "Write {status: open}.")
        return
    for key, child in spot.value.items():
        if key in ("$and", "$or"):
            if not isinstance(child.value, list):
                reading.fail(child, "invalid_type", f"{key} takes a list of filters.")
                continue
            for item in child.value:
                judge_filter(reading, item, known)
        elif key == "$not":
            judge_filter(reading, child, known)
        elif key not in known:
            reading.fail(child, "unknown_field", f"There is no field {key!r} to filter by.")
        elif isinstance(child.value, dict):
            for operator, operand in child.value.items():
                _judge_comparison(reading, operand, known[key], operator)
        else:
            _judge_comparison(reading, child, known[key], "$eq")


def _judge_comparison(reading: Reading, spot: Spot, field: FieldDef, operator: str) -> None:
    kind = kind_of(field)
    if operator not in kind.operators:
        known = ", ".join(sorted(kind.operators))
        reading.fail(
            spot, "invalid_operator", f"A {field.type} field has no {operator}.", f"Use one of {known}."
        )
        return
    if operator in ("$null", "$exists"):
        if not isinstance(spot.value, bool):
            reading.fail(spot, "invalid_type", f"{operator} takes true or false.")
        return
    if operator in LISTS or operator == "$between":
        if not isinstance(spot.value, list) or (operator == "$between" and len(spot.value) != 2):
            reading.fail(spot, "invalid_type", f"{operator} takes a list.")
            return
        values = spot.value
    else:
        values = [spot]
    for item in values:
        if item.value is None or (isinstance(item.value, str) and TOKEN.fullmatch(item.value)):
            continue
        try:
            kind.filter_value(field, item.plain())
        except FieldProblem as problem:
            reading.fail(item, problem.code, problem.message)
