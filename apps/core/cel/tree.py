"""The syntax tree of an expression. Every node is an immutable value that knows its place and its type.

The parser leaves every type at `dyn`; `check` returns the same tree with the types filled in. Operators are
calls whose function is the operator as written: `&&`, `||`, `!`, `==`, `+`, `in`, `[]`, `?:`, and `-_` for
the negative. `e.f(x)` is a call with `target` e; `has(e.f)` is a `Select` with `test`.

    match node:
        case Call("==", (Select(Ident("record"), field), Literal(value))): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any
from typing import Literal as Word

from apps.core.cel.types import DYN, Type

Macros = Word["all", "exists", "exists_one", "map", "filter"]


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: bool, int, uint, float, Decimal, str, bytes or None."""

    value: Any
    type: Type = DYN
    pos: int = 0


@dataclass(frozen=True, slots=True)
class Ident:
    """A variable; the name holds dots when the variable is declared so (`ctx.user`)."""

    name: str
    type: Type = DYN
    pos: int = 0


@dataclass(frozen=True, slots=True)
class Select:
    """A field of a value; with `test` the question whether it is there."""

    operand: Node
    field: str
    test: bool = False
    type: Type = DYN
    pos: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function; a method's receiver is `target`."""

    function: str
    args: tuple[Node, ...]
    target: Node | None = None
    type: Type = DYN
    pos: int = 0


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list written out."""

    items: tuple[Node, ...]
    type: Type = DYN
    pos: int = 0


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map written out, as pairs of key and value."""

    entries: tuple[tuple[Node, Node], ...]
    type: Type = DYN
    pos: int = 0


@dataclass(frozen=True, slots=True)
class Each:
    """A macro over the items of `over`: `over.all(var, body)`; `keep` filters the items of a three-part map."""

    macro: Macros
    over: Node
    var: str
    body: Node
    keep: Node | None = None
    type: Type = DYN
    pos: int = 0


Node = Literal | Ident | Select | Call | ListOf | MapOf | Each


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes right below."""
    for part in fields(node):
        yield from _nodes(getattr(node, part.name))


def _nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, Literal | Ident | Select | Call | ListOf | MapOf | Each):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def names(node: Node, variable: str = "record") -> frozenset[str]:
    """Return the fields of `variable` that the expression reads."""
    return frozenset(
        found.field
        for found in walk(node)
        if isinstance(found, Select) and isinstance(found.operand, Ident) and found.operand.name == variable
    )
