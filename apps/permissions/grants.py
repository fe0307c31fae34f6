"""A bundle of rights, compiled: everybody with the same rights shares one bundle and its compilations.

A set grants a field when it grants the object, does not say otherwise under `fields`, and the field itself does
not name other sets (`visible_to`, `editable_by`). Adding a set never takes a right away; walls do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from weakref import WeakValueDictionary

from apps.permissions import narrowing, rules
from apps.permissions.bodies import SetGrant
from apps.permissions.policies import Sharing, Wall
from apps.permissions.reach import Reach, Sources
from apps.permissions.rights import NEEDED, Allowed, Answer, Bits, Denied, ObjectRights, Operation
from apps.permissions.rules import Fact, Rule

Scopes = frozenset[str] | None
ALWAYS_READABLE = frozenset({"id"})
MOST_COMPILED = 2_000


@dataclass(frozen=True)
class Around:
    """What concerns a person besides their sets: sharing rules, walls, and the objects that have shares at all."""

    sharing: tuple[Sharing, ...] = ()
    walls: tuple[Wall, ...] = ()
    shared: frozenset[str] = frozenset()


NOTHING = Around()


@dataclass(frozen=True)
class ObjectAccess:
    """One object as one bundle sees it; values only, shared by everybody with the same bundle.

    `after` holds what a record must be like once it is written; `facts` what the rules ask beyond the record.
    """

    bits: Bits
    readable: frozenset[str]
    editable: frozenset[str]
    masked: frozenset[str]
    reaches: Mapping[str, Reach]
    rules: Mapping[str, Rule]
    after: Mapping[str, Reach]
    facts: tuple[Fact, ...]
    answers: Mapping[str, Answer]


@dataclass(frozen=True, eq=False)
class Grants:
    """A bundle of compiled sets and what is around them, narrowed by scopes; `system` the system permissions.

    `fingerprint` names the content.
    """

    sets: tuple[SetGrant, ...]
    scopes: Scopes = None
    around: Around = NOTHING
    system: frozenset[str] = frozenset()
    fingerprint: bytes = b""
    compiled: dict[int, tuple[ObjectRights, ObjectAccess]] = field(default_factory=dict, repr=False)

    def on(self, obj: ObjectRights) -> ObjectAccess:
        """Return the rights on one object, compiled at the first question."""
        found = self.compiled.get(id(obj))
        if found is None or found[0] is not obj:
            if len(self.compiled) >= MOST_COMPILED:
                self.compiled.clear()
            found = self.compiled[id(obj)] = (obj, _compile(self, obj))
        return found[1]


_bundles: WeakValueDictionary[bytes, Grants] = WeakValueDictionary()


def bundle(sets: tuple[SetGrant, ...], scopes: Scopes = None, around: Around = NOTHING) -> Grants:
    """Return the union of `sets` narrowed by `scopes`; equal contents are one and the same bundle."""
    system = frozenset().union(*(item.system for item in sets)) if sets else frozenset()
    if scopes is not None:
        system &= narrowing.system_mask(scopes)
    content = (
        sorted(repr(_content(item)) for item in sets),
        sorted(scopes) if scopes is not None else None,
        sorted(map(repr, around.sharing)),
        sorted(
            repr((w.name, w.object, sorted(w.operations), sorted(w.fields), w.criteria)) for w in around.walls
        ),
        sorted(around.shared),
    )
    fingerprint = blake2b(repr(content).encode(), digest_size=16).digest()
    found = _bundles.get(fingerprint)
    if found is None:
        found = _bundles[fingerprint] = Grants(sets, scopes, around, system, fingerprint)
    return found


def _content(grant: SetGrant) -> tuple[Any, ...]:
    objects = tuple(sorted((name, int(bits)) for name, bits in grant.objects.items()))
    fields = tuple(
        sorted(
            (obj, name, g.readable, g.editable, g.unmasked)
            for obj, of in grant.fields.items()
            for name, g in of.items()
        )
    )
    scopes = tuple(sorted((name, scope.read, scope.write) for name, scope in grant.scopes.items()))
    policies = tuple(
        (p.name, p.object, tuple(sorted(p.operations)), repr(p.using), repr(p.check), p.applies)
        for p in grant.policies
    )
    return grant.name, objects, fields, tuple(sorted(grant.system)), grant.full, scopes, policies


def _compile(grants: Grants, obj: ObjectRights) -> ObjectAccess:
    mask = None if grants.scopes is None else narrowing.object_mask(grants.scopes, obj.name)
    total, held = Bits.NONE, []
    for item in grants.sets:
        bits = item.bits(obj.name)
        if mask is not None:
            bits &= mask
        total |= bits
        held.append((item, bits))
    around = grants.around
    sources = Sources(obj, held, around.sharing, around.walls, obj.name in around.shared)
    reaches = _reaches(sources)
    readable, editable, masked = _fields(sources)
    after = {
        "create": sources.after("create", owned=False),
        "edit": sources.after("edit", owned=True),
        "transfer": sources.after("transfer", owned=False),
    }
    every = (*reaches.values(), *after.values())
    return ObjectAccess(
        bits=total,
        readable=readable,
        editable=editable,
        masked=masked,
        reaches=reaches,
        rules={op: reach.rule for op, reach in reaches.items()},
        after=after,
        facts=tuple(dict.fromkeys(fact for reach in every for fact in rules.facts(reach.rule))),
        answers={op: _answer(grants, sources, op, total) for op in NEEDED},
    )


def _reaches(sources: Sources) -> dict[str, Reach]:
    """Return the reach of every operation: none but creating goes beyond what may be read."""
    reading = sources.reach("read")
    made: dict[str, Reach] = {"read": reading, "create": sources.reach("create")}
    for op in NEEDED:
        if op not in made:
            made[op] = sources.reach(op, reading.rule)
    return made


def _fields(sources: Sources) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the readable, the editable and the masked fields: what a set grants and no wall takes away."""
    obj, readable, editable, clear = sources.obj, set(ALWAYS_READABLE), set(), set(ALWAYS_READABLE)
    for item, bits in sources.sets:
        says = item.fields.get(obj.name, {})
        if bits & Bits.READ:
            seen = {n for n, f in obj.all_fields.items() if _sees(item, says, n, f)}
            readable |= seen
            clear |= {n for n in seen if _unmasks(item, says, n, obj.all_fields[n])}
        if bits & (Bits.EDIT | Bits.CREATE):
            editable |= {n for n, f in obj.all_fields.items() if _edits(item, says, n, f)}
    for wall in sources.walls:
        if wall.object == obj.name and wall.fields:
            editable -= wall.fields
            if "read" in wall.operations:
                readable -= wall.fields - ALWAYS_READABLE
    # A formula tells of what it reads, so only those see it who see all of that, and not through a mask.
    readable -= {n for n in readable if not _sources(obj, n) <= readable & clear}
    masked = frozenset(readable - clear)
    # Who sees a mask could find the value by trying to write it: what stays equal changes nothing.
    return frozenset(readable), frozenset(editable & readable) - masked, masked


def _sources(obj: ObjectRights, name: str) -> frozenset[str]:
    """Return the fields that a computed field tells of; a stored one tells of none but itself."""
    found: frozenset[str] = getattr(obj.all_fields.get(name), "reads", frozenset())
    return found


def _unmasks(item: SetGrant, says: Mapping[str, Any], name: str, declared: Any) -> bool:
    return item.full or declared.masking is None or (name in says and says[name].unmasked)


def _sees(item: SetGrant, says: Mapping[str, Any], name: str, declared: Any) -> bool:
    if item.full:
        return True
    if declared.visible_to is not None and item.name not in declared.visible_to:
        return False
    return says[name].readable if name in says else True


def _edits(item: SetGrant, says: Mapping[str, Any], name: str, declared: Any) -> bool:
    if item.full:
        return True
    if not _sees(item, says, name, declared):
        return False
    if declared.editable_by is not None and item.name not in declared.editable_by:
        return False
    return says[name].editable if name in says else True


def _answer(grants: Grants, sources: Sources, op: Operation, bits: Bits) -> Answer:
    name = sources.obj.name
    granting = [item.name for item in grants.sets if item.bits(name) & NEEDED[op]]
    wall = sources.denying(op)
    if wall is not None and granting:
        return Denied(f"The restriction {wall.name} denies {op} on {name}.", "restriction")
    if bits & NEEDED[op]:
        return Allowed(f"{op} on {name} is granted by {', '.join(granting)}.")
    if granting:
        return Denied(f"The key's scopes do not include {op} on {name}.", "scopes")
    return Denied(f"No permission set of the actor grants {op} on {name}.", "object")
