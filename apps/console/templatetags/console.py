"""How templates tell the values of panels apart."""

import datetime as dt
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
