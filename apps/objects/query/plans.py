"""What a process remembers: the view an actor has of a tenant, and compiled statements by their content.

Outside a scope a query runs on the remembered view and asks the database for the clock in the same round
trip; when the clock has moved, the rows are thrown away and the query is asked again in a scope.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, TypeVar

import psycopg
from django.db import connections

from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.errors import Problem
from apps.core.scope import TenantRef, scope_of, tenant_scope
from apps.objects import catalog
from apps.objects.catalog import Catalog
from apps.objects.definitions import ObjectDef
from apps.objects.encryption import opening
from apps.objects.encryption.ring import Ring, rings
from apps.objects.query import cursor, refusals, statements, tree
from apps.objects.query.compiler import Compiler, Plan
from apps.permissions import access
from apps.permissions.access import Access
from apps.permissions.rights import Operation

T = TypeVar("T")
SIZE = 4_000


class Stale(Exception):
    """The remembered view is older than the database."""


@dataclass(slots=True)
class View:
    """A tenant as an actor sees it at `clock`; `checked` once the database confirmed that clock."""

    tenant: TenantRef
    catalog: Catalog
    access: Access
    clock: int | None = None
    checked: bool = True

    def read(
        self, plan: Plan, values: tuple[Any, ...], named: dict[str, Any], place: cursor.Values
    ) -> fast.FastRead:
        """Run a plan; raises `Stale` when the view is older than the database."""
        if plan.blind:
            values = opening.resolved(values, self)
        params = plan.bind(values, self.access.subject, named, place)
        try:
            read = fast.read(self.tenant, plan.sql, params)
        except psycopg.DataError as error:
            raise refusals.invalid_query("A value of the query is out of the database's range.") from error
        except psycopg.errors.QueryCanceled as error:
            message = "The query took too long."
            raise Problem("SERVICE_UNAVAILABLE", message, status=503, cure="Narrow the filter.") from error
        if self.clock is not None and read.clock != self.clock:
            raise Stale
        self.checked = True
        if plan.sealed:
            rows = [(self.opened(row[0]), *row[1:]) for row in read.rows]
            return replace(read, rows=rows)
        return read

    def ring(self) -> Ring:
        """Return the tenant's keys at this view's clock; raises `Stale` when this process does not remember them."""
        if self.clock is None:
            return rings.get()
        known = rings.peek(self.tenant.id)
        if known is None or known[0] != self.clock:
            raise Stale
        return known[1]

    def opened(self, text: str | None) -> str | None:
        """Return a record's JSON with its encrypted values opened."""
        return None if text is None else opening.opened(text, self.catalog.find, self)


def with_view(tenant: TenantRef, by: Actor, ask: Callable[[View], T]) -> T:
    """Return `ask(view)`; what a stale view answered or refused is asked again with a fresh one."""
    if standing_alone():
        view = remembered(tenant, by)
        if view is not None:
            try:
                return ask(view)
            except Stale:
                pass
            except (Problem, psycopg.Error):
                if view.checked:
                    raise
    with tenant_scope(tenant):
        return ask(View(tenant, catalog.catalog(), access.access_for(by)))


def standing_alone() -> bool:
    """Say whether a statement sent now would be a transaction of its own."""
    return scope_of() is None and not connections["default"].in_atomic_block


def remembered(tenant: TenantRef, by: Actor) -> View | None:
    """Return the view as this process last saw it, or None; its clock must be compared before it is believed."""
    objects = catalog.seen(tenant)
    rights = access.seen(by, tenant)
    if objects is None or rights is None:
        return None
    if rights[0] is not None and rights[0] != objects[0]:
        return None
    return View(tenant, objects[1], rights[1], objects[0], checked=False)


class _Plans:
    """Compiled statements, least recently used out first; a key holds all that the text depends on."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        """Return what `make` compiled for `key`, now or before; a key stands for one type."""
        found: T | None = self._plans.get(key)
        if found is not None:
            return found
        plan = make()
        with self._lock:
            self._plans[key] = plan
            while len(self._plans) > SIZE:
                self._plans.popitem(last=False)
        return plan

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._plans.clear()


cache = _Plans()


def key_of(view: View, *parts: Any) -> tuple[Any, ...]:
    """Return a cache key: tenant, definitions and rights by content, then what is asked."""
    return (view.tenant.id, view.catalog.fingerprint, view.access.grants.fingerprint, *parts)


def compiler(view: View, op: Operation = "read") -> Compiler:
    """Return a compiler for this view."""
    return Compiler(view.tenant, view.catalog, view.access, op)


def plan(view: View, obj: ObjectDef, shape: tree.Shape, op: Operation) -> Plan:
    """Return the compiled page (or groups) of a shape."""
    make = statements.groups if shape.aggregates else statements.page
    return cache.get(key_of(view, op, shape), lambda: make(compiler(view, op), obj, shape))


def total_plan(view: View, obj: ObjectDef, shape: tree.Shape, op: Operation, kind: tree.CountKind) -> Plan:
    """Return the compiled count, or question for an estimate, of a shape."""
    wanted = replace(shape, count=kind)
    make = statements.estimate if kind == "estimated" else statements.total
    return cache.get(key_of(view, "total", op, wanted), lambda: make(compiler(view, op), obj, wanted))


def record_plan(
    view: View, obj: ObjectDef, fields: tuple[str, ...] | None, expand: Sequence[tree.Expand]
) -> Plan:
    """Return the compiled statement of one record."""
    branches = tuple(expand)
    key = key_of(view, "record", obj.name, fields, branches)
    return cache.get(key, lambda: statements.record(compiler(view), obj, fields, branches))


def with_place(shape: tree.Shape, place: cursor.Values) -> tree.Shape:
    """Return the shape of the page after a place: which sort values are NULL decides the text."""
    return replace(shape, after=tuple(value is None for value in place))
