"""The formula: a value that the database computes from the record's other fields and keeps with them.

It is a generated column, so it is filtered, sorted, grouped and exported like any other; there is one class
for each type of result.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import ANYBODY, KINDS, Kind
from apps.objects.kinds.moments import BooleanKind, DateKind, DateTimeKind
from apps.objects.kinds.numeric import CurrencyKind, NumberKind, PercentKind
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.text import TextKind

KEYS = frozenset({"expression", "returnType"})


class Computed(Kind):
    """What all results share: nobody writes them, and the column is made with the tables' machines."""

    keys = KEYS
    generated = True
    derived = True
    internal = True
    searchable = False
    uniqueable = False
    nestable = False
    maskable = False
    widget = "readonly"

    def constraints(self, object_name: str, field: FieldDef) -> list[models.BaseConstraint]:
        return []

    def indexes(self, object_name: str, field: FieldDef) -> list[models.Index]:
        return []

    def accept(self, field: FieldDef, raw: Any, *, context: AcceptContext = ANYBODY) -> Any:
        raise FieldProblem("invalid_value", _("The platform computes this value."))


class FormulaKind(Computed):
    """A value computed from the record's other fields by a CEL expression, never written."""

    name = "formula"
    internal = False
    example = 3
    results: ClassVar[dict[str, str]] = {
        name: f"formula_{name}"
        for name in ("number", "currency", "percent", "text", "boolean", "date", "datetime")
    }


class FormulaNumber(Computed, NumberKind):
    """A number that a formula gives."""

    name = "formula_number"


class FormulaCurrency(Computed, CurrencyKind):
    """An amount that a formula gives; nothing is rounded unless the formula says so."""

    name = "formula_currency"
    keys = KEYS | {"currency"}


class FormulaPercent(Computed, PercentKind):
    """A percentage that a formula gives."""

    name = "formula_percent"


class FormulaText(Computed, TextKind):
    """A text that a formula gives."""

    name = "formula_text"


class FormulaBoolean(Computed, BooleanKind):
    """True or false, as a formula says."""

    name = "formula_boolean"


class FormulaDate(Computed, DateKind):
    """A day that a formula gives."""

    name = "formula_date"


class FormulaDateTime(Computed, DateTimeKind):
    """An instant that a formula gives."""

    name = "formula_datetime"


for _kind in (
    FormulaKind(),
    FormulaNumber(),
    FormulaCurrency(),
    FormulaPercent(),
    FormulaText(),
    FormulaBoolean(),
    FormulaDate(),
    FormulaDateTime(),
):
    KINDS.register(_kind.name, _kind)
