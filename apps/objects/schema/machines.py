"""What a tenant's tables keep right by themselves: trigger functions, made and dropped with the definitions.

A machine follows from the definitions alone, often from two of them (a roll-up's master and its details), and
lives in the tenant's schema. Its text names tables without the schema: every scope sets the search path, and a
schema that is restored under another name keeps its machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql


@dataclass(frozen=True)
class Trigger:
    """One trigger: `when` such as `AFTER INSERT OR UPDATE`, on `table`, for each row."""

    table: str
    when: str


@dataclass(frozen=True)
class Machine:
    """One trigger function with its triggers.

    `sentence` says what it keeps right. `fill` are the statements that make it right for the rows there are, and
    `parent` the object whose rows they touch; `indexes` maps the names of indexes it needs to their statements.
    `basis` is what its rows follow from besides the text: when that changes it is made, and fills, anew.
    """

    name: str
    object: str
    field: str
    sentence: str
    body: str
    triggers: tuple[Trigger, ...]
    fill: tuple[str, ...] = ()
    indexes: tuple[tuple[str, str], ...] = ()
    parent: str = ""
    basis: tuple[str, ...] = ()

    def build(self) -> list[str]:
        """Return the statements that make it."""
        made = [statement for _name, statement in self.indexes]
        # The body is a literal, never dollar-quoted: a definition's own words stand in it.
        function = sql.SQL("CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS {}")
        made.append(text(function.format(sql.Identifier(self.name), sql.Literal(self.body))))
        for number, trigger in enumerate(self.triggers):
            label = self.name if number == 0 else f"{self.name[:60]}_{number}"
            statement = sql.SQL("CREATE TRIGGER {} {} ON {} FOR EACH ROW EXECUTE FUNCTION {}()").format(
                sql.Identifier(label),
                sql.SQL(trigger.when),
                sql.Identifier(trigger.table),
                sql.Identifier(self.name),
            )
            made.append(text(statement))
        return [*made, *self.fill]

    @property
    def rewrites(self) -> bool:
        """Whether building it goes over all rows of its parent."""
        return bool(self.fill)

    def drop(self) -> list[str]:
        """Return the statements that take it away, its triggers with it."""
        gone = [text(sql.SQL("DROP FUNCTION IF EXISTS {}() CASCADE").format(sql.Identifier(self.name)))]
        indexes = [
            sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier(name)) for name, _ in self.indexes
        ]
        return [*gone, *map(text, indexes)]


def text(statement: sql.Composable) -> str:
    """Return a statement without parameters as text."""
    return statement.as_string(None)


def changes(
    before: Mapping[str, Machine], after: Mapping[str, Machine]
) -> tuple[list[Machine], list[Machine]]:
    """Return (machines to drop before the tables change, machines to build after it)."""
    gone = [found for name, found in before.items() if after.get(name) != found]
    new = [found for name, found in after.items() if before.get(name) != found]
    return gone, new
