"""The book of a record: one ledger entry and one event for each change, as parts of the statement that makes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.audit import ledger
from apps.events import outbox
from apps.objects.definitions import ObjectDef
from apps.objects.records.call import Call, wire


@dataclass(frozen=True)
class Book:
    """The parts of a statement that write history: CTE bodies and their parameters, in order."""

    entry: str
    event: str
    params: list[Any]


def write(
    call: Call,
    verb: str,
    record_id: UUID,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    version: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> Book:
    """Return the history of one change; untracked fields are named in the event and never in the ledger."""
    target = call.target(record_id)
    changed = sorted((before or {}).keys() | (after or {}).keys())
    entry = ledger.statement(
        f"{call.obj.name}.{verb}",
        by=call.by,
        target=target,
        before=tracked(call.obj, before),
        after=tracked(call.obj, after),
        details=details,
        tenant=call.tenant,
    )
    data = {"object": call.obj.name, "id": str(record_id), "version": version, "changed": changed}
    event = outbox.statement(
        f"{call.obj.name}.{verb}", subject=target, data=data, by=call.by, tenant=call.tenant
    )
    return Book(entry[0].as_string(None), event[0].as_string(None), [*entry[1], *event[1]])


def tracked(obj: ObjectDef, values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the wire values of the fields whose history is kept; None when there are none to keep."""
    if values is None or not obj.enable.track_history:
        return None
    return {name: wire(obj, name, value) for name, value in values.items() if _kept(obj, name)}


def _kept(obj: ObjectDef, name: str) -> bool:
    return name == "owner_id" or obj.all_fields[name].track_history
