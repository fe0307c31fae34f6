"""Many records at once: all or nothing, or row by row, with a result for each row."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from psycopg import sql

from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid, Problem
from apps.core.scope import TenantRef
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.encryption import opening
from apps.objects.kinds import FieldProblem, kind_of
from apps.objects.kinds.sealed import blind_sql
from apps.objects.query import parse
from apps.objects.query.refusals import invalid_query
from apps.objects.records.call import Call, opened
from apps.objects.records.change import changed, made
from apps.objects.records.remove import deleted
from apps.objects.records.written import Written

Verb = Literal["create", "update", "upsert", "delete"]
VERBS = ("create", "update", "upsert", "delete")
RIGHTS = {"create": ("create",), "update": ("edit",), "upsert": ("create", "edit"), "delete": ("delete",)}
MOST_ROWS = 200


@dataclass(frozen=True)
class Row:
    """What became of one row; `record` is JSON text when it was asked for."""

    index: int
    id: str | None = None
    record: str | None = None
    problem: Problem | None = None
    rolled_back: bool = False

    @property
    def success(self) -> bool:
        return self.problem is None and not self.rolled_back

    def as_dict(self, reason: str = "") -> dict[str, Any]:
        """Return the protocol's form of one result."""
        out: dict[str, Any] = {"success": self.success, "index": self.index}
        if self.id:
            out["id"] = self.id
        if self.record is not None:
            out["data"] = parse(self.record)
        if self.problem is not None:
            error = {
                "code": self.problem.code,
                "message": self.problem.message,
                "httpStatus": self.problem.status,
            }
            if self.problem.fields:
                error["fields"] = [item.as_dict() for item in self.problem.fields]
            out["errors"] = [error]
        elif self.rolled_back:
            out["errors"] = [{"code": "ROLLED_BACK", "message": reason}]
        return out


@dataclass(frozen=True)
class Batch:
    """The results of all rows in their order."""

    operation: str
    rows: Sequence[Row] = field(default_factory=list)

    @property
    def succeeded(self) -> int:
        return sum(row.success for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the protocol's BatchUpdateResponse."""
        failed = next((row for row in self.rows if row.problem), None)
        reason = (
            f"record {failed.index} failed — {failed.problem.message}" if failed and failed.problem else ""
        )
        return {
            "success": self.succeeded == len(self.rows),
            "operation": self.operation,
            "total": len(self.rows),
            "succeeded": self.succeeded,
            "failed": len(self.rows) - self.succeeded,
            "results": [row.as_dict(reason) for row in self.rows],
        }


class _Undo(Exception):
    """A signal that rolls the transaction back."""


def create_many(
    name: str, rows: Sequence[Mapping[str, Any]], *, by: Actor, tenant: TenantRef | None = None
) -> list[Written]:
    """Make all records or none; the first fault is raised with the row's `index` in its details."""
    _limit(rows)
    with opened(name, by=by, tenant=tenant) as call:
        call.require("create")
        written = []
        for index, data in enumerate(rows):
            try:
                written.append(made(call, data))
            except Problem as problem:
                problem.details = {**problem.details, "index": index}
                raise
        return written


def batch(
    name: str,
    operation: Verb,
    rows: Sequence[Mapping[str, Any]],
    *,
    by: Actor,
    atomic: bool = False,
    continue_on_error: bool = False,
    return_records: bool = False,
    tenant: TenantRef | None = None,
    zone: dt.tzinfo | None = None,
) -> Batch:
    """Carry out one operation on rows of `{id?, data?, externalId?}`.

    `atomic`: a fault undoes all. Otherwise each row stands for itself, and the first fault ends the batch
    unless `continue_on_error`; rows that were not tried count as failed. `zone` is that of date-times without one.
    """
    if operation not in VERBS:
        raise invalid_query(f"`operation` is one of {', '.join(VERBS)}.")
    _limit(rows)
    results: list[Row] = []
    try:
        with opened(name, by=by, tenant=tenant, zone=zone) as call:
            for op in RIGHTS[operation]:
                call.require(op)  # type: ignore[arg-type]
            for index, row in enumerate(rows):
                results.append(_one(call, operation, index, row, return_records))
                if not results[-1].success and not (continue_on_error and not atomic):
                    break
            if atomic and not all(row.success for row in results):
                raise _Undo
    except _Undo:
        results = [row if row.problem else Row(row.index, row.id, rolled_back=True) for row in results]
    missing = range(len(results), len(rows))
    results += [Row(index, _text(rows[index], "id"), rolled_back=True) for index in missing]
    return Batch(operation, results)


def update_many(name: str, rows: Sequence[Mapping[str, Any]], **options: Any) -> Batch:
    """Change rows of `{id, data}`; options as in `batch`."""
    return batch(name, "update", rows, **{"return_records": True} | options)


def delete_many(name: str, ids: Sequence[UUID | str], **options: Any) -> Batch:
    """Put records into the bin; options as in `batch`."""
    return batch(name, "delete", [{"id": identity} for identity in ids], **options)


def _limit(rows: Any) -> None:
    if not isinstance(rows, list | tuple):
        fault = FieldError("records", "invalid_type", "Send a list of records.")
        raise Invalid(fault.message, [fault])
    if len(rows) > MOST_ROWS:
        fault = FieldError(
            "records", "max_items", f"Send at most {MOST_ROWS} records at once.", constraint=MOST_ROWS
        )
        raise Problem("PAYLOAD_TOO_LARGE", fault.message, status=413, fields=[fault])


def _text(row: Any, key: str) -> str | None:
    value = row.get(key) if isinstance(row, Mapping) else None
    return str(value) if value is not None else None


def _one(call: Call, operation: Verb, index: int, row: Any, return_records: bool) -> Row:
    """Carry out one row behind a savepoint, so that a fault leaves the others alone."""
    identity = _text(row, "id")
    try:
        if not isinstance(row, Mapping):
            fault = FieldError("records", "invalid_type", "A row is {id, data}.")
            raise Invalid(fault.message, [fault])
        with transaction.atomic():
            return _done(call, operation, index, row, return_records)
    except Problem as problem:
        return Row(index, identity, problem=problem)


def _done(call: Call, operation: Verb, index: int, row: Mapping[str, Any], return_records: bool) -> Row:
    data = row.get("data") or {}
    identity = row.get("id")
    if operation == "upsert":
        identity = identity or _known(call, row)
        operation = "update" if identity else "create"
        data = _external(call, row) | data
    if operation == "create":
        written = made(call, data)
    elif identity is None:
        fault = FieldError("id", "required", "The row names no id.")
        raise Invalid(fault.message, [fault])
    elif operation == "delete":
        return Row(index, deleted(call, identity).id)
    else:
        written = changed(call, identity, data, row.get("expectedVersion"))
    return Row(index, written.id, written.text if return_records else None)


def _known(call: Call, row: Mapping[str, Any]) -> UUID | None:
    """Return the visible record that carries the row's key, or None."""
    key = next(_keys(call.obj, row), None)
    return _by_values(call, key) if key else None


def _keys(obj: ObjectDef, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the keys that the row names in full: an external id, else the values of a unique index."""
    marked = [found.name for found in obj.fields.values() if found.external_id]
    data = row.get("data") or {}
    for name in marked:
        raw = row.get("externalId", data.get(name)) if len(marked) == 1 else data.get(name)
        if raw is not None:
            yield {name: raw}
    for index in obj.indexes:
        if index.unique and all(data.get(name) is not None for name in index.fields):
            yield {name: data[name] for name in index.fields}


def _external(call: Call, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row's `externalId` as the value of the field it stands for."""
    marked = [found.name for found in call.obj.fields.values() if found.external_id]
    return {marked[0]: row["externalId"]} if len(marked) == 1 and row.get("externalId") is not None else {}


def _by_values(call: Call, key: Mapping[str, Any]) -> UUID | None:
    hidden = [name for name in key if name not in call.access.clear(call.obj)]
    if hidden:
        call.deny(
            "edit", f"Records cannot be found by {', '.join(hidden)}: the actor may not see its values."
        )
    compiler = call.compiler()
    tests = [compiler.visible(call.obj, "r")]
    tests += [sql.SQL("{} = %s").format(_compared(call.obj.all_fields[name])) for name in key]
    text = sql.SQL("SELECT r.id FROM {} r WHERE {}").format(
        compiler.table(call.obj), sql.SQL(" AND ").join(tests)
    )
    values = [_comparand(call, call.obj.all_fields[name], raw) for name, raw in key.items()]
    rows = call.run(text.as_bytes(None), [*call.access.bind(compiler.params.items), *values])
    return rows[0][0] if rows else None


def _compared(found: FieldDef) -> sql.Composable:
    column = sql.Identifier("r", found.column)
    return blind_sql(column) if found.encrypted else column


def _comparand(call: Call, found: FieldDef, raw: Any) -> Any:
    try:
        value = kind_of(found).filter_value(found, raw)
    except FieldProblem as problem:
        raise Invalid(problem.message, [problem.as_error(found, raw)]) from problem
    if found.encrypted:
        (value,) = opening.resolved([opening.blinded(call.obj, found, value)], call)
    return value
