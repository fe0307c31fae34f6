"""Principals: whom something is shared with, as text: `everyone`, `user:<id>`, `role:<name>`, `team:<name>`."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from apps.core.errors import FieldError, Invalid

EVERYONE = "everyone"
GROUP_NAME = re.compile(r"[a-z](?:_?[a-z0-9])*")
KINDS = ("user", "role", "team")
# The words of the protocol for the same things.
RECIPIENTS: Mapping[str, str] = MappingProxyType(
    {
        "user": "user",
        "role": "role",
        "position": "role",
        "team": "team",
        "group": "team",
        "business_unit": "team",
    }
)


def principal(kind: str, name: str = "") -> str:
    """Return the principal of a recipient's type and id; raises `Invalid` for what can be none."""
    if kind == EVERYONE:
        return EVERYONE
    made = f"{RECIPIENTS.get(kind, kind)}:{name}"
    check(made)
    return made


def check(text: str) -> str:
    """Return `text` when it is written like a principal; raises `Invalid` otherwise."""
    kind, _colon, name = text.partition(":")
    if text == EVERYONE or (kind in ("role", "team") and GROUP_NAME.fullmatch(name) and len(name) <= 64):
        return text
    if kind == "user" and _is_uuid(name):
        return text
    error = FieldError(
        "recipient", "invalid_value", f"{text[:80]!r} is neither everyone, a user, a role nor a team."
    )
    raise Invalid(error.message, [error])


def split(text: str) -> tuple[str, str]:
    """Return (kind, name) of a principal."""
    kind, _colon, name = text.partition(":")
    return kind, name


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
