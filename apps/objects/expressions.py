"""The variables of expressions over records: which type each field has, and what else may be named.

env = expressions.environment(obj)                  # record, previous, input, current_user, os.*, vars
env = expressions.environment(obj, bare=True)       # the fields by their names alone too, as row rules write
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from apps.core.cel import Env
from apps.core.cel.types import (
    BOOL,
    DATE,
    DECIMAL,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
    record_of,
)
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import kind_of

OF_COLUMNS: Mapping[str, Type] = MappingProxyType(
    {
        "text": STRING,
        "uuid": STRING,
        "numeric": DECIMAL,
        "integer": INT,
        "bigint": INT,
        "boolean": BOOL,
        "date": DATE,
        "timestamp with time zone": TIMESTAMP,
        "timestamptz": TIMESTAMP,
        "text[]": list_of(STRING),
        "uuid[]": list_of(STRING),
    }
)
USER = record_of(
    "current_user",
    {
        "id": STRING,
        "email": STRING,
        "name": STRING,
        "positions": list_of(STRING),
        "organization_id": STRING,
    },
)
ORGANIZATION = record_of("os.org", {"id": STRING, "slug": STRING})


def field_type(field: FieldDef) -> Type:
    """Return the type of a field's value in an expression; what has no column of a plain type is `dyn`."""
    return OF_COLUMNS.get(kind_of(field).sql_type.split("(")[0], DYN)


def usable(field: FieldDef) -> bool:
    """Say whether an expression may look at the field: what nobody reads back, no condition tells either."""
    return not kind_of(field).write_only


def record_type(fields: Mapping[str, FieldDef], label: str = "record") -> Type:
    """Return the type of records with these fields."""
    return record_of(label, {name: field_type(found) for name, found in fields.items() if usable(found)})


def environment(obj: ObjectDef, *, bare: bool = False) -> Env:
    """Return what an expression over records of `obj` may name."""
    return environment_of(obj.all_fields, obj.name, bare=bare)


def environment_of(fields: Mapping[str, FieldDef], label: str, *, bare: bool = False) -> Env:
    """Return what an expression over records with these fields may name."""
    record = record_type(fields, label)
    known = {
        "record": record,
        "previous": record,
        "input": record,
        "current_user": USER,
        "user": USER,
        "ctx.user": USER,
        "os.user": USER,
        "os.org": ORGANIZATION,
        "os.env": map_of(STRING, STRING),
        "vars": map_of(STRING, DYN),
    }
    if bare:
        known = {**record.fields, **known}
    return Env(MappingProxyType(known))
