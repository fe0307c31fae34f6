"""Table constraints that Django has no class for."""

from __future__ import annotations

from typing import Any

from django.db import models

RULES = {"set_null": "SET NULL", "restrict": "RESTRICT", "cascade": "CASCADE"}


class ReferenceConstraint(models.BaseConstraint):
    """A foreign key with the database's own ON DELETE rule.

    Django's ForeignKey leaves the rule to Python, where records written by SQL would never meet it, and
    ties the two models together; this one only names the other table.
    """

    def __init__(self, *, name: str, column: str, to_table: str, on_delete: str) -> None:
        super().__init__(name=name)
        self.column = column
        self.to_table = to_table
        self.on_delete = on_delete

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """Postpone the constraint until every table of the same change exists."""
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        return (
            f"ALTER TABLE {quote(model._meta.db_table)} ADD CONSTRAINT {quote(self.name)} "
            f"FOREIGN KEY ({quote(self.column)}) REFERENCES {quote(self.to_table)} ({quote('id')}) "
            f"ON DELETE {RULES[self.on_delete]}"
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = "default") -> None:
        """Leave the check to the database and to the record services."""

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        more = {"column": self.column, "to_table": self.to_table, "on_delete": self.on_delete}
        return path, tuple(args), {**kwargs, **more}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReferenceConstraint):
            return NotImplemented
        return self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash((self.name, self.column, self.to_table, self.on_delete))
