"""What a tenant's rows say about rights, as values: the directory everybody shares, and what one person holds.

Grants with a beginning or an end turn at known instants: `Directory.epoch` numbers the times between them, and
whatever is cached is cached for one epoch, so that nothing outlives its end and nothing is asked for it.
"""

import datetime as dt
import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Q
from django.utils import timezone

from apps.core.clock import Clocked
from apps.core.scope import current_tenant
from apps.identity.models import Membership
from apps.permissions.bodies import SetGrant, compiled, problems
from apps.permissions.builtin import BUILT_IN
from apps.permissions.models import (
    Assignment,
    Group,
    GroupMember,
    PermissionSet,
    Restriction,
    SharingRule,
)

logger = logging.getLogger("aibos.permissions")
# Each object that has shares, found by leaps through the index: as fast with a million shares as with ten.
SHARED_OBJECTS = """
WITH RECURSIVE found AS (
  (SELECT object_name FROM permissions_share ORDER BY object_name LIMIT 1)
  UNION ALL
  SELECT (SELECT s.object_name FROM permissions_share s WHERE s.object_name > found.object_name
          ORDER BY s.object_name LIMIT 1)
  FROM found WHERE found.object_name IS NOT NULL
) SELECT object_name FROM found WHERE object_name IS NOT NULL
"""


@dataclass(frozen=True)
class GroupValue:
    """A role or a team as a value; `parent` is a name."""

    name: str
    kind: str
    label: str
    parent: str | None
    sets: tuple[str, ...]
    inherits: bool


@dataclass(frozen=True)
class RuleValue:
    """A sharing rule as a value."""

    name: str
    object: str
    level: int
    criteria: Any
    owners: str
    principal: str


@dataclass(frozen=True)
class WallValue:
    """A restriction as a value."""

    name: str
    object: str
    operations: tuple[str, ...]
    fields: tuple[str, ...]
    criteria: Any
    principal: str
    valid_from: dt.datetime | None
    valid_until: dt.datetime | None


def in_force(moment: dt.datetime) -> Q:
    """Return the filter of grants that have begun and not ended."""
    return (Q(valid_from=None) | Q(valid_from__lte=moment)) & (
        Q(valid_until=None) | Q(valid_until__gt=moment)
    )


def members_of(groups: Iterable[str]) -> tuple[UUID, ...]:
    """Return the people who belong to one of these groups now."""
    named = list(groups)
    if not named:
        return ()
    rows = GroupMember.objects.filter(in_force(timezone.now()), group__name__in=named)
    return tuple(sorted(set(rows.values_list("user_id", flat=True))))


Members = Callable[[Iterable[str]], tuple[UUID, ...]]


@dataclass(frozen=True)
class Directory:
    """Sets, groups, sharing rules and walls of a tenant, and the instants at which grants turn.

    `members` returns the people who belong to one of some groups now.
    """

    sets: Mapping[str, SetGrant]
    groups: Mapping[str, GroupValue] = field(default_factory=dict)
    rules: tuple[RuleValue, ...] = ()
    walls: tuple[WallValue, ...] = ()
    shared: frozenset[str] = frozenset()
    turns: tuple[dt.datetime, ...] = ()
    members: Members = members_of

    def epoch(self, now: dt.datetime) -> int:
        """Return the number of the time between two turns that `now` lies in."""
        return bisect_right(self.turns, now) if self.turns else 0

    def above(self, name: str) -> Iterator[str]:
        """Yield the group and those above it, up to the top."""
        seen: set[str] = set()
        here: str | None = name
        while here is not None and here in self.groups and here not in seen:
            seen.add(here)
            yield here
            here = self.groups[here].parent

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """The groups right below each group."""
        found: dict[str, list[str]] = {}
        for group in self.groups.values():
            if group.parent is not None:
                found.setdefault(group.parent, []).append(group.name)
        return {name: tuple(names) for name, names in found.items()}

    def below(self, names: Iterable[str]) -> frozenset[str]:
        """Return all groups below these, these themselves left out unless one stands below another."""
        found: set[str] = set()
        queue = [child for name in names for child in self.children.get(name, ())]
        while queue:
            here = queue.pop()
            if here not in found:
                found.add(here)
                queue.extend(self.children.get(here, ()))
        return frozenset(found)


@dataclass(frozen=True)
class Holding:
    """What one person holds now, by name. `role` is None for whoever is no member of the tenant."""

    user_id: UUID
    tenant_id: UUID | None = None
    role: str | None = None
    state: str = ""
    email: str = ""
    name: str = ""
    assigned: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def load_directory() -> Directory:
    """Read the directory of the tenant in force."""
    rows = PermissionSet.objects.values_list("name", "body")
    sets = {name: _trusted(name, body) for name, body in rows} | {n: b.grant for n, b in BUILT_IN.items()}
    parents = Group.objects.values_list("name", "kind", "label", "parent__name", "sets", "inherits")
    groups = {row[0]: GroupValue(*row[:4], tuple(row[4] or ()), row[5]) for row in parents}
    shares = SharingRule.objects.filter(active=True)
    columns = ("name", "object_name", "level", "criteria", "owners", "principal")
    walls = Restriction.objects.filter(active=True).values_list(
        "name", "object_name", "operations", "fields", "criteria", "principal", "valid_from", "valid_until"
    )
    with connections["default"].cursor() as cursor:
        cursor.execute(SHARED_OBJECTS)
        shared = frozenset(row[0] for row in cursor.fetchall())
    return Directory(
        sets=sets,
        groups=groups,
        rules=tuple(RuleValue(*row) for row in shares.values_list(*columns)),
        walls=tuple(WallValue(w[0], w[1], tuple(w[2]), tuple(w[3]), *w[4:]) for w in walls),
        shared=shared,
        turns=_turns(),
    )


def _turns() -> tuple[dt.datetime, ...]:
    found: set[dt.datetime] = set()
    for model in (Assignment, GroupMember, Restriction):
        bounded = model.objects.exclude(valid_from=None, valid_until=None)
        for pair in bounded.values_list("valid_from", "valid_until"):
            found.update(moment for moment in pair if moment is not None)
    return tuple(sorted(found))


def _trusted(name: str, body: Any) -> SetGrant:
    """Return the compiled set; one whose stored body breaks the rules grants nothing, and is reported."""
    faults = problems(body)
    if faults:
        logger.error("permission set ignored", extra={"set": name, "faults": [f.as_dict() for f in faults]})
        return SetGrant(name)
    return compiled(name, body)


def load_holding(user_id: UUID) -> Holding:
    """Read what one person holds now in the tenant in force."""
    columns = ("role", "state", "user__email", "user__name")
    tenant_id = current_tenant().id
    found = Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).values_list(*columns)
    role, state, email, name = found.first() or (None, "", "", "")
    if role is None:
        return Holding(user_id, tenant_id)
    now = in_force(timezone.now())
    assigned = Assignment.objects.filter(now, user_id=user_id).values_list("set_name", flat=True)
    groups = GroupMember.objects.filter(now, user_id=user_id).values_list("group__name", flat=True)
    return Holding(user_id, tenant_id, role, state, email, name, tuple(assigned), tuple(groups))


directory: Clocked[Directory] = Clocked(load_directory)
