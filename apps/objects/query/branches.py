"""What is under and above a record in a tree: walked in the same statement, over records that the reader may see.

A record that the reader may not see ends the walk: what hangs below it would otherwise tell what it hangs under.
"""

from typing import Any

from psycopg import sql

from apps.objects.definitions import ObjectDef
from apps.objects.query.where import Slot

T = "t"
UNDER = sql.SQL(
    "{id} IN (WITH RECURSIVE w(id) AS (SELECT t.id FROM {table} t WHERE t.{link} = {start} AND {first}"
    " UNION SELECT t.id FROM {table} t JOIN w ON t.{link} = w.id WHERE {further}) SELECT w.id FROM w)"
)
ABOVE = sql.SQL(
    "{id} IN (WITH RECURSIVE w(id) AS (SELECT t.{link} FROM {table} t WHERE t.id = {start} AND {first}"
    " UNION SELECT t.{link} FROM {table} t JOIN w ON t.id = w.id WHERE {further}) SELECT w.id FROM w"
    " WHERE w.id IS NOT NULL)"
)


def walk(compiler: Any, obj: ObjectDef, name: str, operator: str, slot: Slot, alias: str) -> sql.Composable:
    """Return "the record `alias` is under (or above) the one in `slot`", neither of them counted in.

    `compiler` is a `Compiler`; its parameters are added in the order of the text.
    """
    start = compiler.params.add(slot)
    first = compiler.visible(obj, T)
    further = compiler.visible(obj, T)
    return (UNDER if operator == "under" else ABOVE).format(
        id=sql.Identifier(alias, "id"),
        table=compiler.table(obj),
        link=sql.Identifier(name),
        start=start,
        first=first,
        further=further,
    )
