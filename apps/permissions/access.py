"""What an actor may do: the compiled union of the sets they hold, and the rules it means for records.

    access = access_for(actor)                    # in a tenant's scope; cached by the tenant's clock
    access.can("edit", definition)                # Allowed(reason) | Denied(reason): the object's bit
    access.predicate("read", definition)          # a Rule over records: rules.holds / rules.to_sql
    access.readable(definition), .editable(…)     # the names of fields
    access.require("create", definition)          # raises PermissionDenied
    access.require_system("manage_members")

Adding a set never takes a right away: an object right or field is granted when one of the sets grants it.
A set grants a field when it grants the object, does not say otherwise under `fields`, and the field itself
does not name other sets (`visible_to`, `editable_by`).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from apps.core.actor import Actor
from apps.core.clock import Clocked
from apps.core.errors import PermissionDenied
from apps.core.scope import TenantRef, current_tenant
from apps.identity.models import Membership
from apps.permissions import narrowing, rules
from apps.permissions.bodies import FULL, SYSTEM_PERMISSIONS, SetGrant, compiled, problems
from apps.permissions.builtin import BUILT_IN, ROLE_SETS
from apps.permissions.models import Assignment, PermissionSet
from apps.permissions.rights import NEEDED, Allowed, Answer, Bits, Denied, ObjectRights, Operation

logger = logging.getLogger("aibos.permissions")
Scopes = frozenset[str] | None
ALWAYS_READABLE = frozenset({"id"})
MOST_COMPILED = 2_000


@dataclass(frozen=True)
class ObjectAccess:
    """One object as one bundle of sets sees it; values only, shared by everybody with the same bundle."""

    bits: Bits
    readable: frozenset[str]
    editable: frozenset[str]
    masked: frozenset[str]
    rules: Mapping[str, rules.Rule]
    answers: Mapping[str, Answer]


@dataclass(frozen=True, eq=False)
class Grants:
    """A bundle of compiled sets, narrowed by scopes; `system` holds the system permissions.

    `fingerprint` names the content: everybody with the same rights shares one bundle and its compilations.
    """

    sets: tuple[SetGrant, ...]
    scopes: Scopes = None
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


def bundle(sets: tuple[SetGrant, ...], scopes: Scopes = None) -> Grants:
    """Return the union of `sets` narrowed by `scopes`; equal contents are one and the same bundle."""
    system = frozenset().union(*(item.system for item in sets)) if sets else frozenset()
    if scopes is not None:
        system &= narrowing.system_mask(scopes)
    content = sorted(_content(item) for item in sets), sorted(scopes) if scopes is not None else None
    fingerprint = blake2b(repr(content).encode(), digest_size=16).digest()
    found = _bundles.get(fingerprint)
    if found is None:
        found = _bundles[fingerprint] = Grants(sets, scopes, system, fingerprint)
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
    return grant.name, objects, fields, tuple(sorted(grant.system)), grant.full


def _compile(grants: Grants, obj: ObjectRights) -> ObjectAccess:
    mask = None if grants.scopes is None else narrowing.object_mask(grants.scopes, obj.name)
    total, readable, editable, clear = Bits.NONE, set(ALWAYS_READABLE), set(), set(ALWAYS_READABLE)
    for item in grants.sets:
        bits = item.bits(obj.name)
        if mask is not None:
            bits &= mask
        total |= bits
        says = item.fields.get(obj.name, {})
        if bits & Bits.READ:
            seen = {n for n, f in obj.all_fields.items() if _sees(item, says, n, f)}
            readable |= seen
            clear |= {n for n in seen if _unmasks(item, says, n, obj.all_fields[n])}
        if bits & (Bits.EDIT | Bits.CREATE):
            editable |= {n for n, f in obj.all_fields.items() if _edits(item, says, n, f)}
    made = {op: _rule(op, total, obj) for op in NEEDED}
    answers = {op: _answer(grants, op, total, obj) for op in NEEDED}
    masked = frozenset(readable - clear)
    # Who sees a mask could find the value by trying to write it: what stays equal changes nothing.
    return ObjectAccess(
        total, frozenset(readable), frozenset(editable & readable) - masked, masked, made, answers
    )


def _answer(grants: Grants, op: str, bits: Bits, obj: ObjectRights) -> Answer:
    granting = [item.name for item in grants.sets if item.bits(obj.name) & NEEDED[op]]
    if bits & NEEDED[op]:
        return Allowed(f"{op} on {obj.name} is granted by {', '.join(granting)}.")
    if granting:
        return Denied(f"The key's scopes do not include {op} on {obj.name}.", "scopes")
    return Denied(f"No permission set of the actor grants {op} on {obj.name}.", "object")


def _sees(item: SetGrant, says: Mapping[str, Any], name: str, declared: Any) -> bool:
    if item.full:
        return True
    if declared.visible_to is not None and item.name not in declared.visible_to:
        return False
    return says[name].readable if name in says else True


def _unmasks(item: SetGrant, says: Mapping[str, Any], name: str, declared: Any) -> bool:
    return item.full or declared.masking is None or (name in says and says[name].unmasked)


def _edits(item: SetGrant, says: Mapping[str, Any], name: str, declared: Any) -> bool:
    if item.full:
        return True
    if not _sees(item, says, name, declared):
        return False
    if declared.editable_by is not None and item.name not in declared.editable_by:
        return False
    return says[name].editable if name in says else True


def _rule(op: str, bits: Bits, obj: ObjectRights) -> rules.Rule:
    """Return which records `op` may touch: all, the actor's own, or none; never more than may be read."""
    if not bits & Bits.READ and op != "create":
        return rules.Never()
    if not bits & NEEDED[op]:
        return rules.Never()
    everything = Bits.VIEW_ALL if op in ("read", "export") else Bits.MODIFY_ALL
    if bits & everything or obj.owner_field is None or op == "create":
        return rules.Always()
    if op in ("read", "export") and obj.sharing_model in ("public_read", "public_read_write"):
        return rules.Always()
    if op == "edit" and obj.sharing_model == "public_read_write":
        return rules.Always()
    return rules.OwnerIs(rules.CURRENT_USER, obj.owner_field)


@dataclass(frozen=True)
class Access:
    """An actor's rights in one tenant. `user_id` is who `CURRENT_USER` stands for."""

    user_id: UUID | None
    grants: Grants
    reason: str = ""

    def can(self, op: Operation, obj: ObjectRights) -> Answer:
        """Answer for the object as a whole; records are a matter of `predicate`."""
        if not self.grants.sets:
            return Denied(self.reason or "The actor holds no permission set here.", "principal")
        return self.grants.on(obj).answers[op]

    def granting(self, op: Operation, obj: ObjectRights) -> list[str]:
        """Return the names of the sets that grant `op` on the object."""
        return [s.name for s in self.grants.sets if s.bits(obj.name) & NEEDED[op]]

    def predicate(self, op: Operation, obj: ObjectRights) -> rules.Rule:
        """Return the rule of the records that `op` may touch; `Never` when the object's bit is missing."""
        return self.grants.on(obj).rules[op]

    def readable(self, obj: ObjectRights) -> frozenset[str]:
        """Return the fields the actor may read, `id` always among them."""
        return self.grants.on(obj).readable

    def masked(self, obj: ObjectRights) -> frozenset[str]:
        """Return the readable fields whose values the actor sees through their masks only."""
        return self.grants.on(obj).masked

    def clear(self, obj: ObjectRights) -> frozenset[str]:
        """Return the fields whose values the actor may know: to filter, sort, group, search or see them of old."""
        found = self.grants.on(obj)
        return found.readable - found.masked

    def editable(self, obj: ObjectRights) -> frozenset[str]:
        """Return the fields the actor may write, readonly ones included (the records' service drops those)."""
        return self.grants.on(obj).editable

    def holds(self, op: Operation, obj: ObjectRights, record: Mapping[str, Any]) -> bool:
        """Say whether the rule of `op` is true of a record (column → value)."""
        return rules.holds(self.predicate(op, obj), record, user=self.user_id)

    def require(self, op: Operation, obj: ObjectRights) -> None:
        """Raise `PermissionDenied` with the reason unless `can(op, obj)`."""
        answer = self.can(op, obj)
        if not answer:
            code = "EXPORT_NOT_PERMITTED" if op == "export" else "PERMISSION_DENIED"
            raise PermissionDenied(answer.reason, code=code, details={"object": obj.name})

    def has_system(self, permission: str) -> bool:
        """Say whether the actor holds a system permission; an unknown name is nobody's."""
        return permission in self.grants.system and permission in SYSTEM_PERMISSIONS

    def require_system(self, permission: str) -> None:
        """Raise `PermissionDenied` unless the actor holds the system permission."""
        if not self.has_system(permission):
            raise PermissionDenied(
                f"This needs the permission {permission}.", details={"permission": permission}
            )

    def bind(self, params: Any) -> list[Any]:
        """Return the parameters of a predicate with the actor's id in place of `CURRENT_USER`."""
        return [self.user_id if value is rules.CURRENT_USER else value for value in params]


SYSTEM_ACCESS = Access(None, bundle((FULL,)))
OPERATOR_GRANTS = bundle((SetGrant("operator", {}, {}, frozenset(SYSTEM_PERMISSIONS)),))
NOBODY = bundle(())


def _load_sets() -> dict[str, SetGrant]:
    rows = PermissionSet.objects.values_list("name", "body")
    return {name: _trusted(name, body) for name, body in rows} | {n: b.grant for n, b in BUILT_IN.items()}


def _trusted(name: str, body: Any) -> SetGrant:
    """Return the compiled set; one whose stored body breaks the rules grants nothing, and is reported."""
    faults = problems(body)
    if faults:
        logger.error("permission set ignored", extra={"set": name, "faults": [f.as_dict() for f in faults]})
        return SetGrant(name)
    return compiled(name, body)


def _load_grants(key: tuple[UUID, Scopes]) -> tuple[Grants, str]:
    user_id, scopes = key
    found = Membership.objects.filter(tenant_id=current_tenant().id, user_id=user_id).values_list(
        "role", "state"
    )
    role, state = found.first() or (None, None)
    if role is None:
        return NOBODY, "The actor is not a member of this tenant."
    if state != "active":
        return NOBODY, "The actor's membership is suspended."
    names = dict.fromkeys(ROLE_SETS.get(role, ()))
    names |= dict.fromkeys(Assignment.objects.filter(user_id=user_id).values_list("set_name", flat=True))
    known = sets.get()
    return bundle(tuple(known[name] for name in names if name in known), scopes), ""


sets: Clocked[dict[str, SetGrant]] = Clocked(_load_sets)
grants: Clocked[tuple[Grants, str]] = Clocked(_load_grants)


def access_for(actor: Actor) -> Access:
    """Return the actor's rights in the tenant in force; an actor of another tenant has none."""
    tenant = current_tenant()
    special = _special(actor, tenant.id)
    if special is not None or actor.user_id is None:
        return special or Access(None, NOBODY, "The actor stands for no member.")
    held, reason = grants.get((actor.user_id, actor.scopes))
    return Access(actor.user_id, held, reason)


def seen(actor: Actor, tenant: TenantRef) -> tuple[int | None, Access] | None:
    """Return (clock, access) as this process last saw it, without a scope; the clock None never goes stale.

    Whoever uses it must compare the clock with what the database reports in the same statement.
    """
    special = _special(actor, tenant.id)
    if special is not None or actor.user_id is None:
        return None, special or Access(None, NOBODY, "The actor stands for no member.")
    hit = grants.peek(tenant.id, (actor.user_id, actor.scopes))
    return None if hit is None else (hit[0], Access(actor.user_id, *hit[1]))


def _special(actor: Actor, tenant_id: UUID) -> Access | None:
    if actor.kind == "system":
        return SYSTEM_ACCESS
    if actor.tenant_id is not None and actor.tenant_id != tenant_id:
        return Access(None, NOBODY, "The actor belongs to another tenant.")
    if actor.kind == "operator":
        return Access(actor.user_id, OPERATOR_GRANTS)
    return None
