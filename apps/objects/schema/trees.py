"""Trees: no record is below itself, whoever moves what at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from psycopg import sql

from apps.objects.definitions import ObjectDef
from apps.objects.kinds.naming import named
from apps.objects.schema.machines import Machine, Trigger, text

SUFFIX = "tree"
# Two moves that are each right may close a circle together, so moves of one tree stand in line; the walk is a
# statement after the lock and sees what the move before it committed. A new record has nothing below it yet.
BODY = sql.SQL(
    "BEGIN\n"
    "  IF NEW.{field} IS NULL OR (TG_OP = 'UPDATE' AND NEW.{field} IS NOT DISTINCT FROM OLD.{field}) THEN\n"
    "    RETURN NULL;\n"
    "  END IF;\n"
    "  IF TG_OP = 'UPDATE' THEN\n"
    "    PERFORM pg_advisory_xact_lock(TG_RELID::integer, hashtext({name}));\n"
    "  END IF;\n"
    "  IF EXISTS (\n"
    "    WITH RECURSIVE above(id) AS (\n"
    "      SELECT NEW.{field} UNION SELECT t.{field} FROM {table} t JOIN above a ON t.id = a.id\n"
    "      WHERE t.{field} IS NOT NULL\n"
    "    ) SELECT 1 FROM above WHERE id = NEW.id\n"
    "  ) THEN\n"
    "    RAISE EXCEPTION 'the record would be below itself' USING ERRCODE = 'check_violation', CONSTRAINT = {name};\n"
    "  END IF;\n"
    "  RETURN NULL;\n"
    "END"
)


def trees(objects: Mapping[str, ObjectDef]) -> Iterator[Machine]:
    """Yield a machine for each tree field."""
    for definition in objects.values():
        for field in definition.fields.values():
            if field.type != "tree":
                continue
            name = named(definition.name, field.name, SUFFIX)
            body = BODY.format(
                field=sql.Identifier(field.column),
                table=sql.Identifier(definition.table),
                name=sql.Literal(name),
            )
            yield Machine(
                name=name,
                object=definition.name,
                field=field.name,
                sentence=f"See to it that no {definition.name} is below itself in {field.name}",
                body=text(body),
                triggers=(Trigger(definition.table, "AFTER INSERT OR UPDATE"),),
            )
