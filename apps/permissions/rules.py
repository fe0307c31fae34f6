"""Record rules: a tiny language with two back ends, `holds` in Python and `to_sql` in PostgreSQL, that agree.

Every rule is two-valued: a comparison with an absent value is false, and `Not` turns exactly that round.
The SQL back end keeps plain comparisons where only "true" matters, so that indexes serve them, and asks
`IS TRUE` under a negation.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg import sql

Scalar = str | int | bool | Decimal | UUID | dt.date | dt.datetime
Ordered = int | Decimal | dt.date | dt.datetime
Comparison = Literal["<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """Stands for the id of whoever asks; bound when the statement runs, so that one statement serves all."""


CURRENT_USER = CurrentUser()


@dataclass(frozen=True, slots=True)
class Always:
    """True of every record."""


@dataclass(frozen=True, slots=True)
class Never:
    """True of no record; what a missing or broken rule becomes."""


@dataclass(frozen=True, slots=True)
class OwnerIs:
    """True when `field` holds the user's id."""

    user: UUID | CurrentUser
    field: str = "owner_id"


@dataclass(frozen=True, slots=True)
class FieldEquals:
    """True when the field holds exactly this value; None means that it holds nothing."""

    field: str
    value: Scalar | CurrentUser | None


@dataclass(frozen=True, slots=True)
class FieldIn:
    """True when the field holds one of the values; an empty list is never true."""

    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class FieldCompare:
    """True when the field holds a value that compares so; for numbers, dates and instants."""

    field: str
    operator: Comparison
    value: Ordered


@dataclass(frozen=True, slots=True)
class And:
    """True when all parts are; an empty And is true."""

    parts: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True when one part is; an empty Or is false."""

    parts: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is not."""

    part: "Rule"


Rule = Always | Never | OwnerIs | FieldEquals | FieldIn | FieldCompare | And | Or | Not


def conjunction(parts: Sequence[Rule]) -> Rule:
    """Return the simplest rule that means "all of these"."""
    kept = [part for part in parts if not isinstance(part, Always)]
    if any(isinstance(part, Never) for part in kept):
        return Never()
    return (kept[0] if len(kept) == 1 else And(tuple(kept))) if kept else Always()


def disjunction(parts: Sequence[Rule]) -> Rule:
    """Return the simplest rule that means "one of these"."""
    kept = [part for part in parts if not isinstance(part, Never)]
    if any(isinstance(part, Always) for part in kept):
        return Always()
    return (kept[0] if len(kept) == 1 else Or(tuple(kept))) if kept else Never()


def holds(  # noqa: PLR0911 - one answer a kind of rule
    rule: Rule, record: Mapping[str, Any], *, user: UUID | None = None
) -> bool:
    """Say whether `rule` is true of `record` (column → value); what it does not know is false."""
    match rule:
        case Always():
            return True
        case OwnerIs(wanted, field):
            expected = user if isinstance(wanted, CurrentUser) else wanted
            # Records as the wire shows them carry ids as text.
            return expected is not None and record.get(field) in (expected, str(expected))
        case FieldEquals(field, value):
            other = user if isinstance(value, CurrentUser) else value
            if other is None:
                return value is None and record.get(field) is None
            return record.get(field) == other
        case FieldIn(field, values):
            found = record.get(field)
            return found is not None and found in values
        case FieldCompare(field, operator, value):
            found = record.get(field)
            return found is not None and _compare(found, operator, value)
        case And(parts):
            return all(holds(part, record, user=user) for part in parts)
        case Or(parts):
            return any(holds(part, record, user=user) for part in parts)
        case Not(part):
            return not holds(part, record, user=user)
    return False


def _compare(found: Any, operator: Comparison, value: Any) -> bool:
    match operator:
        case "<":
            return bool(found < value)
        case "<=":
            return bool(found <= value)
        case ">":
            return bool(found > value)
        case ">=":
            return bool(found >= value)


def to_sql(  # noqa: PLR0911 - one answer a kind of rule
    rule: Rule, alias: str, params: list[Any], *, negated: bool = False
) -> sql.Composable:
    """Return the predicate of `rule` over the table called `alias`; its values are appended to `params`.

    A `CurrentUser` is appended as itself: whoever executes puts the user's id (or None) in its place.
    `negated` says that somebody above asks whether the predicate is *not* true.
    """
    match rule:
        case Always():
            return sql.SQL("true")
        case OwnerIs(user, field):
            return _leaf(alias, field, "=", user, params, negated=negated)
        case FieldEquals(field, None):
            return sql.SQL("{} IS NULL").format(sql.Identifier(alias, field))
        case FieldEquals(field, value):
            return _leaf(alias, field, "=", value, params, negated=negated)
        case FieldIn(field, values):
            return _member(alias, field, values, params, negated=negated)
        case FieldCompare(field, operator, value):
            return _leaf(alias, field, operator, value, params, negated=negated)
        case And(parts):
            return _joined(parts, " AND ", "true", alias, params, negated=negated)
        case Or(parts):
            return _joined(parts, " OR ", "false", alias, params, negated=negated)
        case Not(part):
            return sql.SQL("NOT ({})").format(to_sql(part, alias, params, negated=True))
    return sql.SQL("false")


def _leaf(
    alias: str, field: str, operator: str, value: Any, params: list[Any], *, negated: bool
) -> sql.Composable:
    params.append(value)
    test = sql.SQL("({} {} %s)").format(sql.Identifier(alias, field), sql.SQL(operator))
    return sql.SQL("({} IS TRUE)").format(test) if negated else test


def _member(
    alias: str, field: str, values: tuple[Scalar, ...], params: list[Any], *, negated: bool
) -> sql.Composable:
    if not values:
        return sql.SQL("false")
    params.append(list(values))
    test = sql.SQL("({} = ANY(%s))").format(sql.Identifier(alias, field))
    return sql.SQL("({} IS TRUE)").format(test) if negated else test


def _joined(
    parts: tuple[Rule, ...], word: str, empty: str, alias: str, params: list[Any], *, negated: bool
) -> sql.Composable:
    if not parts:
        return sql.SQL(empty)
    inner = sql.SQL(word).join([to_sql(part, alias, params, negated=negated) for part in parts])
    return sql.SQL("({})").format(inner)
