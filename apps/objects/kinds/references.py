"""Types that hold an id: lookup, master_detail, user, and the record's own id.

A user is a plain uuid without a foreign key: users live outside the tenant's schema, so that the schema
can be dumped, restored and moved alone; the record services check that the user is a member.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.utils.translation import gettext as _

from apps.core.ids import uuid7
from apps.objects.definitions import TABLE_PREFIX, FieldDef
from apps.objects.kinds.constraints import ReferenceConstraint
from apps.objects.kinds.kind import ANYBODY, KINDS, Kind
from apps.objects.kinds.naming import named
from apps.objects.kinds.problem import AcceptContext, FieldProblem


def reference_not_found(field: FieldDef) -> FieldProblem:
    """Return the refusal of an id behind which no living record stands."""
    message = _("There is no such %(target)s.") % {"target": field.reference or "member"}
    return FieldProblem("reference_not_found", message, constraint=field.reference)


class IdKind(Kind):
    """The record's own id, a UUIDv7 made by the platform."""

    name = "id"
    internal = True
    example = "0192f7a0-0000-7000-8000-000000000001"
    widget = "hidden"
    cell = "id"
    sql_type = "uuid"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.UUIDField(primary_key=True, default=uuid7)

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        link = {"type": "string", "format": "uuid"}
        if writing or self.internal:
            return link
        return {"anyOf": [link, {"type": "object", "description": "The record itself, when expanded."}]}

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> UUID:
        if isinstance(raw, UUID):
            return raw
        if not isinstance(raw, str):
            raise FieldProblem("invalid_type", _("Enter an id."))
        try:
            return UUID(raw.strip())
        except ValueError as error:
            raise reference_not_found(field) from error

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return None if value is None else str(value)

    def filter_value(self, field: FieldDef, raw: Any) -> UUID:
        try:
            return self.parse(field, raw, AcceptContext())
        except FieldProblem as problem:
            raise FieldProblem("invalid_value", _("Enter an id.")) from problem


class UserKind(IdKind):
    """A member of the tenant."""

    name = "user"
    internal = False
    keys = frozenset({"multiple"})
    many = "users"
    widget = "user"
    cell = "user"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.UUIDField(null=not field.required)

    def indexes(self, object_name: str, field: FieldDef) -> list[models.Index]:
        return [models.Index(fields=[field.name], name=named(object_name, field.name, "idx"))]

    def token(self, value: Any, context: AcceptContext) -> Any:
        return context.user_id if value == "{current_user_id}" else value

    def default(self, field: FieldDef, *, context: AcceptContext = ANYBODY) -> Any:
        value = self.token(field.default_value, context)
        return None if value is None else self.parse(field, value, context)


class LookupKind(IdKind):
    """A record of another object: a foreign key with the rule that `deleteBehavior` names."""

    name = "lookup"
    internal = False
    keys = frozenset({"reference", "deleteBehavior", "multiple"})
    many: ClassVar[str | None] = "lookups"
    widget = "lookup"
    cell = "lookup"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.UUIDField(null=not field.required)

    def constraints(self, object_name: str, field: FieldDef) -> list[models.BaseConstraint]:
        return [
            ReferenceConstraint(
                name=named(object_name, field.name, "fk"),
                column=field.name,
                to_table=f"{TABLE_PREFIX}{field.reference}",
                on_delete=field.delete_behavior,
            )
        ]

    def indexes(self, object_name: str, field: FieldDef) -> list[models.Index]:
        return [models.Index(fields=[field.name], name=named(object_name, field.name, "idx"))]


class MasterDetailKind(LookupKind):
    """The record this one is a part of: always required, and deleted together with it."""

    name = "master_detail"
    keys = frozenset({"reference"})
    many = None


class TreeKind(LookupKind):
    """The record of the same object that this one is below; nothing is below itself, at any distance."""

    name = "tree"
    keys = frozenset({"reference", "deleteBehavior"})
    many = None
    operators = LookupKind.operators | {"$under", "$above"}


for _kind in (IdKind(), LookupKind(), MasterDetailKind(), TreeKind(), UserKind()):
    KINDS.register(_kind.name, _kind)
