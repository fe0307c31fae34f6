"""GET parameters read into a `Query`: the reserved names, and every other one as an equality filter."""

import json
from collections.abc import Iterable
from typing import Any

from apps.objects.definitions import ObjectDef
from apps.objects.query import arrays, tree
from apps.objects.query.macros import Moment
from apps.objects.query.reading import Catalog, from_ast
from apps.objects.query.refusals import (
    invalid_filter,
    invalid_query,
    invalid_sort,
    unknown_field,
    unsupported,
)

ALIASES = {
    **dict.fromkeys(("filter", "filters", "$filter", "where"), "where"),
    **dict.fromkeys(("select", "fields", "$select"), "fields"),
    **dict.fromkeys(("sort", "orderBy", "$orderby"), "orderBy"),
    **dict.fromkeys(("top", "limit", "$top"), "limit"),
    **dict.fromkeys(("skip", "offset", "$skip"), "offset"),
    **dict.fromkeys(("expand", "populate", "$expand"), "expand"),
    **dict.fromkeys(("search", "$search"), "search"),
    **dict.fromkeys(("searchFields", "$searchFields"), "searchFields"),
    **dict.fromkeys(("count", "$count"), "count"),
    "aggregations": "aggregations",
    "groupBy": "groupBy",
    "having": "having",
    "after": "after",
    "deleted": "deleted",
}
MOST_PARAMS = 60
TRUTH = {"true": True, "false": False, "1": True, "0": False, "": False}
UNSET = "[object Object]"  # what a client sends that writes an object into a query string


def from_params(
    catalog: Catalog, obj: ObjectDef, pairs: Iterable[tuple[str, str]], moment: Moment
) -> tree.Query:
    """Return the query of the pairs of a query string; raises the protocol's 400s."""
    body: dict[str, Any] = {}
    equalities: dict[str, Any] = {}
    for index, (name, text) in enumerate(pairs):
        if index >= MOST_PARAMS:
            raise invalid_query(f"A query string may hold {MOST_PARAMS} parameters.")
        key = ALIASES.get(name)
        if key is None:
            _equality(obj, name, text, equalities)
        elif key in body:
            raise invalid_query(f"The parameter {name!r} is given twice, or under two names.")
        else:
            body[key] = _read(key, name, text)
    if equalities:
        where = body.get("where")
        body["where"] = {"$and": [where, equalities]} if where else equalities
    return from_ast(catalog, obj, {key: value for key, value in body.items() if value is not None}, moment)


def _equality(obj: ObjectDef, name: str, text: str, equalities: dict[str, Any]) -> None:
    if name.startswith("$"):
        raise unsupported([name], obj.name)
    if name not in obj.all_fields:
        raise unknown_field(obj.name, name, "parameters that are not reserved filter a field")
    if name in equalities:
        raise invalid_filter(f"The parameter {name!r} is given twice.")
    if UNSET in text:
        raise invalid_filter(
            f"The filter on {name!r} is an object that was not encoded; send `filter` as JSON."
        )
    equalities[name] = text


def _read(key: str, name: str, text: str) -> Any:
    match key:
        case "where":
            return _where(name, text)
        case "fields" | "expand" | "groupBy":
            return _names(name, text)
        case "orderBy":
            return _order(name, text)
        case "aggregations" | "having":
            return _json(name, text)
        case "count":
            return TRUTH.get(text.lower(), text)
    return text


def _where(name: str, text: str) -> Any:
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid_filter(f"Query parameter {name!r} must be valid JSON.") from error
    if isinstance(value, list):
        return arrays.to_object(value)
    if not isinstance(value, dict):
        raise invalid_filter(f"Query parameter {name!r} must be a JSON object or array.")
    return value


def _names(name: str, text: str) -> Any:
    if text.lstrip().startswith(("[", "{")):
        return _json(name, text)
    return [part.strip() for part in text.split(",") if part.strip()] or None


def _order(name: str, text: str) -> Any:
    if text.lstrip().startswith(("[", "{")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise invalid_sort(
                f"Query parameter {name!r} must be 'field desc,other' or valid JSON."
            ) from error
    return [part for part in text.split(",") if part.strip()]


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid_query(f"Query parameter {name!r} must be valid JSON.") from error
