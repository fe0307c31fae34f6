"""The code type: a piece of source text."""

from __future__ import annotations

from typing import Any

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS
from apps.objects.kinds.text import TextareaKind


class CodeKind(TextareaKind):
    """Source text, kept to the last space; `language` names what it is written in."""

    name = "code"
    keys = TextareaKind.keys | {"language"}
    nestable = False
    example = "SELECT 1;"
    widget = "code"
    cell = "code"

    def from_text(self, field: FieldDef, text: str) -> Any:
        return text if text.strip() else None


KINDS.register(CodeKind.name, CodeKind())
