"""What a query is refused with, and the limits it must keep."""

from typing import Any

from apps.core.errors import Invalid, NotFound, PermissionDenied, Problem

DEFAULT_LIMIT = 100
MOST_ROWS = 1_000
MOST_SKIPPED = 100_000
MOST_DEPTH = 8
MOST_TESTS = 100
MOST_VALUES = 1_000
MOST_TEXT = 4_000
MOST_SORTS = 8
MOST_TERMS = 8
MOST_EXPAND = 3
COUNT_CAP = 1_000


def invalid_filter(message: str, **details: Any) -> Problem:
    """400 INVALID_FILTER."""
    return Invalid(message, code="INVALID_FILTER", details=details)


def invalid_query(message: str, **details: Any) -> Problem:
    """400 INVALID_QUERY."""
    return Invalid(message, code="INVALID_QUERY", details=details)


def invalid_sort(message: str, **details: Any) -> Problem:
    """400 INVALID_SORT."""
    return Invalid(message, code="INVALID_SORT", details=details)


def shown(name: Any) -> str:
    """Return a name from outside as text that can be printed and sent: short, and without half characters."""
    return str(name)[:80].encode(errors="backslashreplace").decode()


def unknown_field(obj: str, name: Any, where: str = "") -> Problem:
    """400 INVALID_FIELD, naming the object and the field."""
    said = f" ({where})" if where else ""
    message = f"Unknown field {shown(name)!r} on object {obj!r}{said}."
    return Invalid(message, code="INVALID_FIELD", details={"object": obj, "field": shown(name)})


def unsupported(names: list[str], obj: str) -> Problem:
    """400 UNSUPPORTED_QUERY_PARAM."""
    message = f"Unsupported query parameter(s): {', '.join(map(shown, names))}."
    return Invalid(message, code="UNSUPPORTED_QUERY_PARAM", details={"object": obj})


def hidden_fields(obj: str, names: list[str]) -> Problem:
    """403: a filter, order, group or search over a field that may not be read would tell its values."""
    message = f"The query on {obj!r} uses field(s) whose values the caller may not see: {', '.join(names)}."
    return PermissionDenied(message, details={"object": obj})


def no_object(name: str) -> Problem:
    """404 OBJECT_NOT_FOUND."""
    message = f"Object {shown(name)!r} is not registered."
    return NotFound(message, code="OBJECT_NOT_FOUND", details={"object": shown(name)})


def no_record(obj: str, record_id: Any) -> Problem:
    """404 RECORD_NOT_FOUND: absent, deleted and invisible look the same."""
    message = f"Record {shown(record_id)} not found in {obj}"
    return NotFound(message, code="RECORD_NOT_FOUND", details={"object": obj})
