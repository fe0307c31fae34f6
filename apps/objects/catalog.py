"""The objects of the current tenant, as fresh as the scope that asks."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from threading import Lock
from types import MappingProxyType
from typing import Any

from apps.core.clock import Clocked
from apps.core.errors import NotFound
from apps.core.scope import Scope, TenantRef
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.models import Definition
from apps.objects.parse import DefinitionErrors, load_body

logger = logging.getLogger("aibos.objects")
Referrer = tuple[ObjectDef, FieldDef]
READ_LIMIT = 20_000


@dataclass(frozen=True)
class Catalog:
    """All active objects by name. `broken` holds those whose stored definition can no longer be read."""

    objects: Mapping[str, ObjectDef]
    broken: Mapping[str, DefinitionErrors] = field(default_factory=dict)

    def object(self, name: str) -> ObjectDef:
        """Return the object; raises `NotFound` with OBJECT_NOT_FOUND."""
        found = self.objects.get(name)
        if found is None:
            message = f"There is no object named {name}."
            raise NotFound(message, code="OBJECT_NOT_FOUND", details={"object": name})
        return found

    def find(self, name: str) -> ObjectDef | None:
        return self.objects.get(name)

    def __contains__(self, name: Any) -> bool:
        return name in self.objects

    def __iter__(self) -> Iterator[ObjectDef]:
        return iter(self.objects.values())

    def __len__(self) -> int:
        return len(self.objects)

    @cached_property
    def fingerprint(self) -> bytes:
        """Return a short name of the content: equal for equal definitions, whatever the clock says."""
        content = sorted((d.name, d.checksum) for d in self.objects.values())
        return blake2b(repr(content).encode(), digest_size=16).digest()

    @cached_property
    def watches_reads(self) -> bool:
        """Whether an object wants its reads in the ledger."""
        return any(found.enable.track_reads for found in self.objects.values())

    @cached_property
    def _referrers(self) -> Mapping[str, tuple[Referrer, ...]]:
        found: dict[str, list[Referrer]] = {}
        for definition in self.objects.values():
            for reference in definition.references:
                found.setdefault(reference.reference or "", []).append((definition, reference))
        return {name: tuple(pairs) for name, pairs in found.items()}

    def referrers(self, name: str) -> tuple[Referrer, ...]:
        """Return (object, field) of every reference that points to `name`."""
        return self._referrers.get(name, ())

    def of_module(self, module: str) -> list[ObjectDef]:
        """Return the objects that a module brought."""
        return [d for d in self.objects.values() if d.module == module]


Key = tuple[str, str, int]  # checksum, module, version


class _Read:
    """Definitions read already: equal ones are one value in every tenant and at every tick of the clock."""

    def __init__(self) -> None:
        self._values: OrderedDict[Key, ObjectDef] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> ObjectDef | None:
        return self._values.get(key)

    def keep(self, key: Key, value: ObjectDef) -> ObjectDef:
        with self._lock:
            kept = self._values.setdefault(key, value)
            while len(self._values) > READ_LIMIT:
                self._values.popitem(last=False)
        return kept


_read = _Read()


def load() -> Catalog:
    """Read the current tenant's active definitions; only those never seen before are fetched and judged."""
    active = Definition.objects.filter(state=Definition.State.ACTIVE)
    keys = active.values_list("name", "checksum", "module", "version")
    rows: list[tuple[str, Key]] = [
        (name, (checksum, module, version)) for name, checksum, module, version in keys
    ]
    unseen = [name for name, key in rows if _read.get(key) is None]
    # Another publication may come between the two queries: a body counts only with the key read beside it.
    columns = ("name", "checksum", "module", "version", "body")
    fetched = (
        {row[0]: row[1:] for row in active.filter(name__in=unseen).values_list(*columns)} if unseen else {}
    )
    objects: dict[str, ObjectDef] = {}
    broken: dict[str, DefinitionErrors] = {}
    for name, key in rows:
        known = _read.get(key)
        if known is not None:
            objects[name] = known
        elif name in fetched:
            checksum, module, version, body = fetched[name]
            try:
                objects[name] = _judged(name, (checksum, module, version), body)
            except DefinitionErrors as error:
                logger.exception("stored definition cannot be read", extra={"object": name})
                broken[name] = error
    return Catalog(MappingProxyType(objects), MappingProxyType(broken))


def _judged(name: str, key: Key, body: Mapping[str, Any]) -> ObjectDef:
    definition = load_body(body, f"{name}.object.yml", module=key[1] or None)
    return _read.keep(key, replace(definition, version=key[2]))


_catalogs: Clocked[Catalog] = Clocked(load)


def catalog(scope: Scope | None = None) -> Catalog:
    """Return the catalog of the tenant in force; in a transaction that changed it, as changed."""
    return _catalogs.get(None, scope)


def seen(tenant: TenantRef) -> tuple[int, Catalog] | None:
    """Return (clock, catalog) as this process last saw it, without a scope; the caller compares the clock."""
    return _catalogs.peek(tenant.id)
