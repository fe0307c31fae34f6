"""Formulas as plain values: what a field computes, in Python and in SQL, and which fields it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from apps.core.cel.tree import Call, Ident, Node, Select
from apps.core.cel.types import BOOL, DATE, DECIMAL, INT, STRING, TIMESTAMP, Type

RESULTS: Mapping[Type, tuple[str, ...]] = {
    DECIMAL: ("number", "currency", "percent"),
    INT: ("number", "currency", "percent"),
    STRING: ("text",),
    BOOL: ("boolean",),
    DATE: ("date",),
    TIMESTAMP: ("datetime",),
}
RETURN_TYPES = tuple(dict.fromkeys(name for names in RESULTS.values() for name in names))


@dataclass(frozen=True, slots=True)
class Formula:
    """A judged formula. `sql` is its text over the object's columns; `reads` are the fields it depends on."""

    source: str
    tree: Node
    sql: str
    reads: frozenset[str]


def inlined(
    node: Any, formulas: Mapping[str, Node], variables: frozenset[str] = frozenset({"record"})
) -> Any:
    """Return the tree with each formula field of the record replaced by what it computes.

    A formula that faults is an absent value to whoever reads it, as it is in its column.
    """
    if isinstance(node, tuple):
        return tuple(inlined(part, formulas, variables) for part in node)
    if not is_dataclass(node) or isinstance(node, Type):
        return node
    if isinstance(node, Select) and isinstance(node.operand, Ident) and node.operand.name in variables:
        found = formulas.get(node.field)
        if found is None:
            return node
        value = Call("?null", (found,), type=found.type, pos=node.pos)
        if not node.test:
            return value
        missing = Call("?absent", (value,), type=BOOL, pos=node.pos)
        return Call("!", (missing,), type=BOOL, pos=node.pos)
    parts = {f.name: inlined(getattr(node, f.name), formulas, variables) for f in fields(node)}
    return replace(node, **parts)  # type: ignore[type-var]
