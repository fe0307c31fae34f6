"""What a value looks like in a spreadsheet, and why no cell can become a formula."""

import re
from decimal import Decimal
from typing import Any

from apps.api.answers import encode

LONGEST_CELL = 32_767  # Excel's limit
_FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "|",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)  # the full-width ones too
_HARMLESS = re.compile(r"[+\-]?[0-9][0-9 ().,/\-]*")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def text(value: Any) -> str:
    """Return `value` (from JSON) as text: nothing for null, items joined by "; ", objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return "; ".join(text(item) for item in value)
    if isinstance(value, dict | list):
        return encode(value).decode()
    return str(value)


def safe(written: str) -> str:
    """Return `written` so that no spreadsheet runs it: an apostrophe before what would start a formula.

    Plain numbers and telephone numbers (`-12.5`, `+49 30 1234`) stay as they are.
    """
    if written.startswith(_FORMULA) and not _HARMLESS.fullmatch(written):
        return "'" + written
    return written


def csv_cell(value: Any) -> str:
    """Return the CSV cell of a JSON value."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return str(value)
    return safe(text(value))


def sheet_cell(value: Any) -> Any:
    """Return the XLSX cell of a JSON value: numbers stay numbers, all else is text that is never a formula."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return value
    return _UNPRINTABLE.sub("", safe(text(value)))[:LONGEST_CELL]
