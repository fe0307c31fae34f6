"""The vector type: a fixed count of numbers, as embeddings are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS, PRESENCE, Kind
from apps.objects.kinds.naming import named
from apps.objects.kinds.problem import AcceptContext, FieldProblem

MOST_DIMENSIONS = 4_096
SEPARATORS = re.compile(r"[\[\];,\s]+")


class Cardinality(models.Func):
    """How many items an array has."""

    function = "cardinality"
    output_field = models.IntegerField()


class VectorKind(Kind):
    """Exactly `dimensions` numbers in double precision, for programs that compare them."""

    name = "vector"
    keys = frozenset({"dimensions"})
    operators = PRESENCE
    sortable = False
    uniqueable = False
    example: ClassVar[Any] = (0.25, -1, 0.5)
    widget = "json"
    cell = "vector"
    sql_type = "double precision[]"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return ArrayField(models.FloatField(), null=not field.required)

    def constraints(self, object_name: str, field: FieldDef) -> list[models.BaseConstraint]:
        condition = Exact(Cardinality(F(field.name)), field.dimensions)
        return [models.CheckConstraint(condition=condition, name=named(object_name, field.name, "dim"))]

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        size = {"minItems": field.dimensions, "maxItems": field.dimensions} if writing else {}
        return {"type": "array", "items": {"type": "number"}} | size

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> list[float]:
        if not isinstance(raw, Sequence) or isinstance(raw, str):
            raise FieldProblem("invalid_type", _("Enter a list of numbers."))
        if len(raw) != field.dimensions:
            message = _("Enter exactly %(count)d numbers.") % {"count": field.dimensions}
            code = "min_items" if len(raw) < (field.dimensions or 0) else "max_items"
            raise FieldProblem(code, message, constraint=field.dimensions)
        return [self._number(item) for item in raw]

    def _number(self, item: Any) -> float:
        try:
            number = math.nan if isinstance(item, bool | str) else float(item)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise FieldProblem("invalid_number", _("Enter finite numbers."))
        return number + 0.0  # minus zero becomes zero

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return None if value is None else [Decimal(repr(item)) for item in value]

    def recalled(self, field: FieldDef, value: Any) -> Any:
        return [float(item) for item in value] if isinstance(value, list) else value

    def from_text(self, field: FieldDef, text: str) -> Any:
        parts = [part for part in SEPARATORS.split(text) if part]
        try:
            return [float(part) for part in parts] or None
        except ValueError as error:
            raise FieldProblem("invalid_number", _("Enter a list of numbers.")) from error

    def to_text(self, field: FieldDef, value: Any) -> str:
        return "" if value is None else "[" + ", ".join(repr(item) for item in value) + "]"


KINDS.register(VectorKind.name, VectorKind())
