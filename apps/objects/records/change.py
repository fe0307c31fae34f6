"""Making and changing records."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.errors import Conflict
from apps.core.ids import uuid7
from apps.core.scope import TenantRef
from apps.objects.kinds.moments import as_instant
from apps.objects.kinds.problem import FieldProblem
from apps.objects.query import parse
from apps.objects.query.refusals import invalid_query, no_record
from apps.objects.records import history, rules, statements
from apps.objects.records.accept import accept
from apps.objects.records.call import Call, Clocks, in_one_go, opened, wire
from apps.objects.records.written import Written

IfMatch = int | str | dt.datetime | None


def create(
    name: str,
    data: Mapping[str, Any],
    *,
    by: Actor,
    tenant: TenantRef | None = None,
    zone: dt.tzinfo | None = None,
    seen: Clocks | None = None,
) -> Written:
    """Make a record of the object `name`; its owner is the actor unless `data` names another.

    With `seen`, the clocks at which the actor was last known, it is done in one statement or raises `Unsure`.
    Raises INVALID_FIELD, VALIDATION_FAILED (400), PERMISSION_DENIED (403), UNIQUE_VIOLATION (409).
    """

    def work(call: Call) -> Written:
        call.require("create")
        return made(call, data)

    done = in_one_go(name, work, by=by, tenant=tenant, zone=zone, seen=seen)
    if done is not None:
        return done
    with opened(name, by=by, tenant=tenant, zone=zone) as call:
        return work(call)


def made(call: Call, data: Mapping[str, Any], source_id: str | None = None) -> Written:
    """Make a record within an open call."""
    accepted = accept(call, data, creating=True)
    rules.defaults(call, accepted)
    record_id, values = uuid7(), accepted.values
    if call.obj.owner_field is None:
        values["owner_id"] = None
    elif values.get("owner_id") is None:
        values["owner_id"] = call.user_id
    elif values["owner_id"] != call.user_id and not call.access.can("transfer", call.obj):
        call.deny("transfer", f"A record of {call.obj.name} cannot be made for somebody else.")
    stamps = {"id": record_id, "created_at": call.now, "updated_at": call.now}
    stamps |= {"created_by": call.user_id, "updated_by": call.user_id}
    told = rules.judge_new(call, accepted, data, stamps)
    if not call.access.holds_after("create", call.obj, values):
        call.deny("create", f"The actor may not make such a record of {call.obj.name}.")
    kept = {key: value for key, value in values.items() if value is not None}
    details = {"cloned_from": source_id} if source_id else None
    book = history.write(call, "created", record_id, after=kept, version=1, details=details)
    text = statements.insert(call, values | stamps, book)
    return Written(call.obj.name, str(record_id), text, accepted.dropped, sorted(kept), source_id, told)


def update(
    name: str,
    record_id: UUID | str,
    changes: Mapping[str, Any],
    *,
    by: Actor,
    if_match: IfMatch = None,
    tenant: TenantRef | None = None,
    zone: dt.tzinfo | None = None,
    seen: Clocks | None = None,
) -> Written:
    """Change the fields that `changes` names; what stays equal writes nothing.

    `if_match` is the version or the `updated_at` the caller saw; another one raises 409 CONCURRENT_UPDATE with
    `currentVersion` and `currentRecord`. Raises RECORD_NOT_FOUND (404) as well as what `create` raises.
    """

    def work(call: Call) -> Written:
        call.require("edit", record_id)
        return changed(call, record_id, changes, if_match)

    done = in_one_go(name, work, by=by, tenant=tenant, zone=zone, seen=seen)
    if done is not None:
        return done
    with opened(name, by=by, tenant=tenant, zone=zone) as call:
        return work(call)


def changed(
    call: Call,
    record_id: UUID | str,
    changes: Mapping[str, Any],
    if_match: IfMatch,
    details: Mapping[str, Any] | None = None,
) -> Written:
    """Change a record within an open call; `details` go into the ledger's entry."""
    identity = call.id_of(record_id)
    row = found(call, identity, "edit")
    match_version(call, row, if_match)
    accepted = accept(call, changes, creating=False)
    new = {key: value for key, value in accepted.values.items() if value != row[key]}
    told = rules.judge_change(call, row, new, accepted)
    if not new:
        return Written(call.obj.name, str(identity), statements.current(call, identity), accepted.dropped)
    _judge_state(call, row, new)
    before = {key: row[key] for key in new}
    version = row["version"] + 1
    book = history.write(
        call, "updated", identity, before=before, after=new, version=version, details=details
    )
    text = statements.update(call, identity, new, book, row["version"], before)
    return Written(call.obj.name, str(identity), text, accepted.dropped, sorted(new), told=told)


def found(call: Call, identity: UUID, op: Any, *, deleted: bool | None = False) -> dict[str, Any]:
    """Lock a record and return its columns; 404 when the actor may not see it, 403 when they may not `op` it."""
    row = statements.lock(call, identity, deleted=deleted)
    if row is None:
        raise no_record(call.obj.name, identity)
    if not call.access.holds(op, call.obj, row):
        call.deny(op, f"The actor may not {op} this record of {call.obj.name}.", identity)
    return row


def match_version(call: Call, row: Mapping[str, Any], expected: IfMatch) -> None:
    """Raise CONCURRENT_UPDATE unless the row is at the version (or instant) the caller expects."""
    if expected is None or expected in ("", "*"):
        return
    if isinstance(expected, str):
        expected = _token(expected)
    if (
        expected == row["version"]
        if isinstance(expected, int)
        else _same_instant(expected, row["updated_at"])
    ):
        return
    now = wire(call.obj, "updated_at", row["updated_at"])
    raise Conflict(
        _("Record %(record)s was modified by another user (current version %(version)s).")
        % {"record": f"{call.obj.name}/{row['id']}", "version": now},
        code="CONCURRENT_UPDATE",
        details={
            "currentVersion": now,
            "currentRecord": parse(statements.current(call, row["id"])),
            "object": call.obj.name,
        },
    )


def _token(text: str) -> int | dt.datetime:
    """Return the version or instant that an If-Match header writes, quotes and W/ taken off."""
    text = text.strip().removeprefix("W/").strip('"')
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    try:
        return as_instant(text, dt.UTC)
    except FieldProblem as problem:
        raise invalid_query("If-Match is a version or the `updated_at` of the record.") from problem


def _same_instant(expected: dt.datetime, actual: dt.datetime) -> bool:
    return abs(expected - actual) < dt.timedelta(milliseconds=1) and expected <= actual


def _judge_state(call: Call, row: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """The rule must hold for the record as it will be; giving it away needs the right to transfer."""
    given = False
    if "owner_id" in new and call.obj.owner_field:
        if not (call.access.can("transfer", call.obj) and call.access.holds("transfer", call.obj, row)):
            call.deny("transfer", f"The actor may not give away records of {call.obj.name}.", row["id"])
        given = True
    if not call.access.holds_after("transfer" if given else "edit", call.obj, {**row, **new}):
        call.deny(
            "edit", f"After this change the actor could not edit the record of {call.obj.name}.", row["id"]
        )


def clone(
    name: str,
    record_id: UUID | str,
    overrides: Mapping[str, Any] | None = None,
    *,
    by: Actor,
    tenant: TenantRef | None = None,
) -> Written:
    """Make a record with the values of another that the actor may read and write; unique fields are left out."""
    with opened(name, by=by, tenant=tenant) as call:
        call.require("create")
        identity = call.id_of(record_id)
        row = found(call, identity, "read")
        data = {
            key: wire(call.obj, key, row[key]) for key in statements.cloneable(call) if row[key] is not None
        }
        return made(call, data | dict(overrides or {}), str(identity))
