"""From what a person holds to their rights: the union of their sets, the rules and walls around them, their facts."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.permissions.bodies import SetGrant
from apps.permissions.builtin import ROLE_SETS
from apps.permissions.directory import Directory, Holding, RuleValue, WallValue
from apps.permissions.grants import Around, Grants, Scopes, bundle
from apps.permissions.policies import Sharing, Wall, condition
from apps.permissions.principals import EVERYONE
from apps.permissions.rules import Subject

NOBODY = bundle(())


@dataclass(frozen=True)
class Rights:
    """Somebody's rights as they are cached: the bundle, who they are to its rules, and why it is empty."""

    grants: Grants
    subject: Subject
    reason: str = ""


def rights_of(holding: Holding, known: Directory, scopes: Scopes = None) -> Rights:
    """Return the rights that a holding means, narrowed by the scopes of a key."""
    subject = Subject(holding.user_id)
    if holding.role is None:
        return Rights(NOBODY, subject, "The actor is not a member of this tenant.")
    if holding.state != "active":
        return Rights(NOBODY, subject, "The actor's membership is suspended.")
    roles, teams = _of_kind(holding, known, "role"), _of_kind(holding, known, "team")
    names = set_names(holding, known)
    positions = frozenset((EVERYONE, holding.role, *roles))
    sets = tuple(_placed(known.sets[name], positions) for name in names if name in known.sets)
    mine = principals(holding, known)
    around = Around(
        sharing=tuple(_sharing(rule, known) for rule in known.rules if rule.principal in mine),
        walls=tuple(_wall(w) for w in known.walls if w.principal in mine and _standing(w, timezone.now())),
        shared=known.shared,
    )
    facts = {
        "id": holding.user_id,
        "email": holding.email,
        "name": holding.name,
        "positions": sorted(positions),
        "organization_id": holding.tenant_id,
        "principals": sorted(mine),
        **_circles(sets, roles, teams, known),
    }
    return Rights(bundle(sets, scopes, around), Subject(holding.user_id, MappingProxyType(facts)))


def set_names(holding: Holding, known: Directory) -> tuple[str, ...]:
    """Return the sets held by the member's part in the tenant, by assignment, and by roles and teams, in order."""
    names = dict.fromkeys(ROLE_SETS.get(holding.role or "", ()))
    names |= dict.fromkeys(holding.assigned)
    for group in holding.groups:
        names |= dict.fromkeys(group_sets(group, known))
    return tuple(names)


def group_sets(name: str, known: Directory) -> tuple[str, ...]:
    """Return the sets that a role or team gives: its own, those of the teams it is part of, and for a role that
    inherits those of the roles below it.
    """
    group = known.groups.get(name)
    if group is None:
        return ()
    also: Iterable[str] = ()
    if group.kind == "team":
        also = list(known.above(name))[1:]
    elif group.inherits:
        also = sorted(known.below([name]))
    return (*group.sets, *(held for other in also for held in known.groups[other].sets))


def principals(holding: Holding, known: Directory) -> frozenset[str]:
    """Return all that a share may name and mean this person.

    A team means those of the teams in it too; a role means the roles above it too: whoever leads sees what is
    shared with those they lead.
    """
    found = {EVERYONE, f"user:{holding.user_id}"}
    roles = _of_kind(holding, known, "role")
    found |= {f"role:{name}" for name in (*roles, *known.below(roles))}
    found |= {f"team:{name}" for team in _of_kind(holding, known, "team") for name in known.above(team)}
    return frozenset(found)


def people(principal: str, known: Directory) -> tuple[UUID, ...] | None:
    """Return the people a principal means; None for everyone."""
    kind, _colon, name = principal.partition(":")
    if kind == "user":
        return (UUID(name),)
    if kind == "role":
        return known.members(known.above(name))
    if kind == "team":
        return known.members((name, *known.below([name])))
    return None if principal == EVERYONE else ()


def _of_kind(holding: Holding, known: Directory, kind: str) -> tuple[str, ...]:
    return tuple(n for n in holding.groups if n in known.groups and known.groups[n].kind == kind)


def _placed(grant: SetGrant, positions: frozenset[str]) -> SetGrant:
    """Return the set as it is for whoever holds these positions."""
    if all(p.positions is None or p.positions & positions for p in grant.policies):
        return grant
    policies = tuple(
        replace(p, applies=p.positions is None or bool(p.positions & positions)) for p in grant.policies
    )
    return replace(grant, policies=policies)


def _sharing(rule: RuleValue, known: Directory) -> Sharing:
    owners = people(rule.owners, known) if rule.owners else None
    return Sharing(rule.name, rule.object, rule.level, condition(rule.criteria), owners)


def _wall(value: WallValue) -> Wall:
    return Wall(
        value.name,
        value.object,
        frozenset(value.operations),
        frozenset(value.fields),
        condition(value.criteria),
    )


def _standing(value: WallValue, now: dt.datetime) -> bool:
    begun = value.valid_from is None or value.valid_from <= now
    return begun and (value.valid_until is None or value.valid_until > now)


def _circles(
    sets: tuple[SetGrant, ...], roles: tuple[str, ...], teams: tuple[str, ...], known: Directory
) -> dict[str, Any]:
    """Return the people in each circle that one of the sets reaches; nobody asks for the others."""
    wanted = {name for item in sets for scope in item.scopes.values() for name in (scope.read, scope.write)}
    found: dict[str, Any] = {}
    if "own_and_reports" in wanted:
        found["reports"] = list(known.members(known.below(roles)))
    if "unit" in wanted:
        found["unit"] = list(known.members(teams))
    if "unit_and_below" in wanted:
        found["unit_and_below"] = list(known.members({*teams, *known.below(teams)}))
    return found
