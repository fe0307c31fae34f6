"""Types that hold numbers: number, currency, percent, and the integer of the system columns.

All of them are PostgreSQL `numeric`: what was written is what is read, to the last digit.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _
from psycopg import sql

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import EQUALITY, KINDS, ORDER, Kind
from apps.objects.kinds.naming import named
from apps.objects.kinds.problem import AcceptContext, FieldProblem

DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
MOST_DIGITS = 38
MOST_DECIMALS = 20
WIDE = Context(prec=2 * MOST_DIGITS)  # the default context would round to 28 digits


def as_decimal(raw: Any) -> Decimal:
    """Return the number that `raw` (a number, or a number written as text) stands for."""
    if isinstance(raw, Decimal):
        value = raw
    elif isinstance(raw, bool):
        raise FieldProblem("invalid_type", _("Enter a number."))
    elif isinstance(raw, int):
        value = Decimal(raw)
    elif isinstance(raw, float):
        value = Decimal(repr(raw))
    elif isinstance(raw, str) and len(raw) <= 100 and DECIMAL.fullmatch(raw.strip()):
        value = Decimal(raw.strip())
    else:
        code = "invalid_number" if isinstance(raw, str) else "invalid_type"
        raise FieldProblem(code, _("Enter a number such as 1250.50."))
    if not value.is_finite():
        raise FieldProblem("invalid_number", _("Enter a finite number."))
    return value


def trimmed(value: Decimal) -> Decimal:
    """Return `value` without zeros after the point: 25.00 → 25, 1E+2 → 100."""
    value = value.normalize(WIDE) if value else Decimal(0)
    return value.quantize(Decimal(1), context=WIDE) if int(value.as_tuple().exponent) > 0 else value


class Numeric(models.DecimalField):
    """PostgreSQL's `numeric`, free when it has no digits; Django 5.2 would write `numeric(None, None)`."""

    def db_type(self, connection: Any) -> str:
        return "numeric" if self.max_digits is None else f"numeric({self.max_digits}, {self.decimal_places})"


class NumberKind(Kind):
    """A number, exact to 20 decimals; `precision` and `scale` limit all digits and the decimals."""

    name = "number"
    keys = frozenset({"min", "max", "precision", "scale"})
    operators = EQUALITY | ORDER
    nestable = True
    example = 1250.5
    widget = "number"
    cell = "number"
    sql_type = "numeric"
    default_precision: ClassVar[int | None] = None
    default_scale: ClassVar[int | None] = None
    default_min: ClassVar[Decimal | None] = None
    default_max: ClassVar[Decimal | None] = None

    def bounds(self, field: FieldDef) -> tuple[Decimal | None, Decimal | None]:
        """Return the smallest and the largest number, None where there is no bound."""
        low = self.default_min if field.min is None else field.min
        return low, self.default_max if field.max is None else field.max

    def digits(self, field: FieldDef) -> tuple[int, int] | None:
        """Return (all digits, decimals) of the column, or None when it is free."""
        precision, scale = field.precision, field.scale
        if precision is None and scale is None:
            precision, scale = self.default_precision, self.default_scale
        if precision is None and scale is None:
            return None
        if scale is None:
            scale = min(self.default_scale or 0, precision or 0)
        return (precision or self.default_precision or MOST_DIGITS, scale)

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        precision, scale = self.digits(field) or (None, None)
        return Numeric(max_digits=precision, decimal_places=scale, null=not field.required)

    def constraints(self, object_name: str, field: FieldDef) -> list[models.BaseConstraint]:
        found: list[models.BaseConstraint] = []
        low, high = self.bounds(field)
        for suffix, lookup, bound in (("min", "gte", low), ("max", "lte", high)):
            if bound is not None:
                condition = Q(**{f"{field.name}__{lookup}": bound})
                name = named(object_name, field.name, suffix)
                found.append(models.CheckConstraint(condition=condition, name=name))
        return found

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Decimal:
        value = as_decimal(raw)
        if value and (value.adjusted() >= MOST_DIGITS or value.adjusted() < -MOST_DECIMALS):
            raise FieldProblem("invalid_number", _("The number is too large or too small."))
        value = trimmed(value)
        precision, scale = self.digits(field) or (MOST_DIGITS + MOST_DECIMALS, MOST_DECIMALS)
        if -int(value.as_tuple().exponent) > scale:
            message = _("Enter at most %(scale)d decimals.") % {"scale": scale}
            raise FieldProblem("max_scale", message, constraint=scale)
        if value and value.adjusted() >= precision - scale:
            message = _("Enter at most %(count)d digits before the point.") % {"count": precision - scale}
            raise FieldProblem("max_value", message, constraint=precision - scale)
        low, high = self.bounds(field)
        if low is not None and value < low:
            message = _("Enter %(bound)s or more.") % {"bound": low}
            raise FieldProblem("min_value", message, constraint=str(low))
        if high is not None and value > high:
            message = _("Enter %(bound)s or less.") % {"bound": high}
            raise FieldProblem("max_value", message, constraint=str(high))
        return value

    def json_sql(self, field: FieldDef, column: sql.Composable) -> sql.Composable:
        return sql.SQL("trim_scale({})").format(column)

    def python_json(self, field: FieldDef, value: Any) -> Any:
        if value is None:
            return None
        value = trimmed(value)
        return int(value) if int(value.as_tuple().exponent) >= 0 else value

    def recalled(self, field: FieldDef, value: Any) -> Any:
        return Decimal(value) if isinstance(value, str | int) and not isinstance(value, bool) else value

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        bounds = zip(("minimum", "maximum"), self.bounds(field), strict=True)
        told = {key: float(bound) for key, bound in bounds if bound is not None and writing}
        return {"type": "number"} | told

    def to_text(self, field: FieldDef, value: Any) -> str:
        return "" if value is None else format(trimmed(value), "f")

    def filter_value(self, field: FieldDef, raw: Any) -> Decimal:
        return as_decimal(raw)


class CurrencyKind(NumberKind):
    """An amount of money: 18 digits, 2 of them decimals, unless the definition says otherwise."""

    name = "currency"
    keys = NumberKind.keys | {"currency"}
    cell = "currency"
    default_precision = 18
    default_scale = 2


class PercentKind(NumberKind):
    """A percentage as people write it: 25 means 25 %."""

    name = "percent"
    example = 25
    cell = "percent"
    default_precision = 9
    default_scale = 4

    def from_text(self, field: FieldDef, text: str) -> Any:
        return text.strip().removesuffix("%").strip() or None


class IntegerKind(NumberKind):
    """A whole number kept by the platform, such as a record's version."""

    name = "integer"
    internal = True
    nestable = False
    sql_type = "integer"
    default_precision = 9
    default_scale = 0

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.IntegerField(null=not field.required)

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return {"type": "integer"}

    def json_sql(self, field: FieldDef, column: sql.Composable) -> sql.Composable:
        return column

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return value

    def to_text(self, field: FieldDef, value: Any) -> str:
        return "" if value is None else str(value)


for _kind in (NumberKind(), CurrencyKind(), PercentKind(), IntegerKind()):
    KINDS.register(_kind.name, _kind)
