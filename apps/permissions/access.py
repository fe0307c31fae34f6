"""What an actor may do: the compiled union of the sets they hold, and the rules it means for records.

    access = access_for(actor)                    # in a tenant's scope; cached by the tenant's clock
    access.can("edit", definition)                # Allowed(reason) | Denied(reason): the object's bit
    access.predicate("read", definition)          # a Rule over records: rules.holds / rules.to_sql
    access.readable(definition), .editable(…)     # the names of fields
    access.require("create", definition)          # raises PermissionDenied
    access.require_system("manage_members")

    access.holds_after("edit", definition, row)   # what a record must be like once it is written

Adding a set never takes a right away: an object right or field is granted when one of the sets grants it.
Restrictions do: they are walls that no set, share or rule can widen.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any
from uuid import UUID

from apps.core.actor import Actor
from apps.core.clock import Clocked
from apps.core.errors import PermissionDenied
from apps.core.scope import TenantRef, current_tenant
from apps.permissions import rules
from apps.permissions.bodies import FULL, SYSTEM_PERMISSIONS, SetGrant
from apps.permissions.directory import directory, load_holding
from apps.permissions.grants import Grants, Scopes, bundle
from apps.permissions.holdings import NOBODY, Rights, rights_of
from apps.permissions.rights import NEEDED, Answer, Denied, ObjectRights, Operation


@dataclass(frozen=True)
class Access:
    """An actor's rights in one tenant. `user_id` and `facts` are what `CURRENT_USER` and `Mine` stand for."""

    user_id: UUID | None
    grants: Grants
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def subject(self) -> rules.Subject:
        """Who asks, as rules see them."""
        return rules.Subject(self.user_id, self.facts)

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

    def holds(self, op: Operation, obj: ObjectRights, record: Mapping[Any, Any]) -> bool:
        """Say whether the rule of `op` is true of a record (column or fact → value)."""
        return rules.holds(self.predicate(op, obj), record, self.subject)

    def holds_after(self, op: Operation, obj: ObjectRights, record: Mapping[Any, Any]) -> bool:
        """Say whether a record may be left like this by `create`, `edit` or `transfer`."""
        return rules.holds(self.grants.on(obj).after[op].rule, record, self.subject)

    def asked(self, obj: ObjectRights) -> tuple[rules.Fact, ...]:
        """Return what the rules of the object ask beyond the record; `holds` finds the answers in the record."""
        return self.grants.on(obj).facts

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
        """Return the parameters of a predicate with the actor's facts in their places."""
        return [self.subject.bound(value) for value in params]


SYSTEM_ACCESS = Access(None, bundle((FULL,)))
OPERATOR_GRANTS = bundle((SetGrant("operator", {}, {}, frozenset(SYSTEM_PERMISSIONS)),))


def _load_rights(key: tuple[UUID, Scopes, int]) -> Access:
    user_id, scopes, _epoch = key
    return of_rights(rights_of(load_holding(user_id), directory.get(), scopes))


def of_rights(held: Rights) -> Access:
    """Return what rights allow."""
    return Access(held.subject.id, held.grants, held.reason, held.subject.facts)


rights: Clocked[Access] = Clocked(_load_rights)


def access_for(actor: Actor) -> Access:
    """Return the actor's rights in the tenant in force; an actor of another tenant has none."""
    tenant = current_tenant()
    special = _special(actor, tenant.id)
    if special is not None or actor.user_id is None:
        return special or Access(None, NOBODY, "The actor stands for no member.")
    epoch = directory.get().epoch(dt.datetime.now(dt.UTC))
    return rights.get((actor.user_id, actor.scopes, epoch))


def seen(actor: Actor, tenant: TenantRef) -> tuple[int | None, Access] | None:
    """Return (clock, access) as this process last saw it, without a scope; the clock None never goes stale.

    Whoever uses it must compare the clock with what the database reports in the same statement.
    """
    special = _special(actor, tenant.id)
    if special is not None or actor.user_id is None:
        return None, special or Access(None, NOBODY, "The actor stands for no member.")
    known = directory.peek(tenant.id)
    if known is None:
        return None
    epoch = known[1].epoch(dt.datetime.now(dt.UTC))
    hit = rights.peek(tenant.id, (actor.user_id, actor.scopes, epoch))
    return None if hit is None or hit[0] != known[0] else hit


def _special(actor: Actor, tenant_id: UUID) -> Access | None:
    if actor.kind == "system":
        return SYSTEM_ACCESS
    if actor.tenant_id is not None and actor.tenant_id != tenant_id:
        return Access(None, NOBODY, "The actor belongs to another tenant.")
    if actor.kind == "operator":
        return Access(actor.user_id, OPERATOR_GRANTS)
    return None
