"""The book of a record: one ledger entry and one event for each change, as parts of the statement that makes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql

from apps.audit import ledger
from apps.audit.sealing import KeyUnknown
from apps.events import outbox
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.sealed import DOTS
from apps.objects.records.call import Call, Swerve, wire


@dataclass(frozen=True)
class Book:
    """The parts of a statement that write history: CTE bodies and their parameters, in order."""

    texts: tuple[tuple[str, str], ...]
    params: list[Any]
    entry: ledger.Part

    def parts(self) -> sql.Composed:
        """Return the CTEs, named, with a comma between them."""
        named = [sql.SQL("{} AS ({})").format(sql.SQL(name), sql.SQL(text)) for name, text in self.texts]
        return sql.SQL(", ").join(named)


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
    personal = {target: call.obj.personal_fields} if call.obj.personal_fields else None
    changed = sorted((before or {}).keys() | (after or {}).keys())
    try:
        entry = ledger.part(
            f"{call.obj.name}.{verb}",
            by=call.by,
            target=target,
            before=tracked(call.obj, before),
            after=tracked(call.obj, after, new=before is not None),
            details={"version": version, **(details or {})} if version is not None else details,
            personal=personal,
            tenant=call.tenant,
            clock=call.clock,
        )
    except KeyUnknown as error:
        raise Swerve from error
    data = {"object": call.obj.name, "id": str(record_id), "version": version, "changed": changed}
    event = outbox.statement(
        f"{call.obj.noun}.{verb}", subject=target, data=data, by=call.by, tenant=call.tenant
    )
    texts = (*entry.texts, ("event", event[0].as_string(None)))
    return Book(texts, [*entry.params, *event[1]], entry)


def tracked(obj: ObjectDef, values: Mapping[str, Any] | None, *, new: bool = False) -> dict[str, Any] | None:
    """Return the wire values of the fields whose history is kept; None when there are none to keep."""
    if values is None or not obj.enable.track_history:
        return None
    return {name: _kept(obj, name, value, new=new) for name, value in values.items() if keeps(obj, name)}


def _kept(obj: ObjectDef, name: str, value: Any, *, new: bool) -> Any:
    if obj.all_fields[name].encrypted and value is not None:
        return DOTS + "*" if new else DOTS  # the ledger leaves out what stayed equal
    return wire(obj, name, value)


def keeps(obj: ObjectDef, name: str) -> bool:
    """Say whether the ledger keeps the values of this field; of an encrypted one only that there were some."""
    return obj.enable.track_history and (name == "owner_id" or obj.all_fields[name].track_history)
