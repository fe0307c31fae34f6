"""Integrity of lookups that hold several ids: an array, held to its targets as a foreign key would hold it.

PostgreSQL has no foreign key on the elements of an array. Two triggers do what its own do: whoever writes an id
locks the record behind it (`FOR KEY SHARE`), so that a removal waits for the writer and the writer for a removal;
whoever removes a record looks, with a fresh snapshot, for those that hold its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from psycopg import sql

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.naming import named
from apps.objects.schema.machines import Machine, Trigger, text

HELD = sql.SQL(
    "BEGIN\n"
    "  IF TG_OP = 'UPDATE' AND NEW.{field} IS NOT DISTINCT FROM OLD.{field} THEN RETURN NULL; END IF;\n"
    "  IF (SELECT count(*) FROM (SELECT 1 FROM {target} t WHERE t.id = ANY (NEW.{field}) FOR KEY SHARE) x)\n"
    "     < cardinality(NEW.{field}) THEN\n"
    "    RAISE EXCEPTION 'an id of the list stands for no record' USING ERRCODE = 'foreign_key_violation',"
    " CONSTRAINT = {name};\n"
    "  END IF;\n"
    "  RETURN NULL;\n"
    "END"
)
KEPT = sql.SQL(
    "BEGIN\n"
    "  IF EXISTS (SELECT 1 FROM {source} s WHERE s.{field} @> ARRAY[OLD.id]) THEN\n"
    "    RAISE EXCEPTION 'the record is still listed' USING ERRCODE = 'foreign_key_violation',"
    " CONSTRAINT = {name};\n"
    "  END IF;\n"
    "  RETURN NULL;\n"
    "END"
)
EMPTIED = sql.SQL(
    "BEGIN\n"
    "  UPDATE {source} s SET {field} = nullif(array_remove(s.{field}, OLD.id), '{{}}')\n"
    "  WHERE s.{field} @> ARRAY[OLD.id];\n"
    "  RETURN NULL;\n"
    "END"
)


def links(objects: Mapping[str, ObjectDef]) -> Iterator[Machine]:
    """Yield two machines for each lookup that takes several records."""
    for source in objects.values():
        for field in source.references:
            target = objects.get(field.reference or "")
            if field.multiple and target is not None:
                yield _machine(source, field, target, "fk", HELD)
                emptied = field.delete_behavior == "set_null"
                yield _machine(source, field, target, "rm", EMPTIED if emptied else KEPT)


def _machine(source: ObjectDef, field: FieldDef, target: ObjectDef, suffix: str, body: sql.SQL) -> Machine:
    writing = suffix == "fk"
    words = "lists existing records" if writing else "is told of removed records"
    return Machine(
        name=named(source.name, field.name, suffix),
        object=source.name,
        field=field.name,
        sentence=f"See to it that {source.name}.{field.name} {words} of {target.name}",
        body=text(
            body.format(
                field=sql.Identifier(field.column),
                source=sql.Identifier(source.table),
                target=sql.Identifier(target.table),
                name=sql.Literal(named(source.name, field.name, "fk")),
            )
        ),
        triggers=(
            Trigger(source.table, "AFTER INSERT OR UPDATE")
            if writing
            else Trigger(target.table, "AFTER DELETE"),
        ),
    )
