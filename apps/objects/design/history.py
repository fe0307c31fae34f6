"""What a definition was from one publication to the next, and what differs between two of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.audit import queries as audit
from apps.audit.types import LedgerEntry
from apps.core.errors import NotFound
from apps.objects.models import DefinitionVersion

MOST = 200
OPEN = 2  # levels of these parts that are looked into: the entries, and the keys of an entry
OPENED = frozenset({"fields", "listViews", "translations"})


@dataclass(frozen=True)
class Change:
    """One place where two definitions differ; `before` or `after` is None where there was, or is, nothing."""

    path: str
    before: Any
    after: Any

    @property
    def kind(self) -> str:
        """Added, removed or changed."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


def versions(name: str, limit: int = MOST) -> list[DefinitionVersion]:
    """Return the versions of a definition, the newest first; a dropped object's stay."""
    return list(DefinitionVersion.objects.filter(name=name).order_by("-version")[:limit])


def version(name: str, number: int) -> DefinitionVersion:
    """Return one version; raises `NotFound`."""
    found: DefinitionVersion | None = DefinitionVersion.objects.filter(name=name, version=number).first()
    if found is None:
        raise NotFound(f"{name[:80]} has no version {number}.", code="RESOURCE_NOT_FOUND")
    return found


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs; fields, lists and translations entry by entry, and within an entry key by key."""
    keys = dict.fromkeys([*before, *after])
    return [
        change
        for key in keys
        for change in _differ(key, before.get(key), after.get(key), levels=OPEN if key in OPENED else 0)
    ]


def _differ(path: str, one: Any, other: Any, levels: int) -> list[Change]:
    if one == other:
        return []
    if levels == OPEN:
        one, other = one or {}, other or {}
    if not (levels and isinstance(one, Mapping) and isinstance(other, Mapping)):
        return [Change(path, one, other)]
    return [
        change
        for key in dict.fromkeys([*one, *other])
        for change in _differ(f"{path}.{key}", one.get(key), other.get(key), levels - 1)
    ]


def entries(name: str, limit: int = MOST) -> list[LedgerEntry]:
    """Return the ledger's entries about a definition, the newest first."""
    return list(audit.history(f"object:{name}", limit))
