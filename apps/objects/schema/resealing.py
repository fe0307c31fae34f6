"""Changes of columns that only Python can make, because the database has no keys: sealing, opening, sealing anew.

Rows are read and written in portions by primary key, within the publication's transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql

from apps.core.errors import Conflict
from apps.core.scope import current_tenant
from apps.core.sealing import SealBroken
from apps.objects.definitions import FieldDef
from apps.objects.encryption.ring import Column, Ring, rings
from apps.objects.kinds import AcceptContext, FieldProblem, kind_of
from apps.objects.kinds.sealed import SealedKind

PORTION = 2_000
Turn = Callable[[UUID, Any], Any]
Prepared = list[tuple[UUID, str, Any]]  # a record, the version of its row, and its new value


@dataclass(frozen=True)
class Reseal:
    """An encrypted field under a new name: its values are bound to the old one, and are sealed for the new."""

    former: str
    former_column: str
    table: str
    field: FieldDef

    def run(self, cursor: Any) -> None:
        """Seal every value anew."""
        ring, tenant = rings.get(), current_tenant().id
        equality = self.field.encrypted == "equality"
        old = Column(tenant, self.former, self.former_column, equality)
        new = Column(tenant, self.table, self.field.column, equality)

        def turn(record_id: UUID, box: Any) -> Any:
            return ring.close(new, record_id, _text(ring, old, record_id, box))

        rewrite(cursor, self.table, self.field.column, self.field.column, turn)


def prepare(cursor: Any, table: str, before: FieldDef, after: FieldDef) -> Prepared:
    """Return what `convert` will write, worked out while everybody still reads and writes the table."""
    turn = turning(rings.get(), table, before, after)
    names = {"t": sql.Identifier(table), "s": sql.Identifier(before.column)}
    read = sql.SQL(
        "SELECT id, xmin::text, {s} FROM {t} WHERE {s} IS NOT NULL AND id > %s ORDER BY id LIMIT %s"
    ).format(**names)
    made: Prepared = []
    last = UUID(int=0)
    while True:
        cursor.execute(read, [last, PORTION])
        rows = cursor.fetchall()
        if not rows:
            return made
        made += [(key, seen, turn(key, value)) for key, seen, value in rows]
        last = rows[-1][0]


def convert(
    cursor: Any, table: str, before: FieldDef, after: FieldDef, column_type: str, prepared: Prepared
) -> None:
    """Turn a column that is encrypted before or after, or both, into what `after` says; constraints are others' work.

    What was prepared is written by few statements; records that changed since are worked out now.
    """
    ring, spare = rings.get(), f"{after.column[:50]}__new"
    turn = turning(ring, table, before, after)
    place = sql.Identifier(table), sql.Identifier(spare)
    cursor.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(*place, sql.SQL(column_type)))
    write = sql.SQL(
        "UPDATE {} t SET {} = s.v FROM unnest(%s::uuid[], %s::text[], %s::{}[]) s(id, seen, v)"
        " WHERE t.id = s.id AND t.xmin::text = s.seen"
    ).format(*place, sql.SQL(column_type))
    for first in range(0, len(prepared), PORTION):
        cursor.execute(write, [list(part) for part in zip(*prepared[first : first + PORTION], strict=True)])
    rewrite(cursor, table, before.column, spare, turn)
    cursor.execute(sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(place[0], sql.Identifier(before.column)))
    cursor.execute(
        sql.SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(*place, sql.Identifier(after.column))
    )
    require(cursor, table, after)


def fill(cursor: Any, table: str, field: FieldDef, value: Any) -> None:
    """Give every record its own sealed copy of a default, then require one where the field does."""
    ring, column = rings.get(), _column(table, field)
    kind = kind_of(field)
    assert isinstance(kind, SealedKind)
    text = kind.text_of(field, value)
    turn: Turn = lambda record_id, _none: ring.close(column, record_id, text)  # noqa: E731 - one line says it
    rewrite(cursor, table, field.column, field.column, turn, empty=True)
    require(cursor, table, field)


def require(cursor: Any, table: str, field: FieldDef) -> None:
    """Forbid the column to be empty when the field is required."""
    if field.required:
        text = sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL")
        cursor.execute(text.format(sql.Identifier(table), sql.Identifier(field.column)))


def turning(ring: Ring, table: str, before: FieldDef, after: FieldDef) -> Turn:
    """Return how a value of the former column becomes one of the new."""
    old, new = kind_of(before), kind_of(after)

    def turn(record_id: UUID, value: Any) -> Any:
        if isinstance(old, SealedKind):
            value = old.value_of(_text(ring, _column(table, before), record_id, value))
        if before.type != after.type:
            try:
                value = new.parse(after, old.to_text(before, value), AcceptContext())
            except FieldProblem as problem:
                raise _refused(after, problem) from problem
        if isinstance(new, SealedKind):
            return ring.close(_column(table, after), record_id, new.text_of(after, value))
        return new.bind(after, value)

    return turn


def rewrite(cursor: Any, table: str, source: str, target: str, turn: Turn, *, empty: bool = False) -> None:
    """Set `target` to what `turn` makes of `source` in every record that has a value (or, `empty`, has none)."""
    names = {"t": sql.Identifier(table), "s": sql.Identifier(source), "x": sql.Identifier(target)}
    state: sql.Composable = sql.SQL("IS NULL" if empty else "IS NOT NULL")
    if source != target:
        state += sql.SQL(" AND {x} IS NULL").format(**names)
    read = sql.SQL("SELECT id, {s} FROM {t} WHERE {s} {state} AND id > %s ORDER BY id LIMIT %s").format(
        **names, state=state
    )
    write = sql.SQL("UPDATE {t} SET {x} = %s WHERE id = %s").format(**names)
    last = UUID(int=0)
    while True:
        cursor.execute(read, [last, PORTION])
        rows = cursor.fetchall()
        if not rows:
            return
        cursor.executemany(write, [(turn(key, value), key) for key, value in rows])
        last = rows[-1][0]


def _column(table: str, field: FieldDef) -> Column:
    return Column(current_tenant().id, table, field.column, field.encrypted == "equality")


def _text(ring: Ring, column: Column, record_id: UUID, box: Any) -> bytes:
    try:
        return ring.open(column, record_id, bytes(box))
    except SealBroken as error:
        message = f"The value of {column.table}.{column.name} in the record {record_id} cannot be opened."
        raise Conflict(
            message, code="SCHEMA_CONFLICT", cure="Empty it first; what it was is lost.", details={}
        ) from error


def _refused(field: FieldDef, problem: FieldProblem) -> Conflict:
    return Conflict(
        f"Existing records forbid this: {field.name}: {problem.message}",
        code="SCHEMA_CONFLICT",
        cure="Correct the records first.",
    )
