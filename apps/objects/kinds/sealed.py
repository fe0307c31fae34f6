"""Encrypted fields: any sealable type with a column of sealed bytes in place of its own.

Judging, defaults, forms, cells and files stay the type's; the column, its constraints and what a query may ask do
not. The bytes are made and opened in `apps.objects.encryption`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import orjson
from django.db import models
from django.db.models import F, Func, Q
from psycopg import sql

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS, PRESENCE, SEALED, Kind
from apps.objects.kinds.naming import named
from apps.objects.kinds.problem import AcceptContext

EQUAL = frozenset({"$eq", "$ne", "$in", "$nin"})
BLIND_FROM, BLIND_SIZE = 6, 16  # after a byte of form and four of key version
LIVING = Q(deleted_at__isnull=True)
MODES = ("value", "equality")
DOTS = "•" * 8  # what the ledger keeps of a value: that there was one
LOADED: Mapping[str, Callable[[Any], Any]] = {
    "text": lambda wire: wire,
    "numeric": Decimal,
    "date": dt.date.fromisoformat,
    "timestamptz": dt.datetime.fromisoformat,
}
OWN = (
    "name",
    "keys",
    "generated",
    "internal",
    "widget",
    "cell",
    "maskable",
    "uniqueable",
    "write_only",
    "example",
)


class BlindPart(Func):
    """The part of a sealed value that is equal for equal values."""

    function = "substring"
    template = f"%(function)s(%(expressions)s, {BLIND_FROM}, {BLIND_SIZE})"
    output_field = models.BinaryField()


def blind_sql(column: sql.Composable) -> sql.Composable:
    """Return the same of a column in a query; the planner knows the index by it."""
    return sql.SQL("substring({}, {}, {})").format(column, sql.Literal(BLIND_FROM), sql.Literal(BLIND_SIZE))


class SealedKind(Kind):
    """A type whose values are kept sealed; everything that is not about the column is asked of `inner`."""

    sortable = False
    searchable = False
    sql_type = "bytea"

    def __init__(self, inner: Kind, mode: str) -> None:
        self.inner = inner
        self.mode = mode
        for name in OWN:
            setattr(self, name, getattr(inner, name))
        # The class attribute belongs to all instances of a kind; here there is one instance a mode.
        self.operators = PRESENCE | (EQUAL if mode == "equality" else frozenset())  # type: ignore[misc]

    def __getattr__(self, name: str) -> Any:
        """Return what only the type itself has, such as its longest text."""
        return getattr(self.inner, name)

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        # The comment says in the database what the bytes are, and makes another type or mode a change of the column.
        comment = f"encrypted {field.type}, {self.mode}"
        return models.BinaryField(null=not field.required, db_comment=comment)

    def indexes(self, object_name: str, field: FieldDef) -> list[models.Index]:
        if self.mode != "equality" or field.unique or field.external_id:
            return []
        return [
            models.Index(
                BlindPart(F(field.name)), condition=LIVING, name=named(object_name, field.name, "bi")
            )
        ]

    # -- values: the type's own --------------------------------------------------------------------

    def accept(self, field: FieldDef, raw: Any, *, context: AcceptContext = AcceptContext()) -> Any:  # noqa: B008
        return self.inner.accept(field, raw, context=context)

    def is_empty(self, raw: Any) -> bool:
        return self.inner.is_empty(raw)

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Any:
        return self.inner.parse(field, raw, context)

    def token(self, value: Any, context: AcceptContext) -> Any:
        return self.inner.token(value, context)

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return self.inner.python_json(field, value)

    def to_text(self, field: FieldDef, value: Any) -> str:
        return self.inner.to_text(field, value)

    def from_text(self, field: FieldDef, text: str) -> Any:
        return self.inner.from_text(field, text)

    def is_echo(self, raw: Any) -> bool:
        return self.inner.is_echo(raw)

    def remembered(self, field: FieldDef, value: Any) -> bool:
        return False

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return self.inner.schema(field, writing=writing)

    def filter_value(self, field: FieldDef, raw: Any) -> Any:
        return self.inner.filter_value(field, raw)

    # -- between a value and the text that is sealed -----------------------------------------------

    def json_sql(self, field: FieldDef, column: sql.Composable) -> sql.Composable:
        """Return what is shown without opening: the mask of a secret; other types are opened after the statement."""
        return self.inner.json_sql(field, column)

    def text_of(self, field: FieldDef, value: Any) -> bytes:
        """Return the JSON of a value: what is sealed, and what an answer shows as it is."""
        wire = value if self.write_only else self.inner.python_json(field, value)
        return format(wire, "f").encode() if isinstance(wire, Decimal) else orjson.dumps(wire)

    def value_of(self, text: bytes) -> Any:
        """Return the value of that JSON."""
        if self.inner.sql_type == "numeric":
            return Decimal(text.decode())
        return LOADED[self.inner.sql_type](orjson.loads(text))


def sealable(kind: Kind) -> bool:
    """Say whether values of the type can be kept sealed: single ones that the platform does not make itself."""
    special = kind.generated or kind.internal or kind.is_array
    return not special and kind.sql_type in LOADED and not kind.keys & {"options", "reference"}


def register() -> None:
    """Enter the sealed form of every type registered so far."""
    for name, kind in KINDS.items():
        if sealable(kind):
            SEALED.update({(name, mode): SealedKind(kind, mode) for mode in MODES})
