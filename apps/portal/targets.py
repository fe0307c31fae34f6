"""What the targets of ledger entries are called now, as far as the reader may know."""

from collections.abc import Sequence
from uuid import UUID

from apps.audit.types import LedgerEntry
from apps.core.actor import Actor
from apps.core.scope import current_tenant
from apps.identity import queries as identity
from apps.objects.catalog import catalog
from apps.portal import records


def names(entries: Sequence[LedgerEntry], *, by: Actor) -> dict[str, str]:
    """Return titles by target: members, the tenant, and records that the reader may see; one query for each kind."""
    keys: dict[str, set[str]] = {}
    for entry in entries:
        kind, _colon, key = (entry.target or "").partition(":")
        if _is_id(key):
            keys.setdefault(kind, set()).add(key)
    here = current_tenant()
    found = {f"tenant:{here.id}": here.slug}
    people = identity.people([UUID(key) for key in keys.get("user", ())])
    found |= {f"user:{key}": str(user) for key, user in people.items()}
    for kind in sorted(keys.keys() & {definition.name for definition in catalog()}):
        for key, title in records.titles(kind, sorted(keys[kind]), by=by).items():
            if title:
                found[f"{kind}:{key}"] = title
    return found


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
