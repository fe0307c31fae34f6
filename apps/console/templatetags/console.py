"""How templates tell the values of panels apart."""

import datetime as dt
import json
from typing import Any

from django import template

register = template.Library()


@register.filter
def kind(value: Any) -> str:
    """The class name of a cell's value; `none` for nothing, `datetime` for an instant."""
    if value is None or value == "":
        return "none"
    if isinstance(value, dt.datetime):
        return "datetime"
    return type(value).__name__


@register.filter
def plain(value: Any) -> str:
    """A ledger value as JSON would write it, texts without quotes; a dash for nothing."""
    if value is None or value == "":
        return "\u2013"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
