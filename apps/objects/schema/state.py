"""The table of an object, as the state of a Django model.

A state has no relations: references are constraints by name (`ReferenceConstraint`), so that the state of
one object can be compared, rendered and applied without the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import Q
from django.db.models.functions import Now

from apps.objects.definitions import FieldDef, IndexDef, ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.kinds.naming import named
from apps.objects.kinds.sealed import BlindPart
from apps.objects.schema.search import search_indexes

APP_LABEL = "obj"
LIVING = Q(deleted_at__isnull=True)
DB_DEFAULTS: dict[str, Any] = {"created_at": Now(), "updated_at": Now(), "version": 1}


def model_state(definition: ObjectDef) -> ModelState:
    """Return the state of the object's table: columns, indexes and constraints, all of them named."""
    return ModelState(
        APP_LABEL,
        definition.name,
        [(f.name, column(definition, f)) for f in definition.all_fields.values() if not kind_of(f).derived],
        options={
            "db_table": definition.table,
            "indexes": [
                *system_indexes(definition),
                *field_indexes(definition),
                *declared_indexes(definition),
                *search_indexes(definition),
            ],
            "constraints": [*field_constraints(definition), *uniqueness(definition)],
        },
        bases=(models.Model,),
    )


def project_state(definitions: Iterable[ObjectDef]) -> ProjectState:
    """Return the state of several objects."""
    state = ProjectState()
    for definition in definitions:
        state.add_model(model_state(definition))
    return state


def column(definition: ObjectDef, field: FieldDef) -> models.Field[Any, Any]:
    """Return the column of one field; the platform's own columns have defaults in the database."""
    made = kind_of(field).model_field(definition.name, field)
    if field.system and field.name in DB_DEFAULTS:
        made.db_default = DB_DEFAULTS[field.name]
    return made


def system_indexes(definition: ObjectDef) -> list[models.Index]:
    """Return what lists need: the last changed first, one's own first, and the bin."""
    found = [
        models.Index(
            fields=["updated_at", "id"], condition=LIVING, name=named(definition.name, "updated_at", "sys")
        ),
        models.Index(
            fields=["deleted_at"],
            condition=Q(deleted_at__isnull=False),
            name=named(definition.name, "deleted_at", "sys"),
        ),
    ]
    if definition.owner_field:
        found.append(
            models.Index(
                fields=["owner_id", "updated_at", "id"],
                condition=LIVING,
                name=named(definition.name, "owner_id", "sys"),
            )
        )
    return found


def field_indexes(definition: ObjectDef) -> list[models.Index]:
    return [i for f in definition.fields.values() for i in kind_of(f).indexes(definition.name, f)]


def field_constraints(definition: ObjectDef) -> list[models.BaseConstraint]:
    return [c for f in definition.fields.values() for c in kind_of(f).constraints(definition.name, f)]


def uniqueness(definition: ObjectDef) -> list[models.BaseConstraint]:
    """Return the unique indexes of single fields; deleted records do not count."""
    return [
        _unique(f, named(definition.name, f.name, "uq"))
        for f in definition.fields.values()
        if f.unique or f.external_id
    ]


def _unique(field: FieldDef, name: str) -> models.UniqueConstraint:
    if field.encrypted:
        return models.UniqueConstraint(BlindPart(models.F(field.name)), condition=LIVING, name=name)
    return models.UniqueConstraint(fields=[field.name], condition=LIVING, name=name)


def declared_indexes(definition: ObjectDef) -> list[models.Index]:
    """Return the indexes that the definition lists; unique ones as `UniqueIndex`.

    The others end with the id, as every list's order does: among equal values a page then reads its own rows
    only (26 instead of 301 where a hundred records share a score).
    """
    found: list[models.Index] = []
    for index in definition.indexes:
        name = index_name(definition, index)
        make = UniqueIndex if index.unique else models.Index
        fields = list(index.fields) if index.unique else list(dict.fromkeys([*index.fields, "id"]))
        found.append(make(fields=fields, condition=LIVING, name=name))
    return found


def index_name(definition: ObjectDef, index: IndexDef) -> str:
    """Return the name of a declared index."""
    return named(definition.name, "_".join(index.fields), "uix" if index.unique else "ix")


def violated_index(definition: ObjectDef, constraint: str) -> IndexDef | None:
    """Return the declared unique index of that name."""
    unique = (index for index in definition.indexes if index.unique)
    return next((index for index in unique if index_name(definition, index) == constraint), None)


class UniqueIndex(models.Index):
    """An index that also forbids two equal combinations."""

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        statement = super().create_sql(model, schema_editor, using, **kwargs)
        statement.template = statement.template.replace("CREATE INDEX", "CREATE UNIQUE INDEX", 1)
        return statement


def violated_field(definition: ObjectDef, constraint: str) -> tuple[FieldDef, str] | None:
    """Return the field, and the code of the fault, that a violated constraint or index stands for."""
    codes = {
        "uq": "unique",
        "fk": "reference_not_found",
        "len": "max_length",
        "minlen": "min_length",
        "min": "min_value",
        "max": "max_value",
        "opt": "invalid_option",
        "fmt": "invalid_format",
        "dim": "min_items",
        "tree": "circle",
    }
    for field in definition.fields.values():
        for suffix, code in codes.items():
            if named(definition.name, field.name, suffix) == constraint:
                return field, code
    return None
