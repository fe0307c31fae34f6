"""Types that hold several ids: a lookup or a user field with `multiple`.

The ids stand in an array, each once, in the order written: a page reads them without a join, history and versions
see one value. What a foreign key does for a single id two triggers do for the elements (`apps.objects.schema.links`).
"""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import ANYBODY, KINDS, PRESENCE, Kind
from apps.objects.kinds.naming import named
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.references import LookupKind

MOST_IDS = 1_000
SEPARATORS = re.compile(r"[;|,\s]+")


class LookupsKind(Kind):
    """Several records of another object."""

    name = "lookups"
    internal = True
    keys = frozenset({"reference", "deleteBehavior", "multiple"})
    operators = PRESENCE | {"$contains", "$notContains"}
    sortable = False
    uniqueable = False
    is_array = True
    element = "uuid"
    widget = "lookups"
    cell = "lookups"
    sql_type = "uuid[]"
    one: Kind = LookupKind()

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return ArrayField(models.UUIDField(), null=not field.required)

    def indexes(self, object_name: str, field: FieldDef) -> list[models.Index]:
        return [GinIndex(fields=[field.name], name=named(object_name, field.name, "gin"))]

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return {"type": "array", "items": self.one.schema(field, writing=writing)}

    def is_empty(self, raw: Any) -> bool:
        return raw is None or raw == "" or (isinstance(raw, list | tuple) and not raw)

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> list[UUID]:
        items = [raw] if isinstance(raw, str | UUID) else raw
        if not isinstance(items, list | tuple):
            raise FieldProblem("invalid_type", _("Enter a list of ids."))
        if len(items) > MOST_IDS:
            message = _("Enter at most %(limit)d records.") % {"limit": MOST_IDS}
            raise FieldProblem("max_items", message, constraint=MOST_IDS)
        return list(
            dict.fromkeys(self.one.parse(field, self.token(item, context), context) for item in items)
        )

    def default(self, field: FieldDef, *, context: AcceptContext = ANYBODY) -> Any:
        return None if field.default_value is None else self.parse(field, field.default_value, context)

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return None if value is None else [str(item) for item in value]

    def to_text(self, field: FieldDef, value: Any) -> str:
        return ";".join(map(str, value or ()))

    def from_text(self, field: FieldDef, text: str) -> Any:
        return [part for part in SEPARATORS.split(text) if part] or None

    def filter_value(self, field: FieldDef, raw: Any) -> Any:
        return self.one.filter_value(field, raw)


class UsersKind(LookupsKind):
    """Several members of the tenant."""

    name = "users"
    keys = frozenset({"multiple"})
    widget = "users"
    cell = "users"

    def token(self, value: Any, context: AcceptContext) -> Any:
        return context.user_id if value == "{current_user_id}" and context.user_id else value


for _kind in (LookupsKind(), UsersKind()):
    KINDS.register(_kind.name, _kind)
