"""What the doors of access share: bodies read strictly, principals and moments on the wire."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.api.call import Call
from apps.api.contract import TEXT, Schema
from apps.core.canonical import instant
from apps.core.errors import FieldError, Invalid, NotFound
from apps.permissions.models import Level
from apps.permissions.principals import principal, split
from apps.permissions.sharing import LEVELS, WORDS

Kinds = Mapping[str, type | tuple[type, ...]]
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
LEVEL: Schema = {"type": "string", "enum": list(LEVELS)}
RECIPIENT: Schema = {
    "type": "string",
    "enum": ["user", "role", "position", "team", "group", "business_unit", "everyone"],
}
NULLABLE: Schema = {"type": ["string", "null"]}
CONDITION: Schema = {"type": ["string", "object", "null"], "description": "CEL, or {field: value}"}
WINDOW: dict[str, Any] = {"validFrom": MOMENT, "validUntil": MOMENT}
WINDOW_KINDS: dict[str, Any] = {"validFrom": (str, type(None)), "validUntil": (str, type(None))}
SETS: Schema = {"type": "array", "items": TEXT}


def read(call: Call, kinds: Kinds, *required: str) -> dict[str, Any]:
    """Return the body with keys of these kinds only; all faults at once."""
    given = call.mapping()
    faults = [
        FieldError(name, "unknown_field", "There is no such key.")
        for name in sorted(given.keys() - kinds.keys())[:20]
    ]
    faults += [FieldError(name, "required", "It is missing.") for name in required if name not in given]
    faults += [
        FieldError(name, "invalid_type", "A value of this kind does not belong here.")
        for name in sorted(given.keys() & kinds.keys())
        if not isinstance(given[name], kinds[name])
        or (isinstance(given[name], bool) and kinds[name] is not bool)
    ]
    if faults:
        raise Invalid(faults[0].message, faults)
    return given


def texts(given: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of texts of the body."""
    found = given.get(name) or []
    if not all(isinstance(item, str) for item in found):
        raise Invalid(
            "A list of texts is needed.", [FieldError(name, "invalid_type", "A list of texts is needed.")]
        )
    return list(found)


def recipient(given: Mapping[str, Any]) -> str:
    """Return the principal that `recipientType` and `recipientId` name."""
    return principal(given["recipientType"], given.get("recipientId", ""))


def level(given: Mapping[str, Any]) -> Level:
    """Return the level of `accessLevel`, reading when it is missing."""
    found = LEVELS.get(given.get("accessLevel", "read"))
    if found is None:
        fault = FieldError("accessLevel", "invalid_option", "read, edit or full.", options=list(LEVELS))
        raise Invalid(fault.message, [fault])
    return found


def window(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `validFrom` and `validUntil` as the services take them."""
    return {"valid_from": _moment(given, "validFrom"), "valid_until": _moment(given, "validUntil")}


def _moment(given: Mapping[str, Any], name: str) -> dt.datetime | None:
    if given.get(name) is None:
        return None
    try:
        found = dt.datetime.fromisoformat(given[name])
        if found.tzinfo is not None:
            return found
    except ValueError:
        pass
    fault = FieldError(name, "invalid_date", "Write a moment such as 2030-01-31T08:00:00Z.")
    raise Invalid(fault.message, [fault])


def identity(text: str, what: str) -> UUID:
    """Return an id of the address; what cannot be one is a thing that does not exist."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"There is no such {what}.", code="RESOURCE_NOT_FOUND") from None


def moments(row: Any) -> dict[str, str | None]:
    """Return the time of a grant as the wire shows it."""
    return {"valid_from": moment(row.valid_from), "valid_until": moment(row.valid_until)}


def moment(value: dt.datetime | None) -> str | None:
    """Return a moment as the wire shows it."""
    return instant(value) if value is not None else None


def named(text: str) -> dict[str, str | None]:
    """Return a principal in the words of the protocol."""
    kind, name = split(text)
    return {"recipient_type": kind, "recipient_id": name or None}


def word(value: int) -> str:
    """Return a level's word."""
    return WORDS[Level(value)]
