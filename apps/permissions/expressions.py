"""CEL conditions lowered to rules over records: `field cmp literal | current_user.*`, `in`, `&&`, `||`, `!`, `?:`.

The rule is true exactly where the expression evaluates to true. Where the expression would fault, as an order of
nothing does, the rule is false, and so is its negation: negations are pushed down to the tests for that.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from apps.core.cel import CelError, parse
from apps.core.cel.tree import Call, Ident, ListOf, Literal, Node, Select
from apps.permissions import rules
from apps.permissions.lowering import (
    FLAGS,
    IDS,
    LISTS,
    TEXTS,
    NotLowerable,
    compare,
    equals,
    literal,
    literals,
    reads,
    type_of,
)
from apps.permissions.rules import CURRENT_USER, FieldEquals, Mine, Not, Rule

Fields = Mapping[str, Any]
USERS = ("current_user", "user", "ctx.user", "os.user")
# What an expression may ask of whoever asks: the placeholder, and the types of fields it compares with.
MINE: Mapping[str, tuple[rules.Personal, frozenset[str]]] = MappingProxyType(
    {
        "id": (CURRENT_USER, IDS),
        "email": (Mine("email"), TEXTS),
        "name": (Mine("name"), TEXTS),
        "organization_id": (Mine("organization_id"), IDS),
    }
)
POSITIONS = "positions"
OPPOSITE: Mapping[rules.Comparison, rules.Comparison] = MappingProxyType(
    {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
)
TURNED: Mapping[str, rules.Comparison] = MappingProxyType({"<": ">", "<=": ">=", ">": "<", ">=": "<="})
METHODS: Mapping[str, rules.TextTest] = MappingProxyType(
    {"startsWith": "starts", "endsWith": "ends", "contains": "contains"}
)
INSTANTS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "date": dt.date.fromisoformat,
        "timestamp": dt.datetime.fromisoformat,
        "datetime": dt.datetime.fromisoformat,
    }
)


def expression(source: str, fields: Fields) -> Rule:
    """Return the rule of a CEL condition; raises `NotLowerable` for what is no condition or has no rule."""
    return _Lowering(fields).rule(tree_of(source), positive=True)


@lru_cache(maxsize=2_000)
def tree_of(source: str) -> Node:
    """Return the tree of an expression; raises `NotLowerable` for a text that is none."""
    try:
        return parse(source)
    except CelError as error:
        raise NotLowerable(str(error)) from error


class _Lowering:
    """Lowers the expressions of one object; `positive` False asks for the negation."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields

    def rule(  # noqa: PLR0911 - one answer a kind of node
        self, node: Node, *, positive: bool
    ) -> Rule:
        """Return the rule of a condition, or of its negation."""
        match node:
            case Literal(bool() as value):
                return rules.Always() if value is positive else rules.Never()
            case Call("!", (part,)):
                return self.rule(part, positive=not positive)
            case Call("&&" | "||" as word, parts):
                made = [self.rule(part, positive=positive) for part in parts]
                return rules.conjunction(made) if (word == "&&") is positive else rules.disjunction(made)
            case Call("?:", (condition, yes, no)):
                return self._choice(condition, yes, no, positive=positive)
            case Call("==" | "!=" as sign, (left, right)):
                return self._equal(left, right, positive=(sign == "==") is positive)
            case Call():
                return self._test(node, positive=positive)
        return self._flag(node, positive=positive)

    def _test(self, node: Call, *, positive: bool) -> Rule:
        match node:
            case Call("<" | "<=" | ">" | ">=" as sign, (left, right)):
                return self._order(sign, left, right, positive=positive)
            case Call("in", (item, many)):
                return self._member(item, many, positive=positive)
            case Call(name, (Literal(str() as text),), Ident() | Select() as place) if name in METHODS:
                field = self._field(place)
                made = reads(field, type_of(field, self.fields), METHODS[name], text)
                return made if positive else self._present(field, Not(made))
            case Call("isBlank", (place,)):
                return self._blank(place, positive=positive)
        raise _refused(node)

    def _choice(self, condition: Node, yes: Node, no: Node, *, positive: bool) -> Rule:
        chosen = rules.conjunction([self.rule(condition, positive=True), self.rule(yes, positive=positive)])
        other = rules.conjunction([self.rule(condition, positive=False), self.rule(no, positive=positive)])
        return rules.disjunction([chosen, other])

    def _flag(self, node: Node, *, positive: bool) -> Rule:
        field = self._field(node)
        if type_of(field, self.fields) not in FLAGS:
            msg = f"{field} is no truth value; compare it with something."
            raise NotLowerable(msg)
        return FieldEquals(field, positive)

    def _equal(self, left: Node, right: Node, *, positive: bool) -> Rule:
        field, value = self._sides(left, right)
        kind = type_of(field, self.fields)
        if kind.startswith("list:"):
            msg = f"{field} holds several values; ask whether one is `in` it."
            raise NotLowerable(msg)
        made = self._mine(field, kind, value) or equals(field, kind, self._constant(value))
        return made if positive else Not(made)

    def _order(self, sign: str, left: Node, right: Node, *, positive: bool) -> Rule:
        turned = self._name(left) is None
        field, value = self._sides(left, right)
        operator = TURNED[sign] if turned else TURNED[TURNED[sign]]
        if not positive:
            operator = OPPOSITE[operator]
        return compare(field, type_of(field, self.fields), operator, self._constant(value))

    def _member(self, item: Node, many: Node, *, positive: bool) -> Rule:
        asked = _asked(many)
        if asked == POSITIONS and isinstance(item, Literal) and isinstance(item.value, str):
            made: Rule = rules.Holds(POSITIONS, item.value)
            return made if positive else Not(made)
        field = self._name(item)
        if field is not None:
            made = self._among(field, many, asked)
            return made if positive else Not(made)
        field = self._field(many)
        kind = type_of(field, self.fields)
        inner = kind.removeprefix("list:")
        if inner not in LISTS | IDS | {"select"} or inner == kind:
            msg = f"{field} holds no list of options, records or people."
            raise NotLowerable(msg)
        is_me = _asked(item) == "id" and inner in IDS
        made = rules.FieldHas(field, CURRENT_USER if is_me else literal(inner, self._constant(item)))
        return made if positive else self._present(field, Not(made))

    def _among(self, field: str, many: Node, asked: str | None) -> Rule:
        """Return "the field holds one of these": a list written out, or the user's roles."""
        kind = type_of(field, self.fields)
        if asked == POSITIONS and kind in TEXTS:
            return rules.FieldIn(field, Mine(POSITIONS))
        if not isinstance(many, ListOf) or kind.startswith("list:"):
            raise _refused(many)
        values = [self._constant(item) for item in many.items]
        return rules.FieldIn(field, literals(kind, values))

    def _blank(self, place: Node, *, positive: bool) -> Rule:
        field = self._field(place)
        parts: list[Rule] = [FieldEquals(field, None)]
        if type_of(field, self.fields) in TEXTS:
            parts.append(FieldEquals(field, ""))
        made = rules.disjunction(parts)
        return made if positive else Not(made)

    def _present(self, field: str, rule: Rule) -> Rule:
        """Return a rule that is false where the field holds nothing: there the expression faults."""
        return rules.conjunction([Not(FieldEquals(field, None)), rule])

    def _mine(self, field: str, kind: str, value: Node) -> Rule | None:
        """Return "the field is this fact about the user", or None when the value is none."""
        asked = _asked(value)
        if asked is None:
            return None
        placeholder, kinds = MINE.get(asked, (None, frozenset()))
        if placeholder is None or kind not in kinds:
            msg = f"{field} cannot be compared with current_user.{asked}."
            raise NotLowerable(msg)
        return FieldEquals(field, placeholder)

    def _sides(self, left: Node, right: Node) -> tuple[str, Node]:
        """Return the field of a comparison, whichever side it is on, and the other side."""
        for one, other in ((left, right), (right, left)):
            name = self._name(one)
            if name is not None:
                if self._name(other) is not None:
                    msg = f"{name} can be compared with values only, not with another field."
                    raise NotLowerable(msg)
                return name, other
        raise _refused(left)

    def _constant(self, node: Node) -> Any:
        match node:
            case Literal(value):
                return value
            case Call(name, (Literal(str() as text),), None) if name in INSTANTS:
                try:
                    return INSTANTS[name](text)
                except ValueError as error:
                    msg = f"{text[:40]!r} is no {name}."
                    raise NotLowerable(msg) from error
        raise _refused(node)

    def _field(self, node: Node) -> str:
        name = self._name(node)
        if name is None:
            raise _refused(node)
        return name

    def _name(self, node: Node) -> str | None:
        """Return the field that `name` or `record.name` stands for; None for anything else."""
        match node:
            case Select(Ident("record"), name, False):
                return name
            case Ident(name) if name in self.fields:
                return name
            case Ident(name) if name not in USERS:
                type_of(name, self.fields)
        return None


def _asked(node: Node) -> str | None:
    """Return the name of the fact about the user that a node asks for, or None."""
    match node:
        case Select(Ident(name), fact, False) if name in USERS:
            return fact
        case Select(Select(Ident(first), second, False), fact, False) if f"{first}.{second}" in USERS:
            return fact
    return None


def _refused(node: Node) -> NotLowerable:
    return NotLowerable(
        f"Character {node.pos + 1}: a rule over records compares a field with a value or a fact of current_user."
    )
