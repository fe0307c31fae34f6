"""Indexes of large tables, built before the change: CREATE INDEX CONCURRENTLY takes no lock that anybody waits for.

It cannot run in a transaction, so it runs on a connection of its own, while the publication's transaction waits and
holds no lock on the table yet. An index that stays when the publication fails is used by the next attempt.
"""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from django.db import connections, models
from django.db.migrations import operations as ops
from psycopg import sql

from apps.core.errors import Conflict
from apps.core.scope import current_tenant
from apps.objects.schema.state import APP_LABEL, UniqueIndex

logger = logging.getLogger("aibos.schema")

BIG = 5_000
PATIENCE_MS = 20_000
GOING = (ops.RemoveIndex, ops.RemoveConstraint)
VALID = """
SELECT i.indisvalid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relname = %s AND c.relnamespace = %s::regnamespace
"""


def build(plan: Any) -> frozenset[str]:
    """Build what can be built before; returns the names of the indexes that stand now.

    Raises `Conflict` SCHEMA_CONFLICT when records break a unique one. What could not be built in peace is left to
    the transaction.
    """
    wanted = [step.action for step in plan.steps if _can_wait(step.action, plan)]
    if not wanted:
        return frozenset()
    big = {op.model_name for op in wanted if _rows(plan, op.model_name) >= BIG}
    built = set()
    with _connection() as connection:
        for op in wanted:
            if op.model_name in big and _built(connection, plan, op):
                built.add(_name(op))
    return frozenset(built)


def _can_wait(op: Any, plan: Any) -> bool:
    """Say whether the step is an index over columns that stand already and stay as they are."""
    if isinstance(op, ops.AddConstraint):
        if not isinstance(op.constraint, models.UniqueConstraint) or not op.constraint.fields:
            return False
    elif not isinstance(op, ops.AddIndex) or not op.index.fields:
        return False
    if _name(op) in {step.action.name for step in plan.steps if isinstance(step.action, GOING)}:
        return False  # the one that stands under this name is another, and goes in this change
    former = plan.former.get(op.model_name)
    if former is None or former.name != op.model_name or moved(plan, op.model_name):
        return False
    touched = {
        step.action.name
        for step in plan.steps
        if isinstance(step.action, ops.AddField | ops.AlterField) and step.action.model_name == op.model_name
    }
    return touched.isdisjoint(_columns(op))


def moved(plan: Any, name: str) -> bool:
    """Say whether the table or a column of it gets another name in this change."""
    return any(type(step.action).__name__ == "Rename" and step.object == name for step in plan.steps)


def _columns(op: Any) -> set[str]:
    index = op.index if isinstance(op, ops.AddIndex) else op.constraint
    return {name.lstrip("-") for name in index.fields}


def _name(op: Any) -> str:
    return str(op.index.name if isinstance(op, ops.AddIndex) else op.constraint.name)


def _rows(plan: Any, name: str) -> int:
    """Return about how many records a table has, without reading it."""
    text = "SELECT greatest(c.reltuples, 0)::bigint, pg_relation_size(c.oid) FROM pg_class c WHERE c.oid = %s::regclass"
    with connections["default"].cursor() as cursor:
        cursor.execute(text, [f'"{current_tenant().schema}"."{plan.definitions[name].table}"'])
        rows, size = cursor.fetchone()
    return int(rows) or int(size) // 100  # never analysed: by its size


def _connection() -> psycopg.Connection[Any]:
    owner: Any = connections["default"]
    params = owner.get_connection_params()
    kept = {key: value for key, value in params.items() if key not in ("cursor_factory", "context")}
    connection = psycopg.connect(**kept, autocommit=True)
    path = sql.SQL("SET search_path = {}, public").format(sql.Identifier(current_tenant().schema))
    connection.execute(path)
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(PATIENCE_MS)))
    return connection


def _built(connection: psycopg.Connection[Any], plan: Any, op: Any) -> bool:
    """Build one index unless it stands; False when it must be left to the transaction."""
    name = _name(op)
    if _unique(op):
        _refuse_doubles(plan, op)
    if (found := standing(name)) is not None:
        return found
    try:
        connection.execute(_statement(plan, op).encode())
    except (psycopg.errors.UniqueViolation, psycopg.OperationalError) as error:
        # What is left of it cannot be dropped while this publication holds the table; the runner does.
        logger.info("The index %s could not be built before: %s", name, error)
        return False
    return True


def standing(name: str) -> bool | None:
    """Return whether an index of that name is whole; None when there is none."""
    with connections["default"].cursor() as cursor:
        cursor.execute(VALID, [name, f'"{current_tenant().schema}"'])
        found = cursor.fetchone()
    return None if found is None else bool(found[0])


def _unique(op: Any) -> bool:
    return isinstance(op, ops.AddConstraint) or isinstance(op.index, UniqueIndex)


def _refuse_doubles(plan: Any, op: Any) -> None:
    """Raise `Conflict` when living records share what is to be unique: a half-built index would refuse their writes."""
    columns = [sql.Identifier(name) for name in sorted(_columns(op))]
    text = sql.SQL(
        "SELECT 1 FROM {} WHERE {} AND deleted_at IS NULL GROUP BY {} HAVING count(*) > 1 LIMIT 1"
    ).format(
        sql.Identifier(plan.definitions[op.model_name].table),
        sql.SQL(" AND ").join([sql.SQL("{} IS NOT NULL").format(column) for column in columns]),
        sql.SQL(", ").join(columns),
    )
    with connections["default"].cursor() as cursor:
        cursor.execute(text)
        if cursor.fetchone():
            named = ", ".join(sorted(_columns(op)))
            message = f"Existing records forbid this: several of {op.model_name} have the same {named}."
            raise Conflict(
                message, code="SCHEMA_CONFLICT", cure="Correct the records.", details={"step": None}
            )


def _statement(plan: Any, op: Any) -> str:
    """Return the schema editor's statement, made concurrent."""
    model = plan.new.apps.get_model(APP_LABEL, op.model_name)
    with connections["default"].schema_editor(collect_sql=True, atomic=False) as editor:
        if isinstance(op, ops.AddIndex):
            editor.add_index(model, op.index)
        else:
            editor.add_constraint(model, op.constraint)
        (text,) = editor.collected_sql
    kind = "UNIQUE INDEX" if isinstance(getattr(op, "index", None), UniqueIndex) else None
    words = kind or ("INDEX" if isinstance(op, ops.AddIndex) else "UNIQUE INDEX")
    return str(text).replace(f"CREATE {words}", f"CREATE {words} CONCURRENTLY", 1).rstrip(";")
