"""Record rules in PostgreSQL: the predicate of a rule, its values as parameters.

Text, parameters and placeholders come in the same order. A negation asks `IS TRUE` of what may be unknown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from apps.permissions.rules import (
    PATTERNS,
    Always,
    And,
    FieldCompare,
    FieldEquals,
    FieldHas,
    FieldIn,
    FieldText,
    Holds,
    MasterAllows,
    Mine,
    Not,
    Or,
    OwnerIs,
    Rule,
    SharedWith,
    Test,
)

TRUE, FALSE = sql.SQL("true"), sql.SQL("false")
SHARED = sql.SQL(
    "EXISTS (SELECT 1 FROM {} s WHERE s.record_id = {} AND s.object_name = %s AND s.level >= %s"
    " AND s.principal = ANY(%s) AND (s.valid_from IS NULL OR s.valid_from <= now())"
    " AND (s.valid_until IS NULL OR s.valid_until > now()))"
)
MASTER = sql.SQL("EXISTS (SELECT 1 FROM {} {} WHERE {} = {} AND {})")
HOLDS = sql.SQL("coalesce(%s::text = ANY(%s::text[]), false)")
PRINCIPALS = Mine("principals")
SHARES = "permissions_share"


Masters = Callable[[MasterAllows], tuple[str, Rule] | None]


@dataclass(frozen=True)
class Renderer:
    """Writes rules over the table called `alias` in the tenant's `schema`; values are appended to `params`.

    What stands for a fact of the user is appended as itself: whoever executes puts the fact in its place.
    """

    schema: str
    alias: str
    params: list[Any]
    masters: Masters | None = None

    def text(  # noqa: PLR0911 - one answer a kind of rule
        self, rule: Rule, *, negated: bool = False
    ) -> sql.Composable:
        """Return the predicate; `negated` says that somebody above asks whether it is *not* true."""
        match rule:
            case Always():
                return TRUE
            case SharedWith():
                return self.shared(rule)
            case MasterAllows():
                return self.mastered(rule)
            case Holds(fact, value):
                self.params.extend((value, Mine(fact)))
                return HOLDS
            case And(parts):
                return self.joined(parts, " AND ", TRUE, negated=negated)
            case Or(parts):
                return self.joined(parts, " OR ", FALSE, negated=negated)
            case Not(part):
                return sql.SQL("NOT ({})").format(self.text(part, negated=True))
            case FieldEquals(field, None):
                return sql.SQL("{} IS NULL").format(self.column(field))
            case OwnerIs() | FieldEquals() | FieldIn() | FieldHas() | FieldCompare() | FieldText():
                return self.test(rule, negated=negated)
        return FALSE

    def test(self, test: Test, *, negated: bool) -> sql.Composable:
        """Return the test of one field."""
        match test:
            case OwnerIs(value, field) | FieldEquals(field, value):
                return self.leaf("{} = %s", field, value, negated=negated)
            case FieldIn(field, values):
                return self.member(field, values, negated=negated)
            case FieldHas(field, value):
                return self.leaf("{} @> ARRAY[%s]", field, value, negated=negated)
            case FieldCompare(field, operator, value):
                return self.leaf("{} " + operator + " %s", field, value, negated=negated)
            case FieldText(field, how, text):
                pattern = PATTERNS[how].format(escaped(text))
                return self.leaf("{} LIKE %s", field, pattern, negated=negated)

    def column(self, name: str) -> sql.Composable:
        """Return the column of the table."""
        return sql.Identifier(self.alias, name)

    def leaf(self, form: str, field: str, value: Any, *, negated: bool) -> sql.Composable:
        """Return one test of a field with one value."""
        self.params.append(value)
        test = sql.SQL("(" + form + ")").format(self.column(field))
        return sql.SQL("({} IS TRUE)").format(test) if negated else test

    def member(self, field: str, values: tuple[Any, ...] | Mine, *, negated: bool) -> sql.Composable:
        """Return the test for membership in a list."""
        if not values:
            return FALSE
        return self.leaf(
            "{} = ANY(%s)", field, values if isinstance(values, Mine) else list(values), negated=negated
        )

    def shared(self, rule: SharedWith) -> sql.Composable:
        """Return the look-up of a share that is in force."""
        self.params.extend((rule.object, rule.level, PRINCIPALS))
        return SHARED.format(sql.Identifier(self.schema, SHARES), self.column("id"))

    def mastered(self, rule: MasterAllows) -> sql.Composable:
        """Return the look-up of the master, with the rule of its own object; an unknown one allows nothing."""
        found = self.masters(rule) if self.masters else None
        if found is None:
            return FALSE
        table, of_master = found
        alias = f"{self.alias}_m"
        inner = Renderer(self.schema, alias, self.params, self.masters).text(of_master)
        return MASTER.format(
            sql.Identifier(self.schema, table),
            sql.Identifier(alias),
            sql.Identifier(alias, "id"),
            self.column(rule.field),
            inner,
        )

    def joined(
        self, parts: Sequence[Rule], word: str, empty: sql.Composable, *, negated: bool
    ) -> sql.Composable:
        """Return the parts put together by a word."""
        if not parts:
            return empty
        inner = sql.SQL(word).join([self.text(part, negated=negated) for part in parts])
        return sql.SQL("({})").format(inner)


def to_sql(
    rule: Rule, alias: str, params: list[Any], *, schema: str = "", masters: Masters | None = None
) -> sql.Composable:
    """Return the predicate of `rule` over the table called `alias`; its values are appended to `params`.

    `masters` knows the tables and rules of masters; without it `MasterAllows` is true of no record.
    """
    return Renderer(schema, alias, params, masters).text(rule)


def escaped(text: str) -> str:
    """Return `text` so that LIKE takes it literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
