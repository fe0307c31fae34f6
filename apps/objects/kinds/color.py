"""The color type: `#rrggbb`."""

from __future__ import annotations

import re
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS
from apps.objects.kinds.naming import named
from apps.objects.kinds.problem import FieldProblem
from apps.objects.kinds.text import TextKind

SHORT = re.compile(r"#[0-9a-f]{3}")
LONG = re.compile(r"#[0-9a-f]{6}")


class ColorKind(TextKind):
    """A colour as `#rrggbb`, in lower case; `#abc` is taken for `#aabbcc`."""

    name = "color"
    keys = frozenset[str]()
    searchable = False
    maskable = False
    example = "#1f6feb"
    limit = 7
    ceiling = 7
    widget = "color"
    cell = "color"

    def constraints(self, object_name: str, field: FieldDef) -> list[models.BaseConstraint]:
        condition = models.Q(**{f"{field.name}__regex": f"^{LONG.pattern}$"})
        return [models.CheckConstraint(condition=condition, name=named(object_name, field.name, "fmt"))]

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return {"type": "string"} | ({"pattern": "^#(?:[0-9a-fA-F]{3}){1,2}$"} if writing else {})

    def tidy(self, text: str) -> str:
        text = text.strip().lower()
        return "#" + "".join(c * 2 for c in text[1:]) if SHORT.fullmatch(text) else text

    def judge(self, text: str) -> None:
        if not LONG.fullmatch(text):
            raise FieldProblem("invalid_format", _("Enter a colour such as #1f6feb."))

    def filter_value(self, field: FieldDef, raw: Any) -> str:
        return self.tidy(super().filter_value(field, raw))


KINDS.register(ColorKind.name, ColorKind())
