"""The sets every tenant has without a row: an administrator's, a member's and a reader's."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from apps.permissions.bodies import SYSTEM_PERMISSIONS, SetGrant, compiled
from apps.permissions.rights import KEYS


@dataclass(frozen=True)
class BuiltIn:
    """A set that ships with the platform: its body never changes in a tenant."""

    name: str
    label: str
    description: str
    body: Mapping[str, Any]
    full: bool = False

    @property
    def grant(self) -> SetGrant:
        return compiled(self.name, self.body, full=self.full)


ADMIN = BuiltIn(
    "admin_full_access",
    "Full access",
    "All objects, all records, all fields. Owners and administrators hold it by their role.",
    {
        "objects": {"*": dict.fromkeys(KEYS, True)},
        "fields": {},
        "systemPermissions": sorted(SYSTEM_PERMISSIONS),
    },
    full=True,
)
MEMBER = BuiltIn(
    "member_default",
    "Member",
    "What every active member holds: no object by itself; permission sets add to it.",
    {"objects": {}, "fields": {}, "systemPermissions": []},
)
READER = BuiltIn(
    "viewer_readonly",
    "Read only",
    "All records of all objects, to read; fields that an object shows to named sets only stay hidden.",
    {"objects": {"*": {"allowRead": True, "viewAllRecords": True}}, "fields": {}, "systemPermissions": []},
)
EMERGENCY = BuiltIn(
    "emergency_access",
    "Emergency access",
    "All records of all objects, to read and change, for whoever breaks the glass; restrictions still bind.",
    {
        "objects": {"*": {"allowCreate": True, "modifyAllRecords": True, "allowTransfer": True}},
        "fields": {},
        "systemPermissions": [],
    },
)
BUILT_IN: Mapping[str, BuiltIn] = MappingProxyType(
    {item.name: item for item in (ADMIN, MEMBER, READER, EMERGENCY)}
)
ROLE_SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"owner": (ADMIN.name, MEMBER.name), "admin": (ADMIN.name, MEMBER.name), "member": (MEMBER.name,)}
)
