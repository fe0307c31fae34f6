"""Numbers with a scale of their own: rating, slider, progress."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS
from apps.objects.kinds.numeric import NumberKind
from apps.objects.kinds.problem import AcceptContext, FieldProblem

MOST_STARS = 10


class RatingKind(NumberKind):
    """Stars: a whole number from 0 to `max`, which is 5 unless the definition says otherwise and 10 at most."""

    name = "rating"
    keys = frozenset({"max"})
    example = 4
    widget = "rating"
    cell = "rating"
    default_precision = 2
    default_scale = 0
    default_min = Decimal(0)
    default_max = Decimal(5)


class SliderKind(NumberKind):
    """A number chosen on a line from `min` (0) to `max` (100), in steps of `step` (1) counted from `min`."""

    name = "slider"
    keys = NumberKind.keys | {"step"}
    example = 40
    widget = "slider"
    cell = "slider"
    default_precision = 18
    default_scale = 6
    default_min = Decimal(0)
    default_max = Decimal(100)
    default_step = Decimal(1)

    def step(self, field: FieldDef) -> Decimal:
        """Return the distance between two choices."""
        return field.step or self.default_step

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        told = super().schema(field, writing=writing)
        low = self.bounds(field)[0] or Decimal(0)
        # `multipleOf` counts from zero, the slider from its lower end.
        return told | (
            {"multipleOf": float(self.step(field))} if writing and low % self.step(field) == 0 else {}
        )

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Decimal:
        value = super().parse(field, raw, context)
        low = self.bounds(field)[0] or Decimal(0)
        if (value - low) % self.step(field):
            message = _("Enter a number in steps of %(step)s from %(low)s.")
            raise FieldProblem("invalid_value", message % {"step": self.step(field), "low": low})
        return value


class ProgressKind(NumberKind):
    """How much is done, in per cent: 0 to 100."""

    name = "progress"
    keys = frozenset[str]()
    example = 65
    widget = "progress"
    cell = "progress"
    default_precision = 5
    default_scale = 2
    default_min = Decimal(0)
    default_max = Decimal(100)

    def from_text(self, field: FieldDef, text: str) -> Any:
        return text.strip().removesuffix("%").strip() or None


for _kind in (RatingKind(), SliderKind(), ProgressKind()):
    KINDS.register(_kind.name, _kind)
