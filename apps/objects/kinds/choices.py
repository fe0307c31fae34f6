"""Types that choose from declared options: select and radio one, multiselect and checkboxes several."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import EQUALITY, KINDS, PRESENCE, Kind
from apps.objects.kinds.naming import named
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.text import clean_text


def by_label(field: FieldDef, text: str) -> str:
    """Return the option value whose value or label `text` is, in any case; else `text` itself."""
    wanted = text.strip().casefold()
    for option in field.options:
        if wanted in (option.value.casefold(), option.label.casefold()):
            return option.value
    return text.strip()


def judge_option(field: FieldDef, raw: Any) -> str:
    """Return `raw` when it is one of the declared values."""
    if not isinstance(raw, str):
        raise FieldProblem("invalid_type", _("Enter one of the options."))
    if raw not in field.option_values:
        message = _("%(value)s is not one of the options.") % {"value": repr(raw[:80])}
        raise FieldProblem("invalid_option", message, options=field.option_values)
    return raw


class SelectKind(Kind):
    """One of the declared options, stored as its value; the table refuses any other."""

    name = "select"
    keys = frozenset({"options", "multiple"})
    operators = EQUALITY
    many = "multiselect"
    nestable = True
    example = "open"
    widget = "select"
    cell = "badge"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.TextField(null=not field.required)

    def constraints(self, object_name: str, field: FieldDef) -> list[models.BaseConstraint]:
        condition = Q(**{f"{field.name}__in": list(field.option_values)})
        return [models.CheckConstraint(condition=condition, name=named(object_name, field.name, "opt"))]

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return {"type": "string", "enum": list(field.option_values)}

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> str:
        return judge_option(field, raw)

    def from_text(self, field: FieldDef, text: str) -> Any:
        return by_label(field, text) or None

    def filter_value(self, field: FieldDef, raw: Any) -> str:
        return clean_text(raw)


class RadioKind(SelectKind):
    """One of the declared options, all of them in sight."""

    name = "radio"
    keys = frozenset({"options"})
    widget = "radio"


class MultiselectKind(Kind):
    """Several of the declared options, each once, in the order written; `text[]` in the table."""

    name = "multiselect"
    keys = frozenset({"options"})
    operators = PRESENCE | {"$contains", "$notContains"}
    sortable = False
    uniqueable = False
    is_array = True
    example = ("open", "won")
    widget = "multiselect"
    cell = "badges"
    sql_type = "text[]"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return ArrayField(models.TextField(), null=not field.required)

    def constraints(self, object_name: str, field: FieldDef) -> list[models.BaseConstraint]:
        condition = Q(**{f"{field.name}__contained_by": list(field.option_values)})
        return [models.CheckConstraint(condition=condition, name=named(object_name, field.name, "opt"))]

    def indexes(self, object_name: str, field: FieldDef) -> list[models.Index]:
        return [GinIndex(fields=[field.name], name=named(object_name, field.name, "gin"))]

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(field.option_values)}}

    def is_empty(self, raw: Any) -> bool:
        return raw is None or raw == "" or (isinstance(raw, list | tuple) and not raw)

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> list[str]:
        items: Iterable[Any] = [raw] if isinstance(raw, str) else raw
        if not isinstance(items, list | tuple):
            raise FieldProblem("invalid_type", _("Enter a list of options."))
        return list(dict.fromkeys(judge_option(field, item) for item in items))

    def from_text(self, field: FieldDef, text: str) -> Any:
        return [by_label(field, part) for part in re.split(r"[;|,]", text) if part.strip()] or None

    def to_text(self, field: FieldDef, value: Any) -> str:
        return ";".join(value or ())

    def filter_value(self, field: FieldDef, raw: Any) -> str:
        return clean_text(raw)


class CheckboxesKind(MultiselectKind):
    """Several of the declared options, all of them in sight."""

    name = "checkboxes"
    widget = "checkboxes"


for _kind in (SelectKind(), RadioKind(), MultiselectKind(), CheckboxesKind()):
    KINDS.register(_kind.name, _kind)
