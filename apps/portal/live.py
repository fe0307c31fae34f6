"""Where a page stands in the log of events, so that it can be told of everything since it was made."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from apps.core.actor import Actor
from apps.core.scope import current_tenant
from apps.events import cursor, log
from apps.objects.definitions import ObjectDef
from apps.portal import records
from apps.portal.listing import page as listing
from apps.portal.listing.address import ListAddress

MOST = 50


def here() -> str:
    """Return the cursor of this moment; taken before the page reads, it misses nothing that the page does not show."""
    tenant = current_tenant()
    return cursor.seal(tenant.id, log.now(tenant))


def ids_of(text: str) -> list[str]:
    """Return the ids of a list with commas, at most `MOST`; what is no id is left out."""
    found = []
    for part in text.split(",")[:MOST]:
        with suppress(ValueError):
            found.append(str(UUID(part)))
    return found


def matching(address: ListAddress, definition: ObjectDef, ids: Sequence[str], *, by: Actor) -> int:
    """Return how many of these records belong to the list that the address shows."""
    if not ids:
        return 0
    body: dict[str, Any] = listing.ast(address, definition)
    among: dict[str, Any] = {"id": {"$in": list(ids)}}
    body["where"] = {"$and": [body["where"], among]} if "where" in body else among
    return records.find(definition, body | {"limit": 0, "count": "exact"}, by=by).total or 0
