"""The shape of a handler's arguments, read off its signature, for tasks that declare no schema of their own."""

import datetime as dt
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

PLAIN: Mapping[Any, Mapping[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    UUID: {"type": "string", "format": "uuid"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
}
LISTS = (list, tuple, set, frozenset, Sequence)
OBJECTS = (dict, Mapping)


def schema_of(run: Callable[..., Any]) -> dict[str, Any]:
    """Return a JSON Schema of the keyword arguments of `run`; its first parameter is the job's handle.

    What has no default is required, what is not named is refused, and a type that has no plain form may be
    anything.
    """
    hints = get_type_hints(inspect.unwrap(run))
    parameters = list(inspect.signature(run).parameters.values())[1:]
    named = [item for item in parameters if item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL)]
    properties = {item.name: _type(hints.get(item.name, Any)) for item in named}
    required = [item.name for item in named if item.default is item.empty]
    made: dict[str, Any] = {"type": "object", "properties": properties}
    made["additionalProperties"] = any(item.kind is item.VAR_KEYWORD for item in parameters)
    return made | ({"required": required} if required else {})


def _type(hint: Any) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return dict(PLAIN[hint])
    if origin in (Union, types.UnionType):
        return {"anyOf": [_type(item) for item in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if (origin or hint) in LISTS:
        return {"type": "array", "items": _type(inner[0])} if inner else {"type": "array"}
    if (origin or hint) in OBJECTS:
        return {"type": "object"}
    return {}
