"""What each operator and function is in SQL; a builder takes the node and its lowered parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apps.core.cel.lowered_moments import MOMENT_FUNCTIONS, as_instant, moved
from apps.core.cel.lowered_texts import TEXT_FUNCTIONS, member
from apps.core.cel.terms import (
    MOST_DIGITS,
    Build,
    Sql,
    Term,
    cast_of,
    fault_of,
    guarded,
    may_be_null,
    q,
    strict,
    unlowerable,
    whole_of,
)
from apps.core.cel.tree import Node
from apps.core.cel.types import (
    BOOL,
    DATE,
    DECIMAL,
    DURATION,
    INT,
    NULL,
    NUMBERS,
    STRING,
    TIMESTAMP,
    Type,
    joined,
)
from apps.core.cel.values import DECIMALS

SCALE = "1" + "0" * DECIMALS
WHOLE_DIGITS = 18  # below 64 bits whatever the digits are


def alike(a: Term, b: Term) -> tuple[Term, Term]:
    """Return both as one type."""
    if {a.type, b.type} == {DATE, TIMESTAMP}:
        return as_instant(a), as_instant(b)
    return a, b


def _equal(node: Node, terms: Sequence[Term]) -> Term:
    a, b = alike(*terms)
    for one, other in ((a, b), (b, a)):
        if one.type == NULL:
            return guarded([other], q("({} IS NULL)", other.sql), BOOL)
    if (a.type in NUMBERS and b.type in NUMBERS) or joined(a.type, b.type) is not None:
        return guarded([a, b], _same(a, b), BOOL)
    return guarded([a, b], ("false",), BOOL)


def _same(a: Term, b: Term) -> Sql:
    if not a.absent and not b.absent:
        return q("({} = {})", a.sql, b.sql)
    if a.absent and not b.absent and len(a.sql) == 1:  # a column: an index may serve the equality
        return q("({} IS NOT NULL AND {} = {})", a.sql, a.sql, b.sql)
    return q("({} IS NOT DISTINCT FROM {})", a.sql, b.sql)


def _unequal(node: Node, terms: Sequence[Term]) -> Term:
    same = _equal(node, terms)
    return Term(q("(NOT {})", same.sql), BOOL, faults=same.faults)


def _compared(sign: str) -> Build:
    def build(node: Node, terms: list[Term]) -> Term:
        a, b = alike(*terms)
        if NULL in (a.type, b.type):
            return Term(("NULL::boolean",), BOOL, faults=True)
        template = f'({{}} COLLATE "C" {sign} {{}})' if a.type == STRING else f"({{}} {sign} {{}})"
        return strict(template, BOOL, a, b)

    return build


def _logical(template: str) -> Build:
    return lambda _node, terms: strict(template, BOOL, *terms)


def _chosen(node: Node, terms: list[Term]) -> Term:
    test, yes, no = terms
    if TIMESTAMP in (node.type, yes.type, no.type):
        yes, no = as_instant(yes), as_instant(no)
    cast = cast_of(node, node.type)
    text = q(
        f"(CASE WHEN {{}} THEN {{}} WHEN NOT {{}} THEN {{}} END)::{cast}", test.sql, yes.sql, test.sql, no.sql
    )
    absent, faults = yes.absent or no.absent, test.absent or test.faults or yes.faults or no.faults
    fault = None
    if absent and faults:
        sides = [fault_of(side) or ("false",) for side in (yes, no)]
        fault = q(
            "(CASE WHEN {} THEN {} WHEN NOT {} THEN {} ELSE true END)", test.sql, sides[0], test.sql, sides[1]
        )
    return Term(text, node.type, absent, faults, fault, max(yes.digits, no.digits))


# -- numbers -------------------------------------------------------------------------------------------


def _number(node: Node, term: Term, type_: Type, digits: int) -> Term:
    """Refuse what might outgrow a whole number's 64 bits, or any bound."""
    if digits > (WHOLE_DIGITS if type_ == INT else MOST_DIGITS):
        raise unlowerable(node, "A number that may grow so large")
    return Term(term.sql, type_, term.absent, term.faults, term.fault, digits)


def _sum(node: Node, terms: list[Term]) -> Term:
    a, b = terms
    if node.type == STRING:
        return strict("({} || {})", STRING, a, b)
    if node.type == TIMESTAMP:
        return moved(node, a, b, "+") if b.type == DURATION else moved(node, b, a, "+")
    return _arithmetic(node, terms, "({} + {})", max(a.digits, b.digits) + 1)


def _difference(node: Node, terms: list[Term]) -> Term:
    a, b = terms
    if node.type == TIMESTAMP:
        return moved(node, a, b, "-")
    return _arithmetic(node, terms, "({} - {})", max(a.digits, b.digits) + 1)


def _product(node: Node, terms: list[Term]) -> Term:
    return _arithmetic(node, terms, "({} * {})", terms[0].digits + terms[1].digits)


def _quotient(node: Node, terms: list[Term]) -> Term:
    if node.type == INT:
        return _arithmetic(node, terms, "div({}, nullif({}, 0))", terms[0].digits, fails=True)
    template = f"(div({{}} * {SCALE}::numeric, nullif({{}}, 0)) * 0.{'0' * (DECIMALS - 1)}1::numeric)"
    return _arithmetic(node, terms, template, terms[0].digits + terms[1].digits + 2 * DECIMALS, fails=True)


def _remainder(node: Node, terms: list[Term]) -> Term:
    return _arithmetic(node, terms, "mod({}, nullif({}, 0))", max(t.digits for t in terms) + 1, fails=True)


def _arithmetic(node: Node, terms: list[Term], template: str, digits: int, *, fails: bool = False) -> Term:
    if any(term.type not in (INT, DECIMAL) for term in terms):
        raise unlowerable(node, f"This arithmetic on {terms[0].type}")
    return _number(node, strict(template, node.type, *terms, fails=fails), node.type, digits)


def _negative(node: Node, terms: list[Term]) -> Term:
    return _arithmetic(node, terms, "(- {})", terms[0].digits + 1)


def _rounding(template: str) -> Build:
    def build(node: Node, terms: list[Term]) -> Term:
        number, *places = terms
        if not places:
            return _number(node, strict(f"{template[:-1]})", DECIMAL, number), DECIMAL, number.digits + 1)
        count = whole_of(node, places[0], 20)
        if count < 0:
            raise unlowerable(node, "Rounding to such places")
        rounded = strict(f"{template[:-1]}, {count})", DECIMAL, number)
        return _number(node, rounded, DECIMAL, number.digits + count + 1)

    return build


def _plain(name: str) -> Build:
    def build(node: Node, terms: list[Term]) -> Term:
        return _number(node, strict(f"{name}({{}})", node.type, *terms), node.type, terms[0].digits + 1)

    return build


def _exactly(node: Node, terms: list[Term]) -> Term:
    if terms[0].type not in (DECIMAL, INT) or (node.type != DECIMAL and terms[0].type != node.type):
        raise unlowerable(node, f"Turning a {terms[0].type} into a {node.type}")
    return Term(
        strict("{}", DECIMAL, terms[0]).sql, node.type, faults=may_be_null(terms), digits=terms[0].digits
    )


def _extreme(word: str) -> Build:
    def build(node: Node, terms: list[Term]) -> Term:
        cast = cast_of(node, node.type)
        if any(term.type not in (node.type, INT, DATE) for term in terms) or len(terms) < 2:
            raise unlowerable(node, f"{word}() over a list")
        if node.type == TIMESTAMP:
            terms = [as_instant(term) for term in terms]
        # greatest and least would pass over an absent one.
        missing = q(" OR ".join(["{} IS NULL"] * len(terms)), *[term.sql for term in terms])
        collate = ' COLLATE "C"' if node.type == STRING else ""
        items = q(", ".join([f"{{}}{collate}"] * len(terms)), *[term.sql for term in terms])
        text = q(f"(CASE WHEN {{}} THEN NULL ELSE {word}({{}}) END)::{cast}", missing, items)
        return Term(text, node.type, faults=may_be_null(terms), digits=max(t.digits for t in terms))

    return build


def _coalesced(node: Node, terms: list[Term]) -> Term:
    if node.type == TIMESTAMP:
        terms = [as_instant(term) for term in terms]
    faults = [fault for term in terms if (fault := fault_of(term)) is not None]
    cast = cast_of(node, node.type)
    text = q(f"coalesce({', '.join(['{}'] * len(terms))})::{cast}", *[term.sql for term in terms])
    digits = max(term.digits for term in terms)
    absent = all(term.absent for term in terms)
    if not faults:
        return Term(text, node.type, absent, digits=digits)
    any_ = q(" OR ".join(["{}"] * len(faults)), *faults)
    guard = q(f"(CASE WHEN {{}} THEN NULL ELSE {{}} END)::{cast}", any_, text)
    return Term(
        guard, node.type, absent, faults=True, fault=q("({})", any_) if absent else None, digits=digits
    )


def within(node: Node, item: Term, items: Sequence[Term]) -> Term:
    """Return "equals one of the items": a list written out."""
    if not items:
        return guarded([item], ("false",), BOOL)
    tests = [_equal(node, [item, other]) for other in items]
    parts = [q("({} IS TRUE)", test.sql) for test in tests]
    return guarded([item, *items], q("({})", q(" OR ".join(["{}"] * len(parts)), *parts)), BOOL)


OPERATORS: Mapping[str, Build] = {
    "&&": _logical("({} AND {})"),
    "||": _logical("({} OR {})"),
    "!": _logical("(NOT {})"),
    "-_": _negative,
    "==": _equal,
    "!=": _unequal,
    **{sign: _compared(sign) for sign in ("<", "<=", ">", ">=")},
    "+": _sum,
    "-": _difference,
    "*": _product,
    "/": _quotient,
    "%": _remainder,
    "?:": _chosen,
    "?null": lambda _node, terms: Term(terms[0].sql, terms[0].type, absent=True, digits=terms[0].digits),
    "?absent": lambda _node, terms: Term(q("({} IS NULL)", terms[0].sql), BOOL),
    "in": member,
}
FUNCTIONS: Mapping[str, Build] = {
    **TEXT_FUNCTIONS,
    **MOMENT_FUNCTIONS,
    "coalesce": _coalesced,
    "decimal": _exactly,
    "double": _exactly,
    "abs": _plain("abs"),
    "round": _rounding("round({})"),
    "floor": _plain("floor"),
    "ceil": _plain("ceil"),
    "min": _extreme("least"),
    "max": _extreme("greatest"),
}
