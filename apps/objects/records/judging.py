"""Records as rules look at them: all columns, and the facts that somebody's rights ask for. Nothing is locked."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from psycopg import sql

from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.scope import TenantRef, current_tenant
from apps.objects.catalog import catalog
from apps.objects.masters import masters
from apps.objects.query.refusals import no_record
from apps.objects.records.call import Call, opened
from apps.objects.records.statements import loaded
from apps.permissions import policies, rules
from apps.permissions.access import Access
from apps.permissions.conditions import lowered
from apps.permissions.lowering import NotLowerable
from apps.permissions.predicates import to_sql
from apps.permissions.rights import OPERATIONS, Operation

Judge = Callable[[Access], dict[Any, Any]]


def judge(name: str, record_id: UUID | str, *, by: Actor, tenant: TenantRef | None = None) -> Judge:
    """Return a function that gives the record with the facts for other rights; 404 unless `by` may read it."""
    with opened(name, by=by, tenant=tenant) as call:
        identity = call.id_of(record_id)
        row = _row(call, identity)
        return lambda access: row | _facts(call, identity, access)


def may(
    name: str, record_id: UUID | str, *, by: Actor, tenant: TenantRef | None = None
) -> dict[Operation, bool]:
    """Return which operations the actor may do to a record they may read; 404 when they may not."""
    with opened(name, by=by, tenant=tenant) as call:
        identity = call.id_of(record_id)
        row = _row(call, identity) | _facts(call, identity, call.access)
        return {
            op: bool(call.access.can(op, call.obj)) and call.access.holds(op, call.obj, row)
            for op in OPERATIONS
        }


def reached(
    name: str, ids: Sequence[UUID | str], op: Operation, *, by: Actor, tenant: TenantRef | None = None
) -> set[UUID]:
    """Return those of the living records that an operation of the actor reaches; one statement."""
    with opened(name, by=by, tenant=tenant) as call:
        if not ids or not call.access.can(op, call.obj):
            return set()
        wanted = [call.id_of(raw) for raw in ids]
        compiler = call.compiler()
        visible = compiler.visible(call.obj, "r", op=op)
        text = sql.SQL("SELECT r.id FROM {} r WHERE {} AND r.id = ANY(%s)").format(
            compiler.table(call.obj), visible
        )
        rows = call.run(text.as_bytes(None), [*call.access.bind(compiler.params.items), wanted])
        return {row[0] for row in rows}


def _row(call: Call, identity: UUID) -> dict[Any, Any]:
    """Return the columns of a record, living or in the bin, that the actor may read."""
    call.require("read", identity)
    compiler, fields = call.compiler(), call.obj.all_fields
    names = sorted(fields)
    columns = sql.SQL(", ").join([sql.Identifier("r", fields[name].column) for name in names])
    living, binned = (compiler.visible(call.obj, "r", deleted=deleted) for deleted in (False, True))
    text = sql.SQL("SELECT {} FROM {} r WHERE (({}) OR ({})) AND r.id = %s").format(
        columns, compiler.table(call.obj), living, binned
    )
    rows = call.run(text.as_bytes(None), [*call.access.bind(compiler.params.items), identity])
    if not rows:
        raise no_record(call.obj.name, identity)
    return {name: loaded(fields[name], value) for name, value in zip(names, rows[0], strict=True)}


def _facts(call: Call, identity: UUID, access: Access) -> dict[Any, Any]:
    asked = access.asked(call.obj)
    if not asked:
        return {}
    params: list[Any] = []
    found = masters(call.catalog, access)
    tests = [to_sql(fact, "r", params, schema=call.tenant.schema, masters=found) for fact in asked]
    text = sql.SQL("SELECT {} FROM {} r WHERE r.id = %s").format(
        sql.SQL(", ").join(tests), call.compiler().table(call.obj)
    )
    rows = call.run(text.as_bytes(None), [*access.bind(params), identity])
    return dict(zip(asked, rows[0], strict=True)) if rows else {}


def matching(name: str, criteria: Any, owners: Sequence[UUID] | None) -> int | None:
    """Count the living records that a sharing rule concerns, whoever may see them; None when it has no meaning.

    For those who manage permissions: it tells a number, and of nobody's records what they hold.
    """
    tenant = current_tenant()
    obj = catalog().find(name)
    if obj is None:
        return None
    try:
        rule = lowered(policies.condition(criteria), obj.all_fields)
    except NotLowerable:
        return None
    if owners is not None and obj.owner_field is not None:
        rule = rules.conjunction([rule, rules.FieldIn(obj.owner_field, tuple(owners))])
    params: list[Any] = []
    test = to_sql(rule, "r", params, schema=tenant.schema)
    table = sql.Identifier(tenant.schema, obj.table)
    text = sql.SQL("SELECT count(*) FROM {} r WHERE r.deleted_at IS NULL AND {}").format(table, test)
    nobody = rules.NOBODY
    found = fast.read(tenant, text.as_bytes(None), [nobody.bound(value) for value in params])
    return int(found.rows[0][0])
