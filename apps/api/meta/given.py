"""What people send as a definition, taken down to what they may say.

`GET` writes out every default and the platform's own columns; a client that changes one line of that and puts
it back must not be refused for the rest.
"""

from collections.abc import Mapping
from typing import Any

from apps.core.errors import Problem
from apps.objects.definitions import SYSTEM_FIELDS

ONLY_ANSWERED = frozenset({"isSystem"})
ONLY_ANSWERED_OF_PARTS = frozenset({"name", "system"})
TRUE_BY_DEFAULT = frozenset({"sortable", "trackHistory"})


def definition(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition of `name` that `body` means; 422 INVALID_METADATA for another object's."""
    made = {key: value for key, value in body.items() if not (key.startswith("_") or key in ONLY_ANSWERED)}
    if made.setdefault("name", name) != name:
        message = f"The name must be {name!r}, as in the address."
        issue = {"path": "name", "code": "invalid_value", "message": message}
        raise Problem("INVALID_METADATA", message, status=422, details={"issues": [issue]})
    if _is_answer(body):
        made = {key: value for key, value in made.items() if value not in ("", [], {}, None)}
        made["fields"] = _parts(made.get("fields"), without=SYSTEM_FIELDS)
        made["listViews"] = _parts(made.get("listViews"))
    return {key: value for key, value in made.items() if value is not None}


def _is_answer(body: Mapping[str, Any]) -> bool:
    """Tell whether the body is one of our own answers: only those carry a provenance."""
    return "_provenance" in body


def _parts(parts: Any, without: Mapping[str, Any] | None = None) -> Any:
    if not isinstance(parts, Mapping):
        return parts
    return {
        name: _part(part) if isinstance(part, Mapping) else part
        for name, part in parts.items()
        if name not in (without or {})
    }


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    made = {}
    for key, value in part.items():
        said = value not in ("", [], {}, None) and not (key in TRUE_BY_DEFAULT and value is True)
        if said and key not in ONLY_ANSWERED_OF_PARTS and (value is not False or key in TRUE_BY_DEFAULT):
            made[key] = (
                [_part(item) if isinstance(item, Mapping) else item for item in value]
                if key == "options"
                else value
            )
    return made
