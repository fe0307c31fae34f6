"""Which records an operation may touch: what sets and shares open (OR), within what walls leave (AND).

    reach.rule = one of the sets:  (its openings, OR)  AND  (its policies, OR)
                 AND every wall    AND what may be read

Every part keeps its name, so that `explain` tells what decided from the very values that decide.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from apps.permissions import rules
from apps.permissions.bodies import SetGrant
from apps.permissions.conditions import lowered
from apps.permissions.lowering import NotLowerable
from apps.permissions.policies import Condition, Sharing, Wall
from apps.permissions.rights import NEEDED, Bits, ObjectRights, Operation
from apps.permissions.rules import CURRENT_USER, Always, Mine, Never, Rule

logger = logging.getLogger("aibos.permissions")
ANY_OBJECT = "*"
CONTROLLED = "controlled_by_parent"
EVERYTHING: Rule = Always()
READING: frozenset[Operation] = frozenset({"read", "export"})
# The level that a share or a sharing rule must have to open records for an operation.
LEVELS: Mapping[Operation, int] = MappingProxyType({"read": 1, "export": 1, "edit": 2, "delete": 3})
CIRCLES: Mapping[str, Mine] = MappingProxyType(
    {"own_and_reports": Mine("reports"), "unit": Mine("unit"), "unit_and_below": Mine("unit_and_below")}
)


@dataclass(frozen=True)
class Clause:
    """One named part of a reach. `layer` is where it comes from, `source` its name there."""

    layer: str
    source: str
    rule: Rule


@dataclass(frozen=True)
class SetReach:
    """What one set opens for an operation; `policies` None when the set has none for it."""

    name: str
    openings: tuple[Clause, ...]
    policies: tuple[Clause, ...] | None = None

    @property
    def rule(self) -> Rule:
        """Return what the set opens, within its policies."""
        opened = rules.disjunction([clause.rule for clause in self.openings])
        return rules.conjunction([opened, self.bounds])

    @property
    def bounds(self) -> Rule:
        """Return what the set's policies leave."""
        if self.policies is None:
            return Always()
        return rules.disjunction([clause.rule for clause in self.policies])


@dataclass(frozen=True)
class Reach:
    """All that decides about an operation's records; `within` is the rule of reading, which none exceeds."""

    sets: tuple[SetReach, ...]
    walls: tuple[Clause, ...] = ()
    within: Rule = EVERYTHING

    @cached_property
    def rule(self) -> Rule:
        """Return the rule of the records."""
        opened = rules.disjunction([item.rule for item in self.sets])
        bounds = [clause.rule for clause in self.walls]
        if not rules.implies(rules.conjunction([opened, *bounds]), self.within):
            bounds.append(self.within)
        return rules.conjunction([opened, *bounds])


@dataclass(frozen=True)
class Sources:
    """What reaches are made of, for one bundle of rights on one object; `bits` are the sets' own, masked."""

    obj: ObjectRights
    sets: Sequence[tuple[SetGrant, Bits]]
    sharing: Sequence[Sharing]
    walls: Sequence[Wall]
    shared: bool

    def reach(self, op: Operation, within: Rule = EVERYTHING) -> Reach:
        """Return what may be touched by an operation as the record is."""
        made = [
            SetReach(item.name, tuple(self._openings(item, bits, op)), self._policies(item, op))
            for item, bits in self.sets
            if bits & NEEDED[op]
        ]
        return Reach(tuple(made), self._walls(op), within)

    def after(self, op: Operation, *, owned: bool) -> Reach:
        """Return what a record must be like after it was written; `owned` asks the openings too."""
        made = []
        for item, bits in self.sets:
            if bits & NEEDED[op]:
                openings = tuple(self._openings(item, bits, op)) if owned else (_all("object"),)
                made.append(SetReach(item.name, openings, self._policies(item, op, written=True)))
        walls = dict.fromkeys((*self._walls(op), *self._walls("read")))
        return Reach(tuple(made), tuple(walls))

    def denying(self, op: Operation) -> Wall | None:
        """Return the wall that denies an operation altogether."""
        return next((wall for wall in self._standing(op) if wall.criteria is None), None)

    def _openings(self, item: SetGrant, bits: Bits, op: Operation) -> Iterator[Clause]:
        obj, owner = self.obj, self.obj.owner_field
        everything = Bits.VIEW_ALL if op in READING else Bits.MODIFY_ALL
        if op == "create":
            yield _all("object")
        elif owner is None and obj.sharing_model != CONTROLLED:
            yield _all("owd_baseline")
        elif bits & everything:
            yield _all("vama_bypass", item.name)
        elif obj.sharing_model == CONTROLLED or owner is None:
            yield self._controlled(op)
        elif _public(obj.sharing_model, op):
            yield _all("owd_baseline", obj.sharing_model)
        else:
            yield Clause("owd_baseline", obj.sharing_model, rules.OwnerIs(CURRENT_USER, owner))
            yield from self._circle(item, op, owner)
            yield from self._shared(op, owner)

    def _controlled(self, op: Operation) -> Clause:
        """Return the rule of a part: who may read the whole may read it, who may edit the whole may change it."""
        field = self.obj.master
        rule = rules.MasterAllows(field.reference, field.name, "read" if op in READING else "edit")
        return Clause("owd_baseline", CONTROLLED, rule)

    def _circle(self, item: SetGrant, op: Operation, owner: str) -> Iterator[Clause]:
        scope = item.scope(self.obj.name)
        name = scope.read if op in READING else scope.write
        if name in CIRCLES:
            yield Clause("depth", name, rules.FieldIn(owner, CIRCLES[name]))

    def _shared(self, op: Operation, owner: str) -> Iterator[Clause]:
        level = LEVELS.get(op)
        if level is None:
            return
        for found in self.sharing:
            if found.object == self.obj.name and found.level >= level:
                owners = Always() if found.owners is None else rules.FieldIn(owner, found.owners)
                criteria = self.lowered(found.criteria, f"sharing rule {found.name}")
                yield Clause("sharing_rule", found.name, rules.conjunction([owners, criteria]))
        if self.shared:
            yield Clause("share", "", rules.SharedWith(self.obj.name, level))

    def _policies(self, item: SetGrant, op: Operation, *, written: bool = False) -> tuple[Clause, ...] | None:
        """Return the set's policies for an operation, each with the condition it has before or after writing."""
        mine = [p for p in item.policies if p.object in (self.obj.name, ANY_OBJECT) and op in p.operations]
        if not mine:
            return None
        made = []
        for policy in mine:
            condition = policy.written if written or op == "create" else policy.using
            where = f"policy {policy.name} of {item.name}"
            rule = self.lowered(condition, where) if policy.applies else Never()
            made.append(Clause("rls", f"{item.name}.{policy.name}", rule))
        return tuple(made)

    def _walls(self, op: Operation) -> tuple[Clause, ...]:
        return tuple(
            Clause(
                "restriction",
                wall.name,
                Never() if wall.criteria is None else self.lowered(wall.criteria, f"restriction {wall.name}"),
            )
            for wall in self._standing(op)
        )

    def _standing(self, op: Operation) -> Iterator[Wall]:
        for wall in self.walls:
            if wall.object in (self.obj.name, ANY_OBJECT) and op in wall.operations and not wall.fields:
                yield wall

    def lowered(self, condition: Condition | None, where: str) -> Rule:
        """Return the rule of a condition; one that has none is true of no record, and reported."""
        try:
            return lowered(condition, self.obj.all_fields)
        except NotLowerable as error:
            details = {"object": self.obj.name, "rule": where, "fault": str(error)}
            logger.error("record rule matches no record", extra=details)  # noqa: TRY400 - the fault says it all
            return Never()


def _all(layer: str, source: str = "") -> Clause:
    return Clause(layer, source, Always())


def _public(model: str, op: Operation) -> bool:
    if op in READING:
        return model in ("public_read", "public_read_write")
    return op == "edit" and model == "public_read_write"
