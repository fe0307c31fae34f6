"""From a written condition to the rule over records that it means: CEL, or `{field: value | {operator: value}}`."""

from collections.abc import Mapping
from typing import Any

from apps.core.errors import FieldError
from apps.permissions.expressions import expression, tree_of
from apps.permissions.lowering import NotLowerable, mapping
from apps.permissions.policies import Condition
from apps.permissions.rules import Always, Rule


def lowered(condition: Condition | None, fields: Mapping[str, Any]) -> Rule:
    """Return the rule of a condition over an object with these fields; None means that all records meet it.

    Raises `NotLowerable` for what has no rule: whoever asks lets no record through then.
    """
    if condition is None:
        return Always()
    if isinstance(condition, Mapping):
        return mapping(condition, fields)
    return expression(condition, fields)


def problems(path: str, condition: Condition | None, fields: Mapping[str, Any] | None) -> list[FieldError]:
    """Return what is wrong with a condition; of an object that is not known yet only the syntax is judged."""
    try:
        if fields is not None:
            lowered(condition, fields)
        elif isinstance(condition, str):
            tree_of(condition)
    except NotLowerable as error:
        return [FieldError(path, "invalid_format", str(error))]
    return []
