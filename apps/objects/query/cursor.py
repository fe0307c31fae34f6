"""Cursors: the place of the last row of a page, signed, and the predicate "after that place"."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest

from django.conf import settings
from psycopg import sql

from apps.core.errors import Problem
from apps.objects.definitions import ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.query import tree
from apps.objects.query.refusals import invalid_query
from apps.objects.query.where import Params

SIGNATURE = 12
LONGEST = 8_000
Values = tuple[str | None, ...]


class Place:
    """Stands in the parameter list for the cursor's value of that sort key."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


def keys(shape: tree.Shape) -> tuple[tree.Sort, ...]:
    """Return the full order of a list: what was asked for, then the id in the last key's direction."""
    if any(key.field == "id" for key in shape.sort):
        return shape.sort
    return (*shape.sort, tree.Sort("id", shape.sort[-1].descending if shape.sort else False))


def _mac(audience: str, payload: bytes) -> bytes:
    key = blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=b"query.cursor").digest()
    return blake2b(audience.encode() + b"\0" + payload, key=key, digest_size=SIGNATURE).digest()


def audience(tenant: object, user: object, shape: tree.Shape) -> str:
    """Return whom and what a cursor is good for: one tenant, one user, one object in one order."""
    order = ",".join(f"{'-' if key.descending else ''}{key.field}" for key in keys(shape))
    return f"{tenant}|{user}|{shape.object}|{order}|{shape.deleted}"


def encode(values: str, audience: str) -> str:
    """Return the cursor of a row whose sort values, as JSON text, are `values`."""
    payload = values.encode()
    return urlsafe_b64encode(_mac(audience, payload) + payload).rstrip(b"=").decode()


def decode(cursor: str, audience: str, shape: tree.Shape) -> Values:
    """Return the sort values of a cursor; a changed or foreign one is refused (400 INVALID_QUERY)."""
    try:
        if len(cursor) > LONGEST:
            raise _bad()
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        signature, payload = raw[:SIGNATURE], raw[SIGNATURE:]
        if not compare_digest(signature, _mac(audience, payload)):
            raise _bad()
        values = json.loads(payload)
    except (ValueError, UnicodeError) as error:
        raise _bad() from error
    if not isinstance(values, list) or len(values) != len(keys(shape)):
        raise _bad()
    return tuple(values)


def _bad() -> Problem:
    return invalid_query("`after` is no cursor of this list; begin again without it.")


def place_sql(shape: tree.Shape, alias: str) -> sql.Composable:
    """Return the expression of a row's place: a JSON array of the sort values as text."""
    parts = [sql.SQL("{}::text").format(sql.Identifier(alias, key.field)) for key in keys(shape)]
    return sql.SQL("json_build_array({})::text").format(sql.SQL(", ").join(parts))


def order_sql(shape: tree.Shape, alias: str) -> sql.Composable:
    """Return the ORDER BY list; NULLs are last going up and first going down, as PostgreSQL's indexes are."""
    parts = [
        sql.SQL("{} {}").format(
            sql.Identifier(alias, key.field), sql.SQL("DESC" if key.descending else "ASC")
        )
        for key in keys(shape)
    ]
    return sql.SQL(", ").join(parts)


def after_sql(obj: ObjectDef, shape: tree.Shape, alias: str, params: Params) -> sql.Composable:
    """Return the predicate "this row comes after the cursor's place"; `shape.after` says which values are NULL."""
    order = keys(shape)
    nulls = shape.after or (False,) * len(order)
    plain = not any(nulls) and all(obj.all_fields[key.field].required for key in order)
    if plain and len({key.descending for key in order}) == 1:
        columns = sql.SQL(", ").join([sql.Identifier(alias, key.field) for key in order])
        values = sql.SQL(", ").join([_value(obj, key, index, params) for index, key in enumerate(order)])
        sign = sql.SQL("<" if order[0].descending else ">")
        return sql.SQL("(({}) {} ({}))").format(columns, sign, values)
    choices = []
    for last in range(len(order)):
        equal = [_equal(obj, order[i], i, nulls[i], alias, params) for i in range(last)]
        choices.append(
            sql.SQL(" AND ").join([*equal, _beyond(obj, order[last], last, nulls[last], alias, params)])
        )
    return sql.SQL("({})").format(
        sql.SQL(" OR ").join([sql.SQL("({})").format(choice) for choice in choices])
    )


def _value(obj: ObjectDef, key: tree.Sort, index: int, params: Params) -> sql.Composable:
    kind = kind_of(obj.all_fields[key.field])
    return sql.SQL("{}::{}").format(params.add(Place(index)), sql.SQL(kind.sql_type))


def _equal(
    obj: ObjectDef, key: tree.Sort, index: int, null: bool, alias: str, params: Params
) -> sql.Composable:
    column = sql.Identifier(alias, key.field)
    if null:
        return sql.SQL("{} IS NULL").format(column)
    return sql.SQL("{} = {}").format(column, _value(obj, key, index, params))


def _beyond(
    obj: ObjectDef, key: tree.Sort, index: int, null: bool, alias: str, params: Params
) -> sql.Composable:
    column = sql.Identifier(alias, key.field)
    if null:
        return sql.SQL("{} IS NOT NULL").format(column) if key.descending else sql.SQL("false")
    test = sql.SQL("{} {} {}").format(
        column, sql.SQL("<" if key.descending else ">"), _value(obj, key, index, params)
    )
    if key.descending or obj.all_fields[key.field].required:
        return test
    return sql.SQL("({} OR {} IS NULL)").format(test, column)
