"""Deleting into the bin, taking out of it, and removing for good.

A reference says what follows the record it points to: `restrict` forbids the deletion, `cascade` (and every
master_detail) goes along and comes back with it, `set_null` keeps pointing at the record in the bin and is
emptied by the database when the record is removed for good.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from psycopg import errors, sql

from apps.core.actor import Actor
from apps.core.errors import Conflict
from apps.core.scope import TenantRef
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.query import plans
from apps.objects.query.compiler import Named, Plan
from apps.objects.records import history, statements, tally
from apps.objects.records.call import Call, opened
from apps.objects.records.change import IfMatch, found, match_version
from apps.objects.records.written import Removed, Written
from apps.permissions import sharing

MOST_FOLLOWERS = 10_000


def delete(
    name: str,
    record_id: UUID | str,
    *,
    by: Actor,
    if_match: IfMatch = None,
    tenant: TenantRef | None = None,
) -> Removed:
    """Put a record, and the details that belong to it, into the bin.

    Raises RECORD_NOT_FOUND (404), PERMISSION_DENIED (403), DELETE_RESTRICTED or CONCURRENT_UPDATE (409).
    """
    with opened(name, by=by, tenant=tenant) as call:
        call.require("delete", record_id)
        return deleted(call, record_id, if_match)


def deleted(call: Call, record_id: UUID | str, if_match: IfMatch = None) -> Removed:
    """Delete a record within an open call."""
    identity = call.id_of(record_id)
    row = found(call, identity, "delete")
    match_version(call, row, if_match)
    also = 0
    for referrer, field in call.catalog.referrers(call.obj.name):
        if field.delete_behavior == "restrict":
            _refuse_when_used(call, referrer, field, [identity])
    for other, child in list(_followers(call, [identity])):
        _mark(other, child, call.now, "deleted", {"with": call.target(identity)})
        also += 1
    _mark(call, row, call.now, "deleted")
    tally.give_back(call.tenant, also + 1)
    return Removed(call.obj.name, str(identity), also)


def restore(name: str, record_id: UUID | str, *, by: Actor, tenant: TenantRef | None = None) -> Written:
    """Take a record out of the bin with what went there together with it; a living one stays as it is.

    Raises INVALID_STATE (409) while its master is in the bin, UNIQUE_VIOLATION (409) when its values are taken.
    """
    with opened(name, by=by, tenant=tenant) as call:
        call.require("delete", record_id)
        identity = call.id_of(record_id)
        row = found(call, identity, "delete", deleted=None)
        if row["deleted_at"] is None:
            return Written(call.obj.name, str(identity), statements.current(call, identity))
        _require_living_masters(call, row)
        followers = list(_followers(call, [identity], row["deleted_at"]))
        tally.take(call.tenant, len(followers) + 1)
        text = _mark(call, row, None, "restored")
        for other, child in followers:
            _mark(other, child, None, "restored", {"with": call.target(identity)})
        return Written(call.obj.name, str(identity), text, changed=["deleted_at"])


def purge(name: str, record_id: UUID | str, *, by: Actor, tenant: TenantRef | None = None) -> Removed:
    """Remove a record that is in the bin for good, with its details; only the ledger still knows of it."""
    with opened(name, by=by, tenant=tenant) as call:
        call.require("purge", record_id)
        identity = call.id_of(record_id)
        row = found(call, identity, "purge", deleted=None)
        if row["deleted_at"] is None:
            message = _("Only records in the bin can be removed for good; delete it first.")
            raise Conflict(message, code="INVALID_STATE", details={"object": call.obj.name})
        book = history.write(call, "purged", identity, version=row["version"])
        text = sql.SQL("WITH made AS (DELETE FROM {} WHERE id = %s), {} SELECT 1").format(
            call.compiler().table(call.obj), book.parts()
        )
        try:
            call.run(text.as_bytes(None), [identity, *book.params])
            book.entry.settle()
            sharing.forget(call.obj.name, identity)
        except Exception as error:
            if isinstance(error.__cause__, errors.ForeignKeyViolation | errors.RestrictViolation):
                raise _restricted(call.obj, None, 0) from error
            raise
        return Removed(call.obj.name, str(identity))


def _mark(
    call: Call, row: dict[str, Any], moment: Any, verb: str, details: dict[str, Any] | None = None
) -> str:
    book = history.write(
        call,
        verb,
        row["id"],
        before={"deleted_at": row["deleted_at"]},
        after={"deleted_at": moment},
        version=row["version"] + 1,
        details=details,
    )
    return statements.update(call, row["id"], {"deleted_at": moment}, book, row["version"])


def _refuse_when_used(call: Call, referrer: ObjectDef, field: FieldDef, ids: list[UUID]) -> None:
    """Raise DELETE_RESTRICTED while a living record points here; only visible ones are counted aloud."""
    key = plans.key_of(call.view(), "used", referrer.name, field.name)
    plan = plans.cache.get(key, lambda: _compile_used(call, referrer, field))
    used, seen = call.run(plan.sql, plan.bind((), call.access.subject, {"ids": ids}))[0]
    if used:
        raise _restricted(call.obj, (referrer, field), seen)


def _compile_used(call: Call, referrer: ObjectDef, field: FieldDef) -> Plan:
    compiler = call.compiler()
    visible = compiler.visible(referrer, "r")
    ids = compiler.params.add(Named("ids"))
    text = sql.SQL(
        "SELECT count(*) > 0, count(*) FILTER (WHERE {}) FROM {} r WHERE {} {} AND r.deleted_at IS NULL"
    ).format(
        visible,
        compiler.table(referrer),
        sql.Identifier("r", field.column),
        sql.SQL("&& {}::uuid[]" if field.multiple else "= ANY({})").format(ids),
    )
    return compiler.plan(text)


def _restricted(obj: ObjectDef, used: tuple[ObjectDef, FieldDef] | None, seen: int) -> Conflict:
    details: dict[str, Any] = {"object": obj.name}
    message = _("This %(object)s is still referenced by other records.") % {"object": obj.label}
    if used is not None:
        referrer, field = used
        message = _("This %(object)s is still referenced by %(other)s record(s) through “%(field)s”.") % {
            "object": obj.label,
            "other": f"{seen} {referrer.label}" if seen else referrer.label,
            "field": field.label,
        }
        details |= {"dependentObject": referrer.name, "dependentCount": seen}
    return Conflict(
        message, code="DELETE_RESTRICTED", details=details, cure=_("Delete or reassign them first.")
    )


def _followers(call: Call, ids: list[UUID], moment: Any = None) -> Iterator[tuple[Call, dict[str, Any]]]:
    """Yield the details of these records, and theirs: living ones, or those binned at `moment`."""
    total, queue = 0, [(call.obj, ids)]
    seen = set(ids)  # references may lead in a circle
    while queue:
        obj, parents = queue.pop()
        for referrer, field in call.catalog.referrers(obj.name):
            if field.delete_behavior != "cascade":
                continue
            other = call.on(referrer)
            rows = [row for row in _children(other, field, parents, moment) if row["id"] not in seen]
            seen |= {row["id"] for row in rows}
            total += len(rows)
            if total > MOST_FOLLOWERS:
                message = _("Too many records belong to this one; delete them in parts first.")
                raise Conflict(message, code="DELETE_RESTRICTED", details={"object": obj.name})
            yield from ((other, row) for row in rows)
            if rows:
                children = [row["id"] for row in rows]
                if moment is None:
                    for further, restricted in call.catalog.referrers(referrer.name):
                        if restricted.delete_behavior == "restrict":
                            _refuse_when_used(other, further, restricted, children)
                queue.append((referrer, children))


def _children(call: Call, field: FieldDef, parents: list[UUID], moment: Any) -> list[dict[str, Any]]:
    state = sql.SQL("deleted_at IS NULL") if moment is None else sql.SQL("deleted_at = %s")
    text = sql.SQL(
        "SELECT id, version, deleted_at FROM {} WHERE {} = ANY(%s) AND {} ORDER BY id FOR UPDATE"
    ).format(call.compiler().table(call.obj), sql.Identifier(field.column), state)
    rows = call.run(text.as_bytes(None), [parents] if moment is None else [parents, moment])
    return [{"id": row[0], "version": row[1], "deleted_at": row[2]} for row in rows]


def _require_living_masters(call: Call, row: dict[str, Any]) -> None:
    for field in call.obj.references:
        master = call.catalog.find(field.reference or "")
        if field.type != "master_detail" or master is None or row[field.name] is None:
            continue
        text = sql.SQL("SELECT 1 FROM {} WHERE id = %s AND deleted_at IS NULL").format(
            call.compiler().table(master)
        )
        if not call.run(text.as_bytes(None), [row[field.name]]):
            message = _("Restore the %(object)s it belongs to first.") % {"object": master.label}
            raise Conflict(message, code="INVALID_STATE", details={"object": call.obj.name})
