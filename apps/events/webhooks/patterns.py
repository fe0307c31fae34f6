"""Which types of events somebody asked for: names in which `*` stands for any run of characters."""

import re
from collections.abc import Iterable
from functools import lru_cache

from apps.events.registry import type_of

EVERYTHING = "*"
FORM = re.compile(r"\*|(?:[a-z0-9_]+|\*)(?:\.(?:[a-z0-9_]+|\*))+")
MOST, ROOM = 50, 120


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, pattern.split("*"))))


def matches(pattern: str, event_type: str) -> bool:
    """Return whether `pattern` takes the type: `*`, `crm.lead.*`, `*.created`, or a whole name."""
    return _compiled(pattern).fullmatch(event_type) is not None


def wanted(patterns: Iterable[str], event_type: str) -> bool:
    """Return whether one of the patterns takes the type."""
    return any(matches(pattern, event_type) for pattern in patterns)


def fault(pattern: str) -> str | None:
    """Return why a pattern is none, or None: `form` or `unknown` (a whole name that no event has)."""
    if len(pattern) > ROOM or not FORM.fullmatch(pattern):
        return "form"
    if "*" in pattern:
        return None
    try:
        type_of(pattern)
    except LookupError:
        return "unknown"
    return None
