"""What a follower of events asks for, read strictly from its address."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from uuid import UUID

from django.http import HttpRequest

from apps.core.errors import Problem

PATTERN = re.compile(r"[a-z0-9_.*]{1,100}")
SUBJECT = re.compile(r"([a-z][a-z0-9_]{0,62}):(\*|[0-9a-f-]{36})")
MOST_PATTERNS = 20
KNOWN = frozenset({"types", "subject", "after"})


@dataclass(frozen=True)
class Wish:
    """Which events: of types that match one of `patterns` (none: all), about `subject` or a kind of them.

    `after` is the cursor to go on from; empty: from now on.
    """

    patterns: tuple[str, ...] = ()
    subject: str | None = None
    prefix: str | None = None
    after: str = ""

    def wants(self, event_type: str) -> bool:
        """Return whether events of this type are asked for."""
        return not self.patterns or any(fnmatchcase(event_type, pattern) for pattern in self.patterns)


def read(request: HttpRequest) -> Wish:
    """Return what `?types=&subject=&after=` and `Last-Event-ID` ask for; the header is the newer cursor.

    Raises 400 INVALID_REQUEST for anything that cannot be meant.
    """
    given = request.GET
    strange = sorted(given.keys() - KNOWN)
    if strange:
        raise _bad(f"Unknown parameter {strange[0][:40]!r}.")
    for name in KNOWN & given.keys():
        if len(given.getlist(name)) > 1:
            raise _bad(f"{name} is given twice.")
    patterns = tuple(part for part in given.get("types", "").split(",") if part)
    if len(patterns) > MOST_PATTERNS or not all(PATTERN.fullmatch(part) for part in patterns):
        raise _bad(
            f"types are at most {MOST_PATTERNS} names like crm.lead.created or crm.lead.*, with commas."
        )
    subject, prefix = _subject(given.get("subject", ""))
    after = request.META.get("HTTP_LAST_EVENT_ID", "") or given.get("after", "")
    return Wish(patterns, subject, prefix, after)


def _subject(text: str) -> tuple[str | None, str | None]:
    if not text:
        return None, None
    match = SUBJECT.fullmatch(text)
    if match is None:
        raise _bad("subject is like crm_lead:<id>, or crm_lead:* for all records of an object.")
    if match[2] == "*":
        return None, f"{match[1]}:"
    try:
        return f"{match[1]}:{UUID(match[2])}", None
    except ValueError:
        raise _bad("subject names no id.") from None


def _bad(message: str) -> Problem:
    return Problem("INVALID_REQUEST", message, status=400)
