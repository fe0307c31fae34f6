"""Scopes of an API key: they only ever take away from what the acting member may do.

Forms: `*`, or `<area>:read`, `<area>:write` (which includes read), `<area>:*`. An area is `data` (all
objects), the name of one object, or one of `AREAS`. No scopes at all (None) means no narrowing; an empty
set means nothing.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from apps.permissions.bodies import SYSTEM_PERMISSIONS
from apps.permissions.rights import ALL, Bits

EVERYTHING = "*"
ALL_OBJECTS = "data"
READING = Bits.READ | Bits.EXPORT | Bits.VIEW_ALL
VERBS: Mapping[str, Bits] = MappingProxyType({"read": READING, "write": ALL, "*": ALL})
AREAS: Mapping[str, tuple[str, frozenset[str]]] = MappingProxyType(
    {
        "members": ("manage_members", frozenset({"write", "*"})),
        "permissions": ("manage_permissions", frozenset({"write", "*"})),
        "metadata": ("manage_metadata", frozenset({"write", "*"})),
        "modules": ("manage_modules", frozenset({"write", "*"})),
        "settings": ("manage_settings", frozenset({"write", "*"})),
        "keys": ("manage_api_keys", frozenset({"write", "*"})),
        "webhooks": ("manage_webhooks", frozenset({"write", "*"})),
        "audit": ("view_audit", frozenset({"read", "write", "*"})),
        "privacy": ("manage_privacy", frozenset({"write", "*"})),
        "import": ("import_data", frozenset({"write", "*"})),
    }
)


def object_mask(scopes: Iterable[str], name: str) -> Bits:
    """Return the bits that these scopes leave on an object."""
    mask = Bits.NONE
    for scope in scopes:
        area, _, verb = scope.partition(":")
        if scope == EVERYTHING:
            mask |= ALL
        elif area in (ALL_OBJECTS, name):
            mask |= VERBS.get(verb, Bits.NONE)
    return mask


def system_mask(scopes: Iterable[str]) -> frozenset[str]:
    """Return the system permissions that these scopes leave."""
    left = set()
    for scope in scopes:
        area, _, verb = scope.partition(":")
        if scope == EVERYTHING:
            return frozenset(SYSTEM_PERMISSIONS)
        permission, verbs = AREAS.get(area, ("", frozenset()))
        if verb in verbs:
            left.add(permission)
    return frozenset(left)
