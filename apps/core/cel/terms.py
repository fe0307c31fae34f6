"""The terms of lowered expressions: SQL that knows what its NULL means.

An expression that faults is NULL in SQL: `AND`, `OR` and `NOT` then forgive and spread it just as `&&`, `||`
and `!` do a fault. An absent value is NULL as well, so every term knows whether its NULL may mean absence, a fault,
or either, and equality asks accordingly.

    term = lowering.lower(expression.tree)
    text = render(term.sql, column, params)      # psycopg text; constants go into params in their order
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from apps.core.cel.errors import CelError
from apps.core.cel.tree import Node
from apps.core.cel.types import BOOL, DATE, DECIMAL, DURATION, INT, STRING, TIMESTAMP, Type, list_of

MOST_DIGITS = 1_000
CASTS: Mapping[Type, str] = {
    BOOL: "boolean",
    INT: "numeric",
    DECIMAL: "numeric",
    STRING: "text",
    DATE: "date",
    TIMESTAMP: "timestamptz",
    list_of(STRING): "text[]",
    DURATION: "interval",
}


@dataclass(frozen=True, slots=True)
class Const:
    """A constant in the SQL, and the type it is cast to."""

    value: Any
    cast: str


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the record."""

    name: str


Piece = str | Const | Column
Sql = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """SQL of one node. `absent`: its NULL may mean an absent value; `faults`: it may mean a fault.

    `fault` is the SQL of "it faults", needed only where NULL may mean both; `digits` bounds a number's length.
    """

    sql: Sql
    type: Type
    absent: bool = False
    faults: bool = False
    fault: Sql | None = None
    digits: int = 0


Build = Callable[[Node, list[Term]], Term]


def unlowerable(node: Node, what: str) -> CelError:
    """Return the refusal: the database cannot compute this exactly as the expression does."""
    cure = "Use comparisons, arithmetic, texts, dates and ? : over the record's own fields."
    return CelError(f"{what} cannot be computed in the database.", node.pos, code="not_lowerable", cure=cure)


def q(template: str, *parts: Sql) -> Sql:
    """Return the template with a part at each `{}`; the template is ours, never a user's text."""
    words = template.split("{}")
    out: list[Piece] = [words[0]]
    for part, word in zip(parts, words[1:], strict=True):
        out += [*part, word]
    return tuple(piece for piece in out if piece != "")


def render(pieces: Sql, column: Callable[[str], sql.Composable], params: list[Any]) -> sql.Composable:
    """Return psycopg's SQL; constants become placeholders, their values are appended to `params`."""
    out: list[sql.Composable] = []
    for piece in pieces:
        if isinstance(piece, Column):
            out.append(column(piece.name))
        elif isinstance(piece, Const):
            params.append(piece.value)
            out.append(sql.SQL("%s::" + piece.cast))  # type: ignore[arg-type]
        else:
            out.append(sql.SQL(piece))  # type: ignore[arg-type]
    return sql.Composed(out)


def fault_of(term: Term) -> Sql | None:
    """Return the SQL of "the term faults", or None when it never does."""
    if not term.faults:
        return None
    return term.fault if term.fault is not None else q("({} IS NULL)", term.sql)


def strict(template: str, type_: Type, *terms: Term, fails: bool = False, digits: int = 0) -> Term:
    """Return an operation that is NULL when an operand is, and faults exactly then or when it `fails`."""
    faults = fails or any(term.absent or term.faults for term in terms)
    return Term(q(template, *[term.sql for term in terms]), type_, faults=faults, digits=digits)


def guarded(terms: Sequence[Term], body: Sql, type_: Type) -> Term:
    """Return `body`, NULL when one of the terms faults; the body itself is never NULL."""
    faults = [fault for term in terms if (fault := fault_of(term)) is not None]
    if not faults:
        return Term(body, type_)
    any_ = q(" OR ".join(["{}"] * len(faults)), *faults)
    return Term(q("(CASE WHEN {} THEN NULL ELSE {} END)", any_, body), type_, faults=True)


def cast_of(node: Node, type_: Type) -> str:
    """Return PostgreSQL's name of a type; raises when it has none here."""
    found = CASTS.get(type_)
    if found is None:
        raise unlowerable(node, f"A {type_}")
    return found


def may_be_null(terms: Sequence[Term]) -> bool:
    return any(term.absent or term.faults for term in terms)


def whole_of(node: Node, term: Term, most: int) -> int:
    """Return the constant whole number that a term is."""
    only = term.sql[0] if len(term.sql) == 1 else None
    value = only.value if isinstance(only, Const) else None
    if isinstance(value, str | bool) or value is None or value != int(value) or abs(value) > most:
        raise unlowerable(node, "This with anything but a plain whole number")
    return int(value)
