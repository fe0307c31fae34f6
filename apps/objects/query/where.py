"""From filter trees to SQL. Placeholders are collected in order as slots of `Query.values`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from apps.objects.kinds.sealed import blind_sql
from apps.objects.query import tree
from apps.objects.query.refusals import invalid_filter

COMPARE = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
TRUE, FALSE = sql.SQL("true"), sql.SQL("false")
FOUND = sql.SQL("public.fold_text({}) LIKE public.fold_like({})")
PRESENCE = {"null": sql.SQL("{} IS NULL"), "not_null": sql.SQL("{} IS NOT NULL")}
# The text of each test, and how its value becomes a LIKE pattern ("" means as it is).
TESTS = {
    **{name: (sql.SQL("{} " + sign + " {}"), "") for name, sign in COMPARE.items()},
    "ne": (sql.SQL("{} IS DISTINCT FROM {}"), ""),
    "in": (sql.SQL("{} = ANY({})"), ""),
    "nin": (sql.SQL("({} = ANY({})) IS NOT TRUE"), ""),
    "has": (sql.SQL("{} @> ARRAY[{}]::text[]"), ""),
    "has_not": (sql.SQL("({} @> ARRAY[{}]::text[]) IS NOT TRUE"), ""),
    "has_id": (sql.SQL("{} @> ARRAY[{}]::uuid[]"), ""),
    "has_not_id": (sql.SQL("({} @> ARRAY[{}]::uuid[]) IS NOT TRUE"), ""),
    "contains": (sql.SQL("{} LIKE {}"), "%?%"),
    "not_contains": (sql.SQL("({} LIKE {}) IS NOT TRUE"), "%?%"),
    "starts": (sql.SQL("{} LIKE {}"), "?%"),
    "ends": (sql.SQL("{} LIKE {}"), "%?"),
    "icontains": (sql.SQL('{} COLLATE "C" ILIKE {}'), "%?%"),
    "like": (sql.SQL("{} LIKE {}"), ""),
    "ilike": (sql.SQL('{} COLLATE "C" ILIKE {}'), ""),
}


Walk = Callable[[str, str, "Slot", str], sql.Composable]


@dataclass(frozen=True, slots=True)
class Slot:
    """Stands in the parameter list for the value of that index; `pattern` says how it becomes a LIKE pattern.

    `blind`: the value is what an encrypted field is compared with; the ring must resolve it first.
    """

    index: int
    pattern: str = ""
    blind: bool = False

    def of(self, values: tuple[Any, ...]) -> Any:
        """Return the parameter for these values."""
        value = values[self.index]
        if not self.pattern:
            return value
        return self.pattern.replace("?", escaped(value))


@dataclass(slots=True)
class Params:
    """The parameters of a statement in the order of its placeholders: constants, slots, and named ones."""

    items: list[Any] = field(default_factory=list)

    def add(self, item: Any) -> sql.Composable:
        """Append a parameter and return its placeholder."""
        self.items.append(item)
        return sql.SQL("%s")


def escaped(text: str) -> str:
    """Return `text` so that LIKE takes it literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def predicate(node: tree.Node, alias: str, params: Params, walk: Walk | None = None) -> sql.Composable:
    """Return the SQL of a tree over the table `alias`.

    `ne`, `nin`, `not_contains` and `Inverse` are true where the value is NULL; all others are not. `walk` says
    what `under` and `above` mean; without it they are refused.
    """
    match node:
        case tree.Test(name, "under" | "above" as operator, slot):
            if walk is None:
                raise invalid_filter(f"${operator} on {name!r} cannot be used here.", field=name)
            return walk(name, operator, Slot(slot), alias)
        case tree.Test(name, operator, slot, blind):
            column: sql.Composable = sql.Identifier(alias, name)
            return _test(blind_sql(column) if blind else column, operator, slot, params, blind=blind)
        case tree.FieldTest(name, operator, other, days):
            return _field_test(
                sql.Identifier(alias, name), operator, sql.Identifier(alias, other), days, params
            )
        case tree.Every(parts):
            return _joined([predicate(part, alias, params, walk) for part in parts], " AND ", TRUE)
        case tree.Some(parts):
            return _joined([predicate(part, alias, params, walk) for part in parts], " OR ", FALSE)
        case tree.Inverse(part):
            return sql.SQL("(({}) IS NOT TRUE)").format(predicate(part, alias, params, walk))
    msg = f"{type(node).__name__} is no filter."
    raise TypeError(msg)


def _joined(parts: Sequence[sql.Composable], word: str, empty: sql.Composable) -> sql.Composable:
    if not parts:
        return empty
    return parts[0] if len(parts) == 1 else sql.SQL("({})").format(sql.SQL(word).join(parts))


def _test(
    column: sql.Composable, operator: str, slot: int, params: Params, *, blind: bool = False
) -> sql.Composable:
    if operator in PRESENCE:
        return PRESENCE[operator].format(column)
    text, pattern = TESTS[operator]
    return text.format(column, params.add(Slot(slot, pattern, blind)))


def _field_test(
    column: sql.Composable, operator: str, other: sql.Composable, days: int | None, params: Params
) -> sql.Composable:
    if days is not None:
        other = sql.SQL("({} + make_interval(days => {}))").format(other, params.add(days))
    if operator == "ne":
        return sql.SQL("{} IS DISTINCT FROM {}").format(column, other)
    return sql.SQL("{} {} {}").format(column, sql.SQL(COMPARE[operator]), other)


def searching(columns: list[str], slots: tuple[int, ...], alias: str, params: Params) -> sql.Composable:
    """Return "every term occurs in one of the columns"; no columns means nothing is found.

    Case and accents do not count. The expression is that of the object's search index (`schema.search`).
    """
    terms = []
    for slot in slots:
        tests = [FOUND.format(sql.Identifier(alias, name), params.add(Slot(slot))) for name in columns]
        terms.append(_joined(tests, " OR ", FALSE))
    return _joined(terms, " AND ", TRUE)
