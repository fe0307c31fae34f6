"""The contract of a field type: one class says all there is to know about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext as _
from psycopg import sql

from apps.core.registry import Registry
from apps.objects.definitions import FieldDef
from apps.objects.kinds.problem import AcceptContext, FieldProblem

PRESENCE = frozenset({"$null", "$exists"})
EQUALITY = PRESENCE | {"$eq", "$ne", "$in", "$nin"}
ORDER = frozenset({"$gt", "$gte", "$lt", "$lte", "$between"})
MATCH = frozenset({"$contains", "$notContains", "$startsWith", "$endsWith", "$icontains", "$like", "$ilike"})
ANYBODY = AcceptContext()


class Kind:
    """A field type: its column, the values it takes, and how they look on the wire.

    `keys` names the definition keys that only this type understands; `is_array` tells the query compiler
    that `$contains` means "has the element", `element` of which SQL type; `many` names the type of a field with
    `multiple`; `generated` means that the database makes the value,
    `derived` that it computes it from others; `results` names the types of a computed field by its `return_type`; `write_only` that nobody reads it back;
    `nestable` that a composite may hold it. `example` is a wire value for the reference.
    """

    name: ClassVar[str]
    keys: ClassVar[frozenset[str]] = frozenset()
    operators: ClassVar[frozenset[str]] = EQUALITY
    sortable: ClassVar[bool] = True
    searchable: ClassVar[bool] = False
    uniqueable: ClassVar[bool] = True
    maskable: ClassVar[bool] = False
    is_array: ClassVar[bool] = False
    element: ClassVar[str] = "text"
    many: ClassVar[str | None] = None
    generated: ClassVar[bool] = False
    derived: ClassVar[bool] = False
    results: ClassVar[Mapping[str, str]] = {}
    internal: ClassVar[bool] = False
    write_only: ClassVar[bool] = False
    nestable: ClassVar[bool] = False
    example: ClassVar[Any] = None
    widget: ClassVar[str] = "text"
    cell: ClassVar[str] = "text"
    sql_type: ClassVar[str] = "text"

    # -- the table ---------------------------------------------------------------------------------

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        """Return the unbound Django field of the column; null unless the field is required."""
        raise NotImplementedError

    def constraints(self, object_name: str, field: FieldDef) -> list[models.BaseConstraint]:
        """Return the named table constraints beyond NOT NULL and uniqueness."""
        return []

    def indexes(self, object_name: str, field: FieldDef) -> list[models.Index]:
        """Return the named indexes that the type itself needs."""
        return []

    # -- values ------------------------------------------------------------------------------------

    def accept(self, field: FieldDef, raw: Any, *, context: AcceptContext = ANYBODY) -> Any:
        """Return the Python value to store, or raise `FieldProblem`.

        An empty string means no value. No value is refused with `required` when the field needs one.
        """
        if self.is_empty(raw):
            if field.required and not self.generated:
                raise FieldProblem("required", _("This field is required."))
            return None
        return self.parse(field, raw, context)

    def is_empty(self, raw: Any) -> bool:
        return raw is None or (isinstance(raw, str) and not raw)

    def is_echo(self, raw: Any) -> bool:
        """Say whether `raw` is only the mask that was read, sent back: then the stored value stays."""
        return False

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Any:
        """Return the value of a non-empty `raw`, or raise `FieldProblem`."""
        raise NotImplementedError

    def default(self, field: FieldDef, *, context: AcceptContext = ANYBODY) -> Any:
        """Return the value of a field that a new record leaves out, or None."""
        if field.default_value is None:
            return None
        return self.parse(field, self.token(field.default_value, context), context)

    def token(self, value: Any, context: AcceptContext) -> Any:
        """Replace the one token the type understands as a default (`{today}`, `{now}`, …)."""
        return value

    def bind(self, field: FieldDef, value: Any) -> Any:
        """Return `value` as psycopg should receive it."""
        return value

    # -- the wire ----------------------------------------------------------------------------------

    def json_sql(self, field: FieldDef, column: sql.Composable) -> sql.Composable:
        """Return an SQL expression that `json_build_object` turns into the wire value of `column`."""
        return column

    def python_json(self, field: FieldDef, value: Any) -> Any:
        """Return the wire value of a stored `value`; exact numbers stay Decimal."""
        return value

    def recalled(self, field: FieldDef, value: Any) -> Any:
        """Return the wire value of what the ledger kept; it keeps exact numbers as text."""
        return value

    def remembered(self, field: FieldDef, value: Any) -> bool:
        """Say whether `recalled` gives back the very value, so that it may be restored."""
        return True

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        """Return the JSON Schema of the wire value, null left to the caller; with `writing` of what is taken."""
        return {"type": "string"}

    def to_text(self, field: FieldDef, value: Any) -> str:
        """Return `value` as a CSV cell that `from_text` reads back."""
        return "" if value is None else str(value)

    def from_text(self, field: FieldDef, text: str) -> Any:
        """Return what `accept` should judge for a CSV cell or form input; blank means None."""
        return text.strip() or None

    # -- filters -----------------------------------------------------------------------------------

    def filter_value(self, field: FieldDef, raw: Any) -> Any:
        """Return the comparand of a filter, or raise `FieldProblem`; None is left to the caller."""
        return self.parse(field, raw, ANYBODY)


KINDS: Registry[Kind] = Registry("field types", Kind)
SEALED: dict[tuple[str, str], Kind] = {}  # (type, mode) → the type with a column of sealed bytes


def kind_of(field: FieldDef) -> Kind:
    """Return the type of `field`: of several values, or with a column of sealed bytes, it is another one."""
    if field.encrypted and (sealed := SEALED.get((field.type, field.encrypted))):
        return sealed
    kind = KINDS[field.type]
    if kind.results:
        return KINDS[kind.results.get(field.return_type or "", kind.name)]
    return KINDS[kind.many] if field.multiple and kind.many else kind


@cache
def public_kinds() -> Sequence[str]:
    """Return the names that a definition may use; all of them are registered when the package is imported."""
    return tuple(name for name, kind in KINDS.items() if not kind.internal)
