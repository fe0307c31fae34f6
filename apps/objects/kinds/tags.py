"""The tags type: words that people make up, kept as `text[]`."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS, PRESENCE, Kind
from apps.objects.kinds.naming import named
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.text import clean_text

MOST_TAGS = 50
LONGEST = 80
SPLIT = re.compile(r"[;,\n]")


class TagsKind(Kind):
    """Up to 50 words of up to 80 characters, each once whatever its case, in the order written."""

    name = "tags"
    operators = PRESENCE | {"$contains", "$notContains"}
    sortable = False
    uniqueable = False
    is_array = True
    example = ("urgent", "north")
    widget = "tags"
    cell = "tags"
    sql_type = "text[]"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return ArrayField(models.TextField(), null=not field.required)

    def indexes(self, object_name: str, field: FieldDef) -> list[models.Index]:
        return [GinIndex(fields=[field.name], name=named(object_name, field.name, "gin"))]

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        item = {"type": "string"} | ({"maxLength": LONGEST} if writing else {})
        return {"type": "array", "items": item} | ({"maxItems": MOST_TAGS} if writing else {})

    def is_empty(self, raw: Any) -> bool:
        return raw is None or raw == "" or (isinstance(raw, list | tuple) and not raw)

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> list[str]:
        items = [raw] if isinstance(raw, str) else raw
        if not isinstance(items, list | tuple):
            raise FieldProblem("invalid_type", _("Enter a list of words."))
        found: dict[str, str] = {}
        for item in items:
            tag = " ".join(clean_text(item).split())
            if len(tag) > LONGEST:
                message = _("A tag has at most %(limit)d characters.") % {"limit": LONGEST}
                raise FieldProblem("max_length", message, constraint=LONGEST)
            if SPLIT.search(tag):
                raise FieldProblem("invalid_format", _("A tag holds no comma and no semicolon."))
            if tag:
                found.setdefault(tag.casefold(), tag)
        if len(found) > MOST_TAGS:
            message = _("Enter at most %(count)d tags.") % {"count": MOST_TAGS}
            raise FieldProblem("max_items", message, constraint=MOST_TAGS)
        if not found and field.required:
            raise FieldProblem("required", _("This field is required."))
        return list(found.values())

    def from_text(self, field: FieldDef, text: str) -> Any:
        return [part.strip() for part in SPLIT.split(text) if part.strip()] or None

    def to_text(self, field: FieldDef, value: Any) -> str:
        return ";".join(value or ())

    def filter_value(self, field: FieldDef, raw: Any) -> str:
        return clean_text(raw)


KINDS.register(TagsKind.name, TagsKind())
