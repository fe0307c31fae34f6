"""From a judged tree to SQL that says exactly the same, or a refusal.

What PostgreSQL would compute otherwise is refused (`not_lowerable`): patterns, JSON, macros, time zones, the
clock, who asks. Whatever depends on no record is computed here and becomes a constant. See `terms`.
"""

from __future__ import annotations

from typing import Any

from apps.core.cel.errors import Fault
from apps.core.cel.lowered import FUNCTIONS, OPERATORS, within
from apps.core.cel.lowered_texts import joined_texts
from apps.core.cel.running import CLOCK, Frame, program
from apps.core.cel.terms import CASTS, Column, Const, Term, cast_of, q, unlowerable
from apps.core.cel.tree import Call, Each, Ident, ListOf, Literal, Node, Select, walk
from apps.core.cel.types import BOOL, DECIMAL, INT, NULL

DIGITS = {INT: 10, DECIMAL: 60}  # of a column


def lower(node: Node, record: str = "record") -> Term:
    """Return the SQL of a judged tree over the fields of `record`; raises `CelError` (not_lowerable)."""
    if not isinstance(node, Literal) and _is_constant(node):
        return _folded(node)
    match node:
        case Literal(value):
            return constant(node, value)
        case Select(Ident(name), field) if name == record:
            return _column(node, field)
        case Call():
            return _call(node, record)
    what = f"{node.macro}()" if isinstance(node, Each) else getattr(node, "name", "") or "This value"
    raise unlowerable(node, what)


def _is_constant(node: Node) -> bool:
    inner = {found.var for found in walk(node) if isinstance(found, Each)}
    return not any(
        (isinstance(found, Ident) and found.name not in inner)
        or (isinstance(found, Call) and found.function in CLOCK)
        for found in walk(node)
    )


def _folded(node: Node) -> Term:
    try:
        return constant(node, program(node)(Frame({}, budget=10_000)))
    except Fault:
        return Term((f"NULL::{cast_of(node, node.type)}",), node.type, faults=True)


def constant(node: Node, value: Any) -> Term:
    """Return a constant of the node's type; a text with NUL cannot be one."""
    if value is None:
        return Term(("NULL",), NULL, absent=True)
    if isinstance(value, str) and "\x00" in value:
        raise unlowerable(node, "The NUL character")
    digits = len(str(value)) if node.type in DIGITS else 0
    return Term((Const(value, cast_of(node, node.type)),), node.type, digits=digits)


def _column(node: Select, field: str) -> Term:
    if node.test:
        return Term(q("({} IS NOT NULL)", (Column(field),)), BOOL)
    if node.type not in CASTS:
        raise unlowerable(node, f"The field {field}, a {node.type},")
    return Term((Column(field),), node.type, absent=True, digits=DIGITS.get(node.type, 0))


def _call(node: Call, record: str) -> Term:
    parts = (node.target, *node.args) if node.target is not None else node.args
    if node.function == "in" and isinstance(parts[1], ListOf):
        return within(node, lower(parts[0], record), [lower(item, record) for item in parts[1].items])
    if node.function == "joinNonEmpty" and isinstance(parts[0], ListOf):
        return joined_texts(node, [lower(item, record) for item in parts[0].items], lower(parts[1], record))
    build = OPERATORS.get(node.function) or FUNCTIONS.get(node.function)
    if build is None:
        raise unlowerable(node, f"{node.function}()")
    return build(node, [lower(part, record) for part in parts])
