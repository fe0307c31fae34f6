"""One call of a record service: tenant, definitions, rights and actor, and the way to run a statement."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from django.db import transaction

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.errors import PermissionDenied, Problem
from apps.core.scope import TenantRef, current_tenant, scope_of, tenant_scope
from apps.objects import catalog
from apps.objects.catalog import Catalog
from apps.objects.definitions import ObjectDef
from apps.objects.encryption import opening
from apps.objects.encryption.ring import Ring, rings
from apps.objects.kinds import AcceptContext, kind_of
from apps.objects.query import plans, refusals
from apps.objects.query.compiler import Compiler, Plan
from apps.objects.query.plans import View
from apps.objects.query.run import as_id
from apps.objects.records.faults import problem_of
from apps.permissions.access import Access, access_for
from apps.permissions.rights import Denied, Operation

T = TypeVar("T")


Clocks = tuple[int, int]


class Swerve(Exception):
    """A signal: what was begun in one go must be done in a transaction; nothing has been written."""


class Unsure(Exception):
    """A signal: nothing has been written, since the actor may not be who they were; ask again and come back."""


@dataclass(frozen=True)
class Call:
    """What one service call works with; `now` is cut to milliseconds, as every instant here is.

    `clock` is None within a transaction. Otherwise the call runs in one go: each statement stands alone, is
    believed only while the tenant's clock stands at `clock`, and whatever is not plain sailing swerves. With
    `platform_clock` the platform's clock must stand there as well.
    """

    tenant: TenantRef
    catalog: Catalog
    access: Access
    obj: ObjectDef
    by: Actor
    zone: dt.tzinfo | None = None
    now: dt.datetime = field(default_factory=lambda: milliseconds(dt.datetime.now(dt.UTC)))
    clock: int | None = None
    platform_clock: int | None = None

    @property
    def context(self) -> AcceptContext:
        """What kinds may know while they judge a value."""
        return AcceptContext(self.access.user_id, self.zone, self.now)

    @property
    def user_id(self) -> UUID | None:
        return self.access.user_id

    def on(self, obj: ObjectDef) -> "Call":
        """Return the same call on another object."""
        return Call(self.tenant, self.catalog, self.access, obj, self.by, self.zone, self.now)

    def run(self, text: bytes, params: Sequence[Any], *, writes: bool = False) -> list[tuple[Any, ...]]:
        """Run a statement; what the database refuses becomes a `Problem`, or a `Swerve` in one go.

        A statement that writes in one go compares the clock itself, before anything is committed.
        """
        try:
            read = fast.read(self.tenant, text, params, writes=writes)
        except psycopg.Error as error:
            if self.clock is not None and not isinstance(error, psycopg.OperationalError):
                raise (lost(error) or Swerve) from error
            problem = problem_of(self.obj, error)
            if problem is None:
                raise
            raise problem from error
        if self.clock is not None and not writes and self._is_behind(read):
            raise Swerve
        return read.rows

    def _is_behind(self, read: fast.FastRead) -> bool:
        moved = self.platform_clock is not None and read.platform_clock != self.platform_clock
        return moved or read.clock != self.clock

    def ring(self) -> Ring:
        """Return the tenant's keys; in one go only those remembered at the call's clock."""
        if self.clock is None:
            return rings.get()
        known = rings.peek(self.tenant.id)
        if known is None or known[0] != self.clock:
            raise Swerve
        return known[1]

    def opened(self, plan: Plan, text: str) -> str:
        """Return the JSON that a plan answered with its encrypted values opened."""
        return opening.opened(text, self.catalog.find, self) if plan.sealed else text

    def view(self) -> View:
        """Return the view that compiled statements are kept by."""
        return View(self.tenant, self.catalog, self.access)

    def compiler(self) -> Compiler:
        """Return a fresh compiler."""
        return plans.compiler(self.view())

    def target(self, record_id: Any) -> str:
        """Return how the ledger and events name a record."""
        return f"{self.obj.name}:{record_id}"

    def require(self, op: Operation, record_id: Any = None) -> None:
        """Refuse, and write the refusal into the ledger, unless the object's bit allows `op`."""
        answer = self.access.can(op, self.obj)
        if isinstance(answer, Denied):
            self.deny(op, answer.reason, record_id)

    def deny(self, op: str, reason: str, record_id: Any = None) -> None:
        """Write the refusal into the ledger and raise 403."""
        if self.clock is not None:
            raise Swerve
        target = self.target(record_id) if record_id else f"object:{self.obj.name}"
        ledger.denied(f"{self.obj.name}.{op}", by=self.by, reason=reason, target=target)
        raise PermissionDenied(reason, details={"object": self.obj.name})

    def id_of(self, raw: Any) -> UUID:
        """Return a record's id; what cannot be one is a record that does not exist."""
        return as_id(self.obj, raw)


def lost(error: psycopg.Error) -> Problem | None:
    """Return the refusal of a write that was sent twice, because the connection broke after the first."""
    if isinstance(error, psycopg.errors.UniqueViolation) and str(error.diag.constraint_name).endswith(
        "_pkey"
    ):
        message = "The connection to the database was lost while writing; the record was made."
        return Problem("SERVICE_UNAVAILABLE", message, status=503)
    return None


def milliseconds(moment: dt.datetime) -> dt.datetime:
    """Return the instant cut to milliseconds: what the wire shows is what is stored."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def in_one_go(
    name: str,
    work: Callable[[Call], T],
    *,
    by: Actor,
    tenant: TenantRef | None,
    zone: dt.tzinfo | None = None,
    seen: Clocks | None = None,
) -> T | None:
    """Return `work(call)` on what this process remembers, without a transaction around it.

    None means that it must be done in one: inside a scope, with nothing remembered, or when it swerved. `seen`
    are the clocks (tenant, platform) at which the actor was last known to be who they are; with them nothing is
    done unless both still stand there, and `Unsure` is raised in place of None.
    """
    done = _in_one_go(name, work, by, tenant, zone, seen)
    if done is None and seen is not None:
        raise Unsure
    return done


def _in_one_go(
    name: str,
    work: Callable[[Call], T],
    by: Actor,
    tenant: TenantRef | None,
    zone: dt.tzinfo | None,
    seen: Clocks | None,
) -> T | None:
    if tenant is None or not plans.standing_alone():
        return None
    view = plans.remembered(tenant, by)
    obj = view.catalog.find(name) if view is not None else None
    if view is None or obj is None or (seen is not None and seen[0] != view.clock):
        return None
    platform_clock = seen[1] if seen else None
    try:
        return work(
            Call(
                tenant,
                view.catalog,
                view.access,
                obj,
                by,
                zone,
                clock=view.clock,
                platform_clock=platform_clock,
            )
        )
    except Swerve:
        return None
    except Problem as problem:
        if problem.status >= 500:
            raise
        return None


@contextmanager
def opened(
    name: str, *, by: Actor, tenant: TenantRef | None, zone: dt.tzinfo | None = None
) -> Iterator[Call]:
    """Open the transaction of one call: a savepoint in the scope in force, else the tenant's own scope."""
    here = tenant or current_tenant()
    scope = scope_of()
    if scope is not None and scope.tenant is not None and scope.tenant.id == here.id:
        with transaction.atomic():
            yield _call(name, here, by, zone)
        return
    with tenant_scope(here):
        yield _call(name, here, by, zone)


def _call(name: str, tenant: TenantRef, by: Actor, zone: dt.tzinfo | None) -> Call:
    known = catalog.catalog()
    obj = known.find(name)
    if obj is None:
        raise refusals.no_object(name)
    return Call(tenant, known, access_for(by), obj, by, zone)


def plain_values(call: Call, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as the wire shows them, exact numbers as Decimal."""
    return {name: wire(call.obj, name, value) for name, value in values.items()}


def wire(obj: ObjectDef, name: str, value: Any) -> Any:
    """Return one value as the wire shows it."""
    found = obj.all_fields[name]
    return kind_of(found).python_json(found, value)
