"""From the text of an expression to its judged tree, once for each text and each set of variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apps.core.cel.checking import Env, check
from apps.core.cel.errors import CelError, Fault
from apps.core.cel.parser import parse
from apps.core.cel.running import Frame, Run, program
from apps.core.cel.tree import Node
from apps.core.cel.types import DYN, NULL, Type, accepts


@dataclass(frozen=True)
class Expression:
    """An expression that was judged: its text and its tree, every node with its type."""

    source: str
    tree: Node

    @property
    def type(self) -> Type:
        return self.tree.type

    @cached_property
    def run(self) -> Run:
        """The program: it takes a `Frame`, returns the value and raises `Fault`."""
        return program(self.tree)

    def holds(self, frame: Frame) -> bool:
        """Say whether the condition is true; raises `Fault` when it cannot be told."""
        found = self.run(frame)
        if found is True or found is False:
            return bool(found)
        raise Fault("The condition is neither true nor false.", "no_condition")


def compiled(source: str, env: Env, result: Type = DYN) -> Expression:
    """Return the judged expression; raises `CelError` for bad syntax, names, operands or another result."""
    tree = check(parse(source), env)
    if not accepts(result, tree.type) or (tree.type == NULL and result != DYN):
        message = f"The expression gives a {tree.type}, not a {result}."
        raise CelError(message, tree.pos, code="type")
    return Expression(source, tree)


def source_of(envelope: Any) -> str | None:
    """Return the text of a bare string or of the protocol's `{dialect: cel, source}`; None for neither."""
    if isinstance(envelope, str):
        return envelope
    if isinstance(envelope, Mapping) and envelope.get("dialect", "cel") == "cel":
        source = envelope.get("source")
        return source if isinstance(source, str) else None
    return None
