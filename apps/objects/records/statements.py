"""The statements of the services: one to lock a record, one that changes it and writes its history.

A change, its ledger entry, its event, the look-ups it depends on and the JSON of the answer are one statement.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from psycopg import sql

from apps.core.errors import FieldError
from apps.core.ids import NIL
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.encryption import opening
from apps.objects.kinds import kind_of, reference_not_found
from apps.objects.masters import masters
from apps.objects.query import plans
from apps.objects.query.compiler import Compiler, Named, Plan
from apps.objects.records import tally
from apps.objects.records.accept import invalid, writable
from apps.objects.records.call import Call, Swerve
from apps.objects.records.history import Book
from apps.permissions.predicates import to_sql
from apps.permissions.rights import Operation
from apps.permissions.rules import MasterAllows
from apps.tenants import quotas

MEMBERS = sql.SQL(
    "({}::uuid[] IS NULL OR (SELECT count(*) FROM public.identity_membership m"
    " WHERE m.user_id = ANY({}) AND m.tenant_id = {}) = cardinality({}::uuid[]))"
)
ALL_KNOWN = sql.SQL(
    "({}::uuid[] IS NULL OR (SELECT count(*) FROM {} e WHERE e.id = ANY({}) AND {}) = cardinality({}::uuid[]))"
)
MEMBER = sql.SQL(
    "({}::uuid IS NULL OR EXISTS (SELECT 1 FROM public.identity_membership m"
    " WHERE m.user_id = {} AND m.tenant_id = {}))"
)
KNOWN = sql.SQL("({}::uuid IS NULL OR EXISTS (SELECT 1 FROM {} e WHERE e.id = {} AND {}))")
FRESH = sql.SQL(
    "coalesce((SELECT ticks FROM public.tenant_clock WHERE key = {}), 0) = {}"
    " AND ({}::bigint IS NULL OR coalesce((SELECT ticks FROM public.tenant_clock WHERE key = {}), 0) = {})"
    " AS fresh"
)
TOUCH = sql.SQL(
    "version = version + 1, updated_by = %s, updated_at = greatest(%s, updated_at + interval '1 millisecond')"
)


@dataclass(frozen=True, slots=True)
class Change:
    """A compiled change. `head` are the parameters of the checks; the columns' values and the book's follow.

    One that adds a record has a last check: whether the plan, with its `limit`, has room for it.
    """

    plan: Plan
    columns: tuple[str, ...]
    checked: tuple[str, ...]
    limit: int | None = None


def insertable(obj: ObjectDef) -> tuple[str, ...]:
    """Return the columns an insert writes: the platform's own and every field that is not generated."""
    own = ("id", "created_at", "updated_at", "created_by", "updated_by", "owner_id")
    return (*own, *(name for name, found in obj.fields.items() if not kind_of(found).generated))


def insert(call: Call, values: Mapping[str, Any], book: Book) -> str:
    """Insert one record with its history; return its JSON as the actor may read it."""
    limit = _limit(call)
    key = plans.key_of(call.view(), "insert", call.obj.name, call.clock is None, limit, len(book.texts))
    change = plans.cache.get(key, lambda: _compile_insert(call, book, limit))
    return _run(call, change, values, [values.get(name) for name in change.columns], book, values["id"])


def _compile_insert(call: Call, book: Book, limit: int | None) -> Change:
    compiler, columns = call.compiler(), insertable(call.obj)
    checks, checked = _checks(compiler, call.obj, [n for n in columns if _points(call.obj.all_fields[n])])
    checks.append(tally.room(call.tenant, limit))
    body = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        compiler.table(call.obj),
        sql.SQL(", ").join([sql.Identifier(name) for name in columns]),
        sql.SQL(", ").join([sql.SQL("%s")] * len(columns)),
    )
    return Change(_whole(call, compiler, checks, body, book), columns, checked, limit)


def _needed(compiler: Compiler, obj: ObjectDef, found: FieldDef) -> Operation:
    """Return what the writer must be allowed to do to a record they refer to: of a master that rules, to edit it."""
    rule = MasterAllows(found.reference or "", found.name, "edit")
    return "edit" if rule in compiler.access.asked(obj) else "read"


def update(
    call: Call,
    record_id: UUID,
    values: Mapping[str, Any],
    book: Book,
    version: int,
    before: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Write the changed columns of one record at `version` with its history; return its JSON.

    `before` are the values so far: what a list of references held already is not judged again.
    """
    names = tuple(sorted(values))
    key = plans.key_of(call.view(), "update", call.obj.name, names, call.clock is None, len(book.texts))
    change = plans.cache.get(key, lambda: _compile_update(call, names, book))
    params = [*(values[name] for name in change.columns), call.user_id, call.now, record_id, version]
    return _run(call, change, values, params, book, record_id, before)


def _compile_update(call: Call, names: tuple[str, ...], book: Book) -> Change:
    compiler = call.compiler()
    checks, checked = _checks(compiler, call.obj, [n for n in names if _points(call.obj.all_fields[n])])
    sets = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in names]
    body = sql.SQL("UPDATE {} SET {} WHERE id = %s AND version = %s").format(
        compiler.table(call.obj), sql.SQL(", ").join([*sets, TOUCH])
    )
    return Change(_whole(call, compiler, checks, body, book), names, checked)


def _points(found: FieldDef) -> bool:
    if found.type == "user":
        return found.name == "owner_id" or not found.system
    return found.reference is not None


def _checks(
    compiler: Compiler, obj: ObjectDef, names: Sequence[str]
) -> tuple[list[sql.Composable], tuple[str, ...]]:
    """Return one test a reference: it is empty, or stands for a member or a record the actor may read."""
    return [_check(compiler, obj, obj.all_fields[name]) for name in names], tuple(names)


def _check(compiler: Compiler, obj: ObjectDef, found: FieldDef) -> sql.Composable:
    """Return the test of one reference; its parameters are added in the order of the text."""
    several, add = found.multiple, compiler.params.add
    wanted = Named(found.name)
    first = add(wanted)
    target = None if found.type == "user" else compiler.catalog.find(found.reference or "")
    if found.type == "user":
        second, tenant = add(wanted), add(compiler.tenant.id)
        return (
            MEMBERS.format(first, second, tenant, add(wanted))
            if several
            else MEMBER.format(first, second, tenant)
        )
    if target is None:
        return sql.SQL("({}{} IS NULL)").format(first, sql.SQL("::uuid[]" if several else "::uuid"))
    table, second = compiler.table(target), add(wanted)
    visible = compiler.visible(target, "e", op=_needed(compiler, obj, found))
    if several:
        return ALL_KNOWN.format(first, table, second, visible, add(wanted))
    return KNOWN.format(first, table, second, visible)


def _whole(
    call: Call, compiler: Compiler, checks: list[sql.Composable], body: sql.Composable, book: Book
) -> Plan:
    columns = compiler.columns(call.obj, "r", None)
    if call.clock is not None:
        return _guarded(call, compiler, checks, body, book, columns)
    head: sql.Composable = sql.SQL("WITH ")
    answer = sql.SQL("(SELECT row_to_json(x$)::text FROM (SELECT {} FROM made r) x$)").format(columns)
    tail: sql.Composable = sql.SQL("SELECT {}").format(answer)
    if checks:
        named = [sql.SQL("{} AS {}").format(test, sql.Identifier(f"c{i}")) for i, test in enumerate(checks)]
        head = sql.SQL("WITH found AS (SELECT {}), ").format(sql.SQL(", ").join(named))
        tail = sql.SQL("SELECT {}, found.* FROM found").format(answer)
    text = sql.SQL("{}made AS ({} RETURNING *), {} {}").format(head, body, book.parts(), tail)
    return compiler.plan(text)


def _guarded(
    call: Call,
    compiler: Compiler,
    checks: list[sql.Composable],
    body: sql.Composable,
    book: Book,
    columns: sql.Composable,
) -> Plan:
    """Return the change for one go: a moved clock, a missing reference or a moved record is an error in it.

    An error is the one way to undo a statement that is its own transaction.
    """
    add = compiler.params.add
    fresh = FRESH.format(
        add(compiler.tenant.id), add(Named("clock")), add(Named("platform")), add(NIL), add(Named("platform"))
    )
    named = [sql.SQL("{} AS {}").format(test, sql.Identifier(f"c{i}")) for i, test in enumerate(checks)]
    whole = [sql.SQL("f.fresh"), *(sql.Identifier("f", f"c{i}") for i in range(len(checks)))]
    text = sql.SQL(
        "WITH found AS (SELECT {}), made AS ({} RETURNING *), {}"
        " SELECT (SELECT row_to_json(x$)::text FROM (SELECT {} FROM made r) x$),"
        " (CASE WHEN {} AND EXISTS (SELECT 1 FROM made) THEN '1' ELSE 'swerve' END)::integer FROM found f"
    ).format(
        sql.SQL(", ").join([*named, fresh]),
        body,
        book.parts(),
        columns,
        sql.SQL(" AND ").join(whole),
    )
    return compiler.plan(text)


def _run(
    call: Call,
    change: Change,
    values: Mapping[str, Any],
    params: list[Any],
    book: Book,
    record_id: UUID,
    before: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Run a change; a reference that stands for nothing the actor may see undoes it."""
    asked = {name: _foreign(call, name, values.get(name), before.get(name)) for name in change.checked}
    head = change.plan.bind(
        (), call.access.subject, asked | {"clock": call.clock, "platform": call.platform_clock}
    )
    bound = [*head, *_bound(call, change.columns, params, record_id), *book.params]
    if change.plan.sealed:
        call.ring()  # without it the answer could not be told after the write
    row = call.run(change.plan.sql, bound, writes=True)[0]
    book.entry.settle()
    text = call.opened(change.plan, str(row[0]))
    if call.clock is not None:
        return text
    if change.limit is not None and not row[-1]:
        raise tally.full(call.tenant, change.limit)
    missing = [name for name, known in zip(change.checked, row[1:], strict=False) if not known]
    if missing:
        fields = [call.obj.all_fields[name] for name in missing]
        raise invalid(call.obj, [_missing(found, values[found.name]) for found in fields])
    return text


def _limit(call: Call) -> int | None:
    """Return the plan's limit on records, as of the clock that the statement compares."""
    if call.clock is None:
        return quotas.limit_of(call.tenant, "records")
    known = quotas.limit_at(call.tenant, "records", call.clock)
    if known is None:
        raise Swerve
    return known[0]


def _missing(found: FieldDef, value: Any) -> FieldError:
    return reference_not_found(found).as_error(found, None if found.multiple else str(value))


def _foreign(call: Call, name: str, value: Any, before: Any) -> Any:
    """Return what must be looked up: not the actor, whose membership was read already, nor what a list held."""
    if isinstance(value, list):
        held = set(before or ())
        return [item for item in value if item not in held] or None
    is_me = call.obj.all_fields[name].type == "user" and value == call.user_id
    return None if is_me else value


def _bound(call: Call, columns: tuple[str, ...], params: list[Any], record_id: UUID) -> list[Any]:
    bound = []
    for name, value in zip(columns, params, strict=False):
        found = call.obj.all_fields[name]
        if found.encrypted:
            bound.append(opening.close(call.obj, found, record_id, value, call))
        else:
            bound.append(kind_of(found).bind(found, value))
    return bound + params[len(columns) :]


def lock(call: Call, record_id: UUID, *, deleted: bool | None = False) -> dict[str, Any] | None:
    """Lock a record the actor may read and return its columns and facts; None when there is none to see.

    `deleted` False: a living one, True: one in the bin, None: either.
    """
    key = plans.key_of(call.view(), "lock", call.obj.name, deleted, call.clock is None)
    plan = plans.cache.get(key, lambda: _compile_lock(call, deleted))
    rows = call.run(plan.sql, plan.bind((), call.access.subject, {"id": record_id}))
    if not rows:
        return None
    fields, names, asked = call.obj.all_fields, sorted(call.obj.all_fields), call.access.asked(call.obj)
    row: dict[Any, Any] = {n: loaded(fields[n], value) for n, value in zip(names, rows[0], strict=False)}
    row.update(zip(asked, rows[0][len(names) :], strict=True))
    if call.obj.encrypted_fields:
        opening.load(row, call.obj, call)
    return row


def loaded(found: FieldDef, value: Any) -> Any:
    """Return a column's value; Django leaves `jsonb` to its fields, so it arrives as text."""
    return json.loads(value) if kind_of(found).sql_type == "jsonb" and isinstance(value, str) else value


def _compile_lock(call: Call, deleted: bool | None) -> Plan:
    compiler = call.compiler()
    wanted: list[sql.Composable] = [
        sql.Identifier("r", found.column) for _, found in sorted(call.obj.all_fields.items())
    ]
    wanted += [
        to_sql(
            fact,
            "r",
            compiler.params.items,
            schema=call.tenant.schema,
            masters=masters(call.catalog, call.access),
        )
        for fact in call.access.asked(call.obj)
    ]
    columns = sql.SQL(", ").join(wanted)
    identity = sql.SQL("r.id = {}").format(compiler.params.add(Named("id")))
    if deleted is None:
        living = compiler.visible(call.obj, "r")
        binned = compiler.visible(call.obj, "r", deleted=True)
        visible: sql.Composable = sql.SQL("(({}) OR ({}))").format(living, binned)
    else:
        visible = compiler.visible(call.obj, "r", deleted=deleted)
    # The comment makes a changed definition a new statement: PostgreSQL refuses a prepared one whose columns
    # have other types than before.
    locking = sql.SQL(" FOR UPDATE" if call.clock is None else "")
    stamp = sql.SQL(f"/* {call.catalog.fingerprint.hex()} */")
    text = sql.SQL("SELECT {} {} FROM {} r WHERE {} AND {}{}").format(
        stamp, columns, compiler.table(call.obj), identity, visible, locking
    )
    return compiler.plan(text)


def current(call: Call, record_id: UUID) -> str:
    """Return the JSON of a record as the actor may read it."""
    plan = plans.record_plan(call.view(), call.obj, None, ())
    rows = call.run(plan.sql, plan.bind((), call.access.subject, {"id": record_id}))
    return call.opened(plan, str(rows[0][0])) if rows else "{}"


def cloneable(call: Call) -> list[str]:
    """Return the fields a copy takes over: readable, writable and not unique."""
    allowed = call.access.readable(call.obj) & call.access.editable(call.obj)
    fields = call.obj.fields.values()
    return [
        f.name
        for f in fields
        if f.name in allowed
        and writable(call.obj, f)
        and not (f.unique or f.external_id or kind_of(f).write_only)
    ]
