"""Upper and lower case, letter by letter: the same table in Python and in PostgreSQL, whatever the locale.

Letters of Latin, Greek, Cyrillic, Armenian and Georgian scripts; one that would become two stays: `ß` is `ß`.
"""

from __future__ import annotations

from collections.abc import Callable

BLOCKS = (
    range(0x41, 0x250),
    range(0x370, 0x590),
    range(0x1C90, 0x1CC0),
    range(0x10D0, 0x1100),
    range(0x1E00, 0x2000),
)


def _pairs(turned: Callable[[str], str]) -> list[tuple[str, str]]:
    """Return (letter, partner) of every letter that is turned into one other letter."""
    letters = [chr(code) for block in BLOCKS for code in block]
    return [(one, turned(one)) for one in letters if len(turned(one)) == 1 and turned(one) != one]


def _columns(pairs: list[tuple[str, str]]) -> tuple[str, str]:
    return "".join(first for first, _ in pairs), "".join(second for _, second in pairs)


# What PostgreSQL's translate() takes: the letters, and what each becomes.
TO_UPPER, TO_LOWER = _columns(_pairs(str.upper)), _columns(_pairs(str.lower))
UPPER, LOWER = str.maketrans(*TO_UPPER), str.maketrans(*TO_LOWER)
