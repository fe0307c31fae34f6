"""What if: the rights that a proposed grant would give, who would gain by it, and the smallest that would do.

Nothing is written: the grant is added to what a person holds as a value, and the compiler answers as always.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from apps.core.errors import FieldError, Invalid
from apps.permissions import rules
from apps.permissions.access import Access, of_rights
from apps.permissions.bodies import compiled
from apps.permissions.builtin import EMERGENCY
from apps.permissions.directory import Directory, Holding, directory, load_holding
from apps.permissions.holdings import principals, rights_of
from apps.permissions.reach import LEVELS
from apps.permissions.rights import NEEDED, ObjectRights, Operation
from apps.permissions.rules import SharedWith

Record = Mapping[Any, Any]
Look = Callable[[Access], Record | None]
Kind = Literal["assign", "join", "give", "share", "new_set"]
KINDS: tuple[Kind, ...] = ("assign", "join", "give", "share")
FRESH = "proposed"
BITS: Mapping[str, str] = {op: "allow" + op.capitalize() for op in NEEDED}
MOST_SUGGESTIONS = 5


@dataclass(frozen=True)
class Proposal:
    """A grant that nobody made yet.

    assign: the set `name` to `user_id`. join: `user_id` to the role or team `name`. give: the set `name` to the
    role or team `group`. share: the record with `principal` at `level`. new_set: a set that allows `name`, an
    operation, to `user_id`.
    """

    kind: Kind
    name: str = ""
    user_id: UUID | None = None
    group: str = ""
    principal: str = ""
    level: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form."""
        made = {"kind": self.kind, "name": self.name, "group": self.group, "principal": self.principal}
        made = {key: value for key, value in made.items() if value}
        if self.user_id is not None:
            made["userId"] = str(self.user_id)
        return made | ({"level": self.level} if self.kind == "share" else {})


@dataclass(frozen=True)
class Suggestion:
    """A grant that would do; `cost` counts all it gives beyond what was asked for."""

    proposal: Proposal
    cost: int


def check(proposal: Proposal) -> None:
    """Raise `Invalid` when the proposal names a set, a role or a team that is not there."""
    known, errors = directory.get(), []
    if proposal.kind in ("assign", "give") and proposal.name not in known.sets:
        errors.append(FieldError("name", "reference_not_found", f"There is no set {proposal.name[:64]!r}."))
    for path, group in (
        ("name", proposal.name if proposal.kind == "join" else ""),
        ("group", proposal.group),
    ):
        if group and group not in known.groups:
            errors.append(
                FieldError(path, "reference_not_found", f"There is no role or team {group[:64]!r}.")
            )
    if errors:
        raise Invalid(errors[0].message, errors)


def access_with(user_id: UUID, proposal: Proposal | None, obj: ObjectRights) -> Access:
    """Return somebody's rights as they are, or as they would be."""
    holding, known = load_holding(user_id), directory.get()
    if proposal is not None:
        holding, known = _with(holding, known, proposal, obj)
    return of_rights(rights_of(holding, known))


def allows(
    access: Access, op: Operation, obj: ObjectRights, record: Record | None, proposal: Proposal | None
) -> bool:
    """Say whether rights reach a record (or, without one, the object), counting a proposed share."""
    if not access.can(op, obj):
        return False
    if record is None:
        return not isinstance(access.predicate(op, obj), rules.Never)
    if (
        proposal is not None
        and proposal.kind == "share"
        and proposal.principal in access.facts.get("principals", ())
    ):
        granted = {SharedWith(obj.name, level): True for level in range(1, proposal.level + 1)}
        record = {**record, **granted}
    return access.holds(op, obj, record)


def gains(
    proposal: Proposal, op: Operation, obj: ObjectRights, look: Look, people: Iterable[UUID]
) -> list[UUID]:
    """Return those of the people who may not do it now and could after the grant.

    `look` returns the record with the facts that the given rights ask for, or None when no record is meant.
    """
    found = []
    for user_id in people:
        now, then = access_with(user_id, None, obj), access_with(user_id, proposal, obj)
        may = allows(now, op, obj, look(now), None)
        if not may and allows(then, op, obj, look(then), proposal):
            found.append(user_id)
    return found


def suggest(
    user_id: UUID, op: Operation, obj: ObjectRights, look: Look, objects: Sequence[ObjectRights]
) -> list[Suggestion]:
    """Return the grants that would allow it, the smallest first; each was tried with the compiler."""
    now = access_with(user_id, None, obj)
    found = []
    for proposal in _candidates(user_id, op, obj, meant=look(now) is not None):
        then = access_with(user_id, proposal, obj)
        if allows(then, op, obj, look(then), proposal):
            found.append(Suggestion(proposal, cost(now, then, objects) if proposal.kind != "share" else 1))
    found.sort(key=lambda item: (item.cost, item.proposal.kind, item.proposal.name))
    return found[:MOST_SUGGESTIONS]


def cost(now: Access, then: Access, objects: Sequence[ObjectRights]) -> int:
    """Return how much more the second rights are than the first: operations, records, fields, system rights."""
    more = 3 * len(then.grants.system - now.grants.system)
    for obj in objects:
        for op in NEEDED:
            more += max(0, width(then.predicate(op, obj)) - width(now.predicate(op, obj)))
        more += len(then.readable(obj) - now.readable(obj)) + len(then.editable(obj) - now.editable(obj))
    return more


def width(rule: rules.Rule) -> int:
    """Return how much a rule lets through at a glance: nothing 0, some 2, everything 8."""
    return {rules.Never: 0, rules.Always: 8}.get(type(rule), 2)


def _candidates(user_id: UUID, op: Operation, obj: ObjectRights, *, meant: bool) -> Iterator[Proposal]:
    known, holding = directory.get(), load_holding(user_id)
    if meant and op in LEVELS:
        yield Proposal("share", principal=f"user:{user_id}", level=LEVELS[op])
    for name in known.groups:
        if name not in holding.groups:
            yield Proposal("join", name, user_id)
    for name in known.sets:
        if name not in holding.assigned and name != EMERGENCY.name:
            yield Proposal("assign", name, user_id)
    yield Proposal("new_set", op, user_id)


def _with(
    holding: Holding, known: Directory, proposal: Proposal, obj: ObjectRights
) -> tuple[Holding, Directory]:
    if proposal.kind == "share":
        return holding, replace(known, shared=known.shared | {obj.name})
    if proposal.kind == "give":
        group = known.groups[proposal.group]
        given = replace(group, sets=(*group.sets, proposal.name))
        return holding, replace(known, groups={**known.groups, group.name: given})
    if holding.user_id != proposal.user_id:
        return holding, known
    if proposal.kind == "join":
        return replace(holding, groups=(*holding.groups, proposal.name)), known
    if proposal.kind == "assign":
        return replace(holding, assigned=(*holding.assigned, proposal.name)), known
    body = {"objects": {obj.name: {"allowRead": True, BITS[proposal.name]: True}}}
    fresh = replace(known, sets={**known.sets, FRESH: compiled(FRESH, body)})
    return replace(holding, assigned=(*holding.assigned, FRESH)), fresh


def covered(user_id: UUID, principal: str) -> bool:
    """Say whether a principal means this person."""
    return principal in principals(load_holding(user_id), directory.get())
