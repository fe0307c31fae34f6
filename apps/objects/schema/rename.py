"""Renames, told by `renamedFrom`: done first and explicitly, since a guess would drop the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from django.db import models
from django.db.migrations.state import ModelState

from apps.objects.definitions import FieldDef, IndexDef, ObjectDef
from apps.objects.kinds.naming import sequence_name
from apps.objects.schema.state import model_state


@dataclass(frozen=True)
class Rename:
    """One rename inside the database: `what` is table, column, constraint, index or sequence."""

    what: str
    table: str
    old: str
    new: str

    def sql(self, quote: object) -> str:
        """Return the statement; `quote` is the schema editor's quote_name."""
        q = quote
        if self.what == "table":
            return f"ALTER TABLE {q(self.old)} RENAME TO {q(self.new)}"  # type: ignore[operator]
        if self.what in ("index", "sequence"):
            return f"ALTER {self.what.upper()} {q(self.old)} RENAME TO {q(self.new)}"  # type: ignore[operator]
        return f"ALTER TABLE {q(self.table)} RENAME {self.what.upper()} {q(self.old)} TO {q(self.new)}"  # type: ignore[operator]


def object_renames(old: Mapping[str, ObjectDef], new: Mapping[str, ObjectDef]) -> dict[str, str]:
    """Return former name → name of the objects that were renamed in this change."""
    return {
        d.renamed_from: name
        for name, d in new.items()
        if d.renamed_from and d.renamed_from in old and name not in old and d.renamed_from not in new
    }


def field_renames(old: ObjectDef, new: ObjectDef) -> dict[str, str]:
    """Return former name → name of the fields that were renamed in this change."""
    return {
        f.renamed_from: name
        for name, f in new.fields.items()
        if f.renamed_from and f.renamed_from in old.fields and name not in old.fields
    }


def renamed(
    definition: ObjectDef, name: str, fields: Mapping[str, str], objects: Mapping[str, str]
) -> ObjectDef:
    """Return `definition` as it would have been with the new names from the start."""

    def one(field: FieldDef) -> FieldDef:
        reference = objects.get(field.reference or "", field.reference)
        return replace(field, name=fields.get(field.name, field.name), reference=reference)

    made = {f.name: f for f in map(one, definition.fields.values())}
    indexes = tuple(IndexDef(tuple(fields.get(n, n) for n in i.fields), i.unique) for i in definition.indexes)
    return replace(definition, name=name, fields=MappingProxyType(made), indexes=indexes)


def database_renames(old: ObjectDef, new: ObjectDef) -> list[Rename]:
    """Return every rename that leads from the table of `old` to that of `new`, the same but for names."""
    steps: list[Rename] = []
    if old.table != new.table:
        steps.append(Rename("table", new.table, old.table, new.table))
    for before, after in zip(old.fields.values(), new.fields.values(), strict=True):
        if before.name != after.name:
            steps.append(Rename("column", new.table, before.name, after.name))
        if before.type == "autonumber":
            pair = sequence_name(old.name, before.name), sequence_name(new.name, after.name)
            steps.append(Rename("sequence", new.table, *pair))
    for before_name, after_name, what in _named_parts(model_state(old), model_state(new)):
        steps.append(Rename(what, new.table, before_name, after_name))
    return [s for s in steps if s.old != s.new]


def _named_parts(old: ModelState, new: ModelState) -> Iterable[tuple[str, str, str]]:
    for before, after in zip(old.options["indexes"], new.options["indexes"], strict=True):
        yield before.name, after.name, "index"
    for before, after in zip(old.options["constraints"], new.options["constraints"], strict=True):
        # A unique constraint with a condition is an index in PostgreSQL.
        what = "index" if isinstance(before, models.UniqueConstraint) else "constraint"
        yield before.name, after.name, what
