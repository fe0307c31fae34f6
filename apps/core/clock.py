"""Clocks: how every process knows at once that a cached fact is stale.

Whoever changes what others cache (definitions, rights, hosts, credentials) moves the tenant's clock in the
same transaction. Every scope entry reads it, so no cache is older than the transaction that uses it.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, Literal, TypeVar
from uuid import UUID

from apps.core.db.here import here
from apps.core.ids import NIL
from apps.core.scope import Scope, current_scope

T = TypeVar("T")

MOVE = """
INSERT INTO public.tenant_clock (key, ticks) VALUES (%s, 1)
ON CONFLICT (key) DO UPDATE SET ticks = tenant_clock.ticks + 1
"""


def bump(tenant_id: UUID | None) -> None:
    """Move the clock of a tenant, or of the platform (None); takes effect with the transaction."""
    connection = here()
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [tenant_id or NIL])
    connection.moved_clocks.add(tenant_id or NIL)


class Clocked(Generic[T]):
    """A cache of this process whose values are as fresh as the scope that asks.

    `loader(key)` runs inside the scope. A transaction that moved the clock itself bypasses the cache, so that
    nothing uncommitted is ever kept.
    """

    def __init__(
        self, loader: Callable[..., T], *, of: Literal["tenant", "platform"] = "tenant", size: int = 4096
    ) -> None:
        self._loader = loader
        self._of = of
        self._size = size
        self._values: OrderedDict[tuple[UUID, Hashable], tuple[int, T]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable = None, scope: Scope | None = None) -> T:
        """Return the value of `key` at the scope's clock, loading it when the cached one is older."""
        scope = scope or current_scope()
        owner, tick = self._now(scope)
        if owner in here().moved_clocks:
            return self._load(key)
        slot = (owner, key)
        hit = self._values.get(slot)
        if hit is not None and hit[0] == tick:
            return hit[1]
        value = self._load(key)
        self._keep(slot, tick, value)
        return value

    def peek(self, tenant_id: UUID | None, key: Hashable = None) -> tuple[int, T] | None:
        """Return (tick, value) as last seen, without a scope; compare the tick with what the read reports."""
        return self._values.get((tenant_id or NIL, key))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()

    def _load(self, key: Hashable) -> T:
        return self._loader() if key is None else self._loader(key)

    def _now(self, scope: Scope) -> tuple[UUID, int]:
        if self._of == "platform" or scope.tenant is None:
            return NIL, scope.platform_clock
        return scope.tenant.id, scope.clock

    def _keep(self, slot: tuple[UUID, Hashable], tick: int, value: T) -> None:
        with self._lock:
            self._values[slot] = (tick, value)
            self._values.move_to_end(slot)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
