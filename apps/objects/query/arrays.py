"""The array form of filters (`["and", ["score", ">", 10], …]`) rewritten to the object form."""

from typing import Any

from apps.objects.query.refusals import MOST_DEPTH, invalid_filter

WORDS = {
    **dict.fromkeys(("=", "==", "eq", "equals"), "$eq"),
    **dict.fromkeys(("!=", "<>", "ne", "neq", "not_equals"), "$ne"),
    **dict.fromkeys((">", "gt", "greater_than", "after"), "$gt"),
    **dict.fromkeys((">=", "gte"), "$gte"),
    **dict.fromkeys(("<", "lt", "less_than", "before"), "$lt"),
    **dict.fromkeys(("<=", "lte"), "$lte"),
    "in": "$in",
    **dict.fromkeys(("nin", "not_in"), "$nin"),
    "contains": "$contains",
    "not_contains": "$notContains",
    "like": "$like",
    "ilike": "$ilike",
    "icontains": "$icontains",
    **dict.fromkeys(("starts_with", "startswith"), "$startsWith"),
    **dict.fromkeys(("ends_with", "endswith"), "$endsWith"),
    "between": "$between",
    "under": "$under",
    "above": "$above",
}
PRESENCE = {"is_null": True, "is_empty": True, "is_not_null": False, "is_not_empty": False}
COMPARISON = 3


def to_object(node: Any, depth: int = 0) -> dict[str, Any]:
    """Return the object form of an array filter; raises INVALID_FILTER for anything else."""
    if depth > MOST_DEPTH:
        raise invalid_filter(f"A filter may be nested {MOST_DEPTH} levels deep.")
    if not isinstance(node, list):
        raise invalid_filter("An array filter holds [field, operator, value] or ['and'|'or', …].")
    if not node:
        return {}
    head = node[0]
    if isinstance(head, list):
        return {"$and": [to_object(part, depth + 1) for part in node]}
    if not isinstance(head, str):
        raise invalid_filter("An array filter begins with a field or with 'and', 'or', 'not'.")
    word = head.lower()
    if word in ("and", "or") and all(isinstance(part, list) for part in node[1:]):
        return {f"${word}": [to_object(part, depth + 1) for part in node[1:]]}
    if word in ("not", "!") and len(node) == 2 and isinstance(node[1], list):
        return {"$not": to_object(node[1], depth + 1)}
    return _comparison(head, node)


def _comparison(field: str, node: list[Any]) -> dict[str, Any]:
    if len(node) not in (2, COMPARISON) or not isinstance(node[1], str):
        raise invalid_filter("A comparison is [field, operator, value].")
    word = node[1].strip().lower().replace(" ", "_")
    if word in PRESENCE:
        return {field: {"$null": PRESENCE[word]}}
    if word not in WORDS or len(node) != COMPARISON:
        raise invalid_filter(f"Unsupported filter operator {node[1][:40]!r} on field {field[:80]!r}.")
    return {field: {WORDS[word]: node[2]}}
