"""The summary: a number about the records that belong to this one, kept by the database."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS
from apps.objects.kinds.numeric import NumberKind, Numeric
from apps.objects.kinds.problem import AcceptContext, FieldProblem

FROM_ZERO = frozenset({"count", "sum"})


class SummaryKind(NumberKind):
    """A roll-up: count, sum, min, max or avg over the records that refer to this one.

    `currency` shows it as money, `scale` rounds an average. A count and a sum of nothing are 0; the smallest, the greatest and the average of nothing are null.
    """

    name = "summary"
    keys = frozenset({"summaryOperations", "currency", "scale"})
    generated = True
    widget = "readonly"
    uniqueable = False
    nestable = False
    example = 3

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        if field.summary is not None and field.summary.function in FROM_ZERO:
            return Numeric(max_digits=None, decimal_places=None, db_default=0)
        return Numeric(max_digits=None, decimal_places=None, null=True)

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Any:
        raise FieldProblem("invalid_value", _("The platform keeps this number."))


KINDS.register(SummaryKind.name, SummaryKind())
