"""Judging a tree against the variables it may use: every name, every field, every operand."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from apps.core.cel.errors import CelError
from apps.core.cel.signatures import ANY, FUNCTIONS, Signature, Signatures
from apps.core.cel.tree import Call, Each, Ident, ListOf, Literal, MapOf, Node, Select
from apps.core.cel.types import (
    BOOL,
    BYTES,
    DATE,
    DECIMAL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    NUMBERS,
    ORDERED,
    STRING,
    TIMESTAMP,
    TYPE,
    Type,
    accepts,
    comparable,
    joined,
    list_of,
    map_of,
)

TYPE_NAMES = frozenset(
    {"bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"}
)
SUMS: Mapping[tuple[Type, Type], Type] = MappingProxyType(
    {
        (TIMESTAMP, DURATION): TIMESTAMP,
        (DURATION, TIMESTAMP): TIMESTAMP,
        (DURATION, DURATION): DURATION,
        (STRING, STRING): STRING,
        (BYTES, BYTES): BYTES,
    }
)
DIFFERENCES: Mapping[tuple[Type, Type], Type] = MappingProxyType(
    {
        (TIMESTAMP, TIMESTAMP): DURATION,
        (TIMESTAMP, DURATION): TIMESTAMP,
        (DURATION, DURATION): DURATION,
    }
)


@dataclass(frozen=True)
class Env:
    """What an expression may use.

    With `exact` a number with a point is an exact decimal and mixes with whole numbers, as records' values
    need; without, numbers follow the CEL specification to the letter.
    """

    variables: Mapping[str, Type]
    functions: Signatures = field(default_factory=lambda: FUNCTIONS)
    exact: bool = True


def check(node: Node, env: Env) -> Node:
    """Return the tree with every type filled in; raises `CelError` at the first fault."""
    return _Checker(env).node(node, env.variables)


class _Checker:
    def __init__(self, env: Env) -> None:
        self.env = env

    def node(self, node: Node, scope: Mapping[str, Type]) -> Node:  # noqa: PLR0911 - one answer a node
        match node:
            case Literal():
                return self.literal(node)
            case Ident():
                return self.ident(node, scope)
            case Select():
                return self.select(node, scope)
            case Call():
                return self.call(node, scope)
            case ListOf(items):
                checked = tuple(self.node(item, scope) for item in items)
                return replace(node, items=checked, type=list_of(_common([c.type for c in checked])))
            case MapOf(entries):
                pairs = tuple((self.node(k, scope), self.node(v, scope)) for k, v in entries)
                keys, values = _common([k.type for k, _ in pairs]), _common([v.type for _, v in pairs])
                return replace(node, entries=pairs, type=map_of(keys, values))
            case Each():
                return self.each(node, scope)

    def literal(self, node: Literal) -> Literal:
        if node.type != DOUBLE:
            return node
        if self.env.exact:
            return replace(node, type=DECIMAL)
        return replace(node, value=float(node.value))

    def ident(self, node: Ident, scope: Mapping[str, Type]) -> Node:
        if node.name in scope:
            return replace(node, type=scope[node.name])
        if not self.env.exact and node.name in TYPE_NAMES:
            return replace(node, type=TYPE)
        raise self.unknown(node.name, scope, node.pos)

    def unknown(self, name: str, scope: Mapping[str, Type], pos: int) -> CelError:
        near = difflib.get_close_matches(name, scope, n=1)
        holders = [v for v, t in scope.items() if t.name == "record" and name in t.fields]
        if holders and self.env.exact:
            cure = f"Did you mean {holders[0]}.{name}?"
        else:
            cure = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(scope))}."
        return CelError(f"There is no variable {name!r}.", pos, code="unknown_variable", cure=cure)

    def select(self, node: Select, scope: Mapping[str, Type]) -> Node:
        dotted = _dotted(node)
        if dotted and dotted in scope and not node.test:
            return Ident(dotted, scope[dotted], node.pos)
        operand = self.node(node.operand, scope)
        holder, type_ = operand.type, DYN
        if holder.name == "record":
            if node.field not in holder.fields:
                near = difflib.get_close_matches(node.field, holder.fields, n=1)
                cure = f"Did you mean {near[0]!r}?" if near else ""
                message = f"There is no field {node.field!r}."
                raise CelError(message, node.pos, code="unknown_field", cure=cure)
            type_ = holder.fields[node.field]
        elif holder.name == "map":
            type_ = holder.params[1]
        elif holder not in (DYN, NULL):
            raise CelError(f"A {holder} has no fields.", node.pos, code="type")
        return replace(node, operand=operand, type=BOOL if node.test else type_)

    def each(self, node: Each, scope: Mapping[str, Type]) -> Node:
        over = self.node(node.over, scope)
        if over.type.name not in ("list", "map", "record") and over.type != DYN:
            message = f"{node.macro} goes over a list or map, not a {over.type}."
            raise CelError(message, node.pos, code="type")
        item = over.type.params[0] if over.type.params else STRING if over.type.name == "record" else DYN
        inner = {**scope, node.var: item}
        keep = self.node(node.keep, inner) if node.keep else None
        body = self.node(node.body, inner)
        for test in (keep, None if node.macro == "map" else body):
            if test is not None and test.type not in (BOOL, DYN):
                raise CelError(f"{node.macro} needs a condition.", test.pos, code="type")
        type_ = {"map": list_of(body.type), "filter": list_of(item)}.get(node.macro, BOOL)
        return replace(node, over=over, body=body, keep=keep, type=type_)

    # -- calls -------------------------------------------------------------------------------------

    def call(self, node: Call, scope: Mapping[str, Type]) -> Node:
        if node.target is not None and (name := _namespaced(node)):
            raise CelError(f"There is no function {name!r}.", node.pos, code="unknown_function")
        args = tuple(self.node(arg, scope) for arg in node.args)
        target = self.node(node.target, scope) if node.target is not None else None
        types = [a.type for a in ((target, *args) if target is not None else args)]
        result = self.operator(node, types)
        if result is None:
            result = self.function(node, types)
        return replace(node, args=args, target=target, type=result)

    def operator(self, node: Call, types: list[Type]) -> Type | None:  # noqa: PLR0911 - one answer a group
        match node.function:
            case "&&" | "||" | "!":
                return self.need(node, all(t in (BOOL, DYN, NULL) for t in types), types, BOOL)
            case "==" | "!=":
                ok = comparable(types[0], types[1], exact=self.env.exact)
                return self.need(node, ok, types, BOOL)
            case "<" | "<=" | ">" | ">=":
                return self.need(node, _ordered(types[0], types[1], exact=self.env.exact), types, BOOL)
            case "in":
                return self.membership(node, types)
            case "[]":
                return self.index(node, types)
            case "?:":
                self.need(node, types[0] in (BOOL, DYN), types, BOOL)
                result = joined(types[1], types[2])
                return self.need(node, result is not None, types[1:], result or DYN)
            case "-_":
                return self.need(node, types[0] in (INT, DOUBLE, DECIMAL, DURATION, DYN), types, types[0])
            case "+" | "-" | "*" | "/" | "%":
                result = self.arithmetic(node.function, types[0], types[1])
                return self.need(node, result is not None, types, result or DYN)
        return None

    def need(self, node: Call, ok: bool, types: list[Type], result: Type) -> Type:
        if ok:
            return result
        name = "-" if node.function == "-_" else node.function
        shown = " and ".join(str(t) for t in types)
        cure = ""
        if {t for t in types if t not in NUMBERS} and any(t in NUMBERS for t in types) and STRING in types:
            cure = "Turn one into the other: string(x), int(x) or double(x)."
        raise CelError(f"{name!r} does not work on {shown}.", node.pos, code="type", cure=cure)

    def arithmetic(self, sign: str, a: Type, b: Type) -> Type | None:
        if NULL in (a, b):
            return None
        if DYN in (a, b):
            return DYN if all(t == DYN or _calculable(sign, t) for t in (a, b)) else None
        if a in NUMBERS and b in NUMBERS:
            if a == b:
                return a if _calculable(sign, a) else None
            return DECIMAL if self.env.exact else None
        if sign == "+":
            return joined(a, b) if a.name == b.name == "list" else SUMS.get((a, b))
        return DIFFERENCES.get((a, b)) if sign == "-" else None

    def membership(self, node: Call, types: list[Type]) -> Type:
        item, holder = types
        if holder == DYN or holder.name == "record":
            return BOOL
        ok = holder.name in ("list", "map") and comparable(holder.params[0], item, exact=self.env.exact)
        return self.need(node, ok, types, BOOL)

    def index(self, node: Call, types: list[Type]) -> Type:
        holder, key = types
        if holder.name == "list":
            return self.need(node, key in (*NUMBERS, DYN), types, holder.params[0])
        if holder.name == "map":
            return self.need(node, comparable(holder.params[0], key), types, holder.params[1])
        return self.need(node, holder == DYN or (holder.name == "record" and key == STRING), types, DYN)

    def function(self, node: Call, types: list[Type]) -> Type:
        known = self.env.functions.get(node.function)
        if known is None:
            near = difflib.get_close_matches(node.function, self.env.functions, n=1)
            cure = f"Did you mean {near[0]}()?" if near else ""
            message = f"There is no function {node.function!r}."
            raise CelError(message, node.pos, code="unknown_function", cure=cure)
        results = [r for r in (_result(signature, types) for signature in known) if r is not None]
        if not results:
            shown = ", ".join(map(str, types)) or "nothing"
            message = f"{node.function}() does not take {shown}."
            cure = "It takes: " + "; ".join(dict.fromkeys(map(str, known))) + "."
            raise CelError(message, node.pos, code="type", cure=cure)
        # With dyn several may fit; unless they agree, so is the result.
        return results[0] if DYN not in types or len(set(results)) == 1 else DYN


def _result(signature: Signature, types: list[Type]) -> Type | None:
    params = list(signature.params)
    if signature.repeats:
        params = params[:-1] + [params[-1]] * max(0, len(types) - len(params) + 1)
    if len(params) != len(types):
        return None
    bound: list[Type] = []
    for wanted, given in zip(params, types, strict=True):
        if wanted == ANY:
            bound.append(given)
        elif wanted == list_of(ANY):
            if given.name != "list":
                return None
            bound.append(given.params[0])
        elif not accepts(wanted, given):
            return None
    if signature.result != ANY:
        return signature.result
    common = _joined_all(bound)
    return None if common is None else common


def _joined_all(types: list[Type]) -> Type | None:
    found: Type | None = types[0]
    for type_ in types[1:]:
        found = joined(found, type_) if found else None
    return found


def _common(types: list[Type]) -> Type:
    if not types:
        return DYN
    return _joined_all(types) or DYN


def _calculable(sign: str, type_: Type) -> bool:
    """Say whether a value of the type may stand beside `sign` at all."""
    if type_ in NUMBERS:
        return sign != "%" or type_ != DOUBLE
    if sign == "+":
        return type_ in (STRING, BYTES, TIMESTAMP, DURATION) or type_.name == "list"
    return sign == "-" and type_ in (TIMESTAMP, DURATION)


def _ordered(a: Type, b: Type, *, exact: bool) -> bool:
    if DYN in (a, b):
        return all(t == DYN or t in ORDERED for t in (a, b))
    if exact and a in NUMBERS and b in NUMBERS:
        return True
    return a in ORDERED and (a == b or {a, b} == {DATE, TIMESTAMP})


def _dotted(node: Node) -> str:
    """Return `a.b.c` for a chain of names, else nothing."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.test and (before := _dotted(node.operand)):
        return f"{before}.{node.field}"
    return ""


def _namespaced(node: Call) -> str:
    """Return `math.sqrt` for a call in a namespace that does not exist here, else nothing."""
    if isinstance(node.target, Ident) and node.target.name in ("math", "strings", "sets", "cel", "optional"):
        return f"{node.target.name}.{node.function}"
    return ""
