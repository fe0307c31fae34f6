"""How a page is opened to be looked at: every look in the whole run, the one with most in it otherwise.

`.ci/run` sets AIBOS_EVERY_TEST; a developer's `make test` looks once, dark and from right to left, where most goes wrong.
"""

import os
from collections.abc import Iterable
from typing import Any

from tests.programs import EVERY

LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
    "arabic": {"locale": "ar", "color_scheme": "dark"},
}
RICHEST = "arabic"


def chosen(looks: Iterable[str] = tuple(LOOKS), richest: str = RICHEST) -> list[str]:
    """Return the names of the looks that this run takes."""
    return list(looks) if os.environ.get(EVERY) else [richest]
