"""Records as pages read them: rows as dicts, ids turned into the words behind them, all under the reader's rights."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.actor import Actor
from apps.core.scope import current_tenant
from apps.identity import queries as identity
from apps.objects import query
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.permissions.access import Access, access_for
from apps.permissions.rights import Operation
from apps.portal import show
from apps.tenants import queries as tenants

MANY = 200
LINKS = frozenset({"lookup", "lookups", "user", "users"})  # the cells that show the words behind ids


@dataclass(frozen=True)
class Found:
    """One page of records. `total` is None when it was not asked for; `capped` means "at least"."""

    rows: list[dict[str, Any]]
    next_cursor: str
    total: int | None
    capped: bool


def find(definition: ObjectDef, body: Mapping[str, Any], *, by: Actor, op: Operation = "read") -> Found:
    """Return the records of a query in the protocol's form."""
    page = query.find(definition.name, body, by=by, op=op, zone=timezone.get_current_timezone())
    return Found(page.records(), page.next_cursor or "", page.total, page.total_kind == "capped")


def get(definition: ObjectDef, record_id: UUID, *, by: Actor) -> dict[str, Any]:
    """Return one record; raises NotFound for an absent or invisible one."""
    return query.get(definition.name, record_id, by=by).record()


def rights(name: str, by: Actor) -> tuple[ObjectDef, Access]:
    """Return an object with the reader's rights; raises NotFound for an unknown one."""
    return catalog().object(name), access_for(by)


def title_of(definition: ObjectDef, record: Mapping[str, Any]) -> str:
    """Return the text by which people know the record; empty when it has none or it may not be read."""
    return str(record.get(definition.name_field) or "")


def titles(name: str, ids: Iterable[str], *, by: Actor) -> dict[str, str]:
    """Return the titles of those of the records that the reader may see."""
    wanted = list(dict.fromkeys(ids))
    definition = catalog().find(name)
    if definition is None or not wanted or not access_for(by).can("read", definition):
        return {}
    found: dict[str, str] = {}
    for start in range(0, len(wanted), MANY):
        body = {
            "fields": _title_fields(definition, by),
            "where": {"id": {"$in": wanted[start : start + MANY]}},
            "limit": MANY,
        }
        found |= {str(row["id"]): title_of(definition, row) for row in find(definition, body, by=by).rows}
    return found


def _title_fields(definition: ObjectDef, by: Actor) -> list[str]:
    readable = access_for(by).readable(definition)
    return [name for name in ("id", definition.name_field) if name in readable]


def search(definition: ObjectDef, text: str, *, by: Actor, limit: int) -> list[tuple[str, str]]:
    """Return (id, title) of records that hold the words, the last changed first; empty text: simply the last."""
    body: dict[str, Any] = {"fields": _title_fields(definition, by), "limit": limit}
    body["orderBy"] = [{"field": "updated_at", "order": "desc"}]
    if text.strip():
        body["search"] = text.strip()[:200]
    return [(str(row["id"]), title_of(definition, row)) for row in find(definition, body, by=by).rows]


def members() -> dict[str, str]:
    """Return the names of all members of the tenant by user id, in the order of names."""
    return {str(row.user_id): str(row.user) for row in identity.members()}


def names_for(
    definition: ObjectDef, rows: Sequence[Mapping[str, Any]], fields: Iterable[str], *, by: Actor
) -> show.Names:
    """Return the words behind the ids that `fields` of the rows hold."""
    references: dict[str, set[str]] = {}
    users: set[str] = set()
    for name in fields:
        field = definition.all_fields.get(name)
        if field is None:
            continue
        values = {key for row in rows if row.get(name) for key in ids_in(row[name])}
        if field.reference:
            references.setdefault(field.reference, set()).update(values)
        elif kind_of(field).cell in ("user", "users"):
            users |= values
    return show.Names(
        members=people(users),
        records={
            (obj, key): title
            for obj, ids in references.items()
            for key, title in titles(obj, ids, by=by).items()
        },
        currency=currency(),
    )


def ids_in(value: Any) -> list[str]:
    """Return the ids of a wire value, or of the text of an input: one, or several with a semicolon between."""
    return [str(item) for item in value] if isinstance(value, list) else str(value).split(";")


def people(ids: Iterable[str]) -> dict[str, str]:
    """Return the names of members by user id."""
    wanted = [UUID(key) for key in ids]
    return {str(key): str(user) for key, user in identity.people(wanted).items()} if wanted else {}


def currency() -> str:
    """Return the tenant's currency."""
    snapshot = tenants.snapshot(current_tenant().id)
    return snapshot.currency if snapshot else "EUR"
