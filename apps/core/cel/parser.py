"""From words to the tree: the grammar of CEL without messages, by one function a level of precedence."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from apps.core.cel.errors import CelError
from apps.core.cel.lexer import RESERVED, Token, tokens
from apps.core.cel.tree import Call, Each, Ident, ListOf, Literal, MapOf, Node, Select
from apps.core.cel.types import BOOL, BYTES, DOUBLE, INT, NULL, STRING, UINT

DEPTH_LIMIT = 40
NODE_LIMIT = 1_000
INT_RANGE = range(-(2**63), 2**63)
UINT_RANGE = range(2**64)
RELATIONS = frozenset({"<", "<=", ">", ">=", "==", "!=", "in"})
WORDS = {"true": Literal(True, BOOL), "false": Literal(False, BOOL), "null": Literal(None, NULL)}
MACROS = {"all": (2,), "exists": (2,), "exists_one": (2,), "existsOne": (2,), "map": (2, 3), "filter": (2,)}


def parse(source: str) -> Node:
    """Return the tree of `source`, every type `dyn` but those of literals; raises `CelError`."""
    if not source.strip():
        raise CelError("The expression is empty.", code="empty", cure="Write a condition, or remove the key.")
    parser = _Parser(tokens(source))
    node = parser.expression()
    parser.expect("end")
    return node


class _Parser:
    def __init__(self, words: list[Token]) -> None:
        self.words = words
        self.at = 0
        self.depth = 0
        self.nodes = 0

    # -- words -------------------------------------------------------------------------------------

    @property
    def word(self) -> Token:
        return self.words[self.at]

    def take(self, *texts: str) -> Token | None:
        """Move past one of these signs or words, or stay."""
        word = self.word
        if word.text in texts and word.kind in ("sign", "name"):
            self.at += 1
            return word
        return None

    def expect(self, text: str) -> Token:
        word = self.word
        if (word.kind == "end") if text == "end" else (word.kind == "sign" and word.text == text):
            self.at += 1
            return word
        shown = "the end" if word.kind == "end" else repr(word.text)
        wanted = "the end of the expression" if text == "end" else repr(text)
        raise CelError(f"Expected {wanted}, found {shown}.", word.pos)

    def made(self, node: Node) -> Node:
        self.nodes += 1
        if self.nodes > NODE_LIMIT:
            message = f"The expression has more than {NODE_LIMIT} parts."
            raise CelError(message, node.pos, code="too_large", cure="Split it.")
        return node

    # -- levels of precedence ----------------------------------------------------------------------

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise CelError("The expression is nested too deeply.", self.word.pos, code="too_large")
        node = self.either()
        if sign := self.take("?"):
            yes = self.either()
            self.expect(":")
            node = self.made(Call("?:", (node, yes, self.expression()), pos=sign.pos))
        self.depth -= 1
        return node

    def either(self) -> Node:
        return self.logical("||", self.both)

    def both(self) -> Node:
        return self.logical("&&", self.relation)

    def logical(self, sign: str, below: Callable[[], Node]) -> Node:
        """A long chain becomes a balanced tree, so that its length never is depth."""
        parts = [below()]
        places = []
        while found := self.take(sign):
            places.append(found.pos)
            parts.append(below())
        return self.balanced(sign, parts, places)

    def balanced(self, sign: str, parts: list[Node], places: list[int]) -> Node:
        if len(parts) == 1:
            return parts[0]
        middle = len(parts) // 2
        left = self.balanced(sign, parts[:middle], places[: middle - 1])
        right = self.balanced(sign, parts[middle:], places[middle:])
        return self.made(Call(sign, (left, right), pos=places[middle - 1]))

    def relation(self) -> Node:
        return self.chain(RELATIONS, self.sum)

    def sum(self) -> Node:
        return self.chain(frozenset("+-"), self.product)

    def product(self) -> Node:
        return self.chain(frozenset("*/%"), self.unary)

    def chain(self, signs: frozenset[str], below: Callable[[], Node]) -> Node:
        node = below()
        length = 0
        while found := self.take(*signs):
            length += 1
            if length > DEPTH_LIMIT:
                raise CelError("The chain is too long.", found.pos, code="too_large", cure="Use brackets.")
            node = self.made(Call(found.text, (node, below()), pos=found.pos))
        return node

    def unary(self) -> Node:
        signs: list[Token] = []
        while found := self.take("!", "-"):
            if signs and signs[-1].text != found.text:
                raise CelError("'!' and '-' do not mix.", found.pos, cure="Use brackets.")
            signs.append(found)
        if len(signs) > DEPTH_LIMIT:
            raise CelError("Too many signs.", signs[0].pos, code="too_large")
        odd = len(signs) % 2 == 1
        if odd and signs[0].text == "-" and self.word.kind in ("int", "float"):
            return self.member(negative=True)
        node = self.member()
        if odd:  # an even number turns nothing round
            node = self.made(Call("!" if signs[0].text == "!" else "-_", (node,), pos=signs[0].pos))
        return node

    def member(self, *, negative: bool = False) -> Node:
        node = self.primary(negative=negative)
        length = 0
        while found := self.take(".", "["):
            length += 1
            if length > DEPTH_LIMIT:
                raise CelError("The chain is too long.", found.pos, code="too_large")
            if found.text == "[":
                index = self.expression()
                self.expect("]")
                node = self.made(Call("[]", (node, index), pos=found.pos))
                continue
            name = self.word
            if name.kind not in ("name", "quoted") or (name.kind == "name" and name.text in (*WORDS, "in")):
                raise CelError("Expected the name of a field after '.'.", name.pos)
            self.at += 1
            if name.kind == "name" and self.take("("):
                node = self.method(node, name)
            else:
                node = self.made(Select(node, name.text, pos=name.pos))
        return node

    def method(self, target: Node, name: Token) -> Node:
        args = self.arguments(")")
        if len(args) in MACROS.get(name.text, ()) and (each := self.each(target, name, args)):
            return each
        return self.made(Call(name.text, tuple(args), target, pos=name.pos))

    def each(self, target: Node, name: Token, args: list[Node]) -> Node | None:
        var, *rest = args
        if not isinstance(var, Ident):
            raise CelError(f"{name.text} needs a name first.", var.pos, cure=f"Write {name.text}(x, …).")
        macro = "exists_one" if name.text == "existsOne" else name.text
        keep = rest[0] if len(rest) == 2 else None
        return self.made(Each(macro, target, var.name, rest[-1], keep, pos=name.pos))  # type: ignore[arg-type]

    # -- primary -----------------------------------------------------------------------------------

    def primary(self, *, negative: bool = False) -> Node:
        word = self.word
        if word.kind in ("int", "uint", "float", "string", "bytes"):
            self.at += 1
            return self.made(self.literal(word, negative=negative))
        if word.kind == "name":
            return self.name()
        if self.take("("):
            node = self.expression()
            self.expect(")")
            return node
        if self.take("["):
            return self.made(ListOf(tuple(self.arguments("]")), pos=word.pos))
        if self.take("{"):
            return self.made(MapOf(self.entries(), pos=word.pos))
        if self.take("."):
            return self.name()
        found = "nothing" if word.kind == "end" else repr(word.text)
        raise CelError(f"Expected a value, found {found}.", word.pos)

    def literal(self, word: Token, *, negative: bool) -> Literal:
        if word.kind == "string":
            return Literal(word.value, STRING, word.pos)
        if word.kind == "bytes":
            return Literal(word.value, BYTES, word.pos)
        if word.kind == "float":
            value: Decimal = -word.value if negative else word.value
            return Literal(value, DOUBLE, word.pos)
        number = -word.value if negative else word.value
        if number not in (UINT_RANGE if word.kind == "uint" else INT_RANGE):
            raise CelError("The whole number is too large.", word.pos, cure="Write 1.0 times it.")
        return Literal(number, UINT if word.kind == "uint" else INT, word.pos)

    def name(self) -> Node:
        word = self.word
        if word.kind != "name":
            raise CelError("Expected a name.", word.pos)
        self.at += 1
        if word.text in WORDS:
            return self.made(Literal(WORDS[word.text].value, WORDS[word.text].type, word.pos))
        if word.text in RESERVED or word.text == "in":
            raise CelError(f"{word.text!r} is a reserved word.", word.pos, cure="Choose another name.")
        if not self.take("("):
            if self.word.text == "{" and self.word.kind == "sign":
                raise CelError(
                    "Messages cannot be built here.", word.pos, cure="Write a map: {'key': value}."
                )
            return self.made(Ident(word.text, pos=word.pos))
        args = self.arguments(")")
        if word.text == "has":
            return self.presence(word, args)
        return self.made(Call(word.text, tuple(args), pos=word.pos))

    def presence(self, word: Token, args: list[Node]) -> Node:
        if len(args) != 1 or not isinstance(args[0], Select):
            raise CelError("has() takes one field.", word.pos, cure="Write has(record.name).")
        return self.made(Select(args[0].operand, args[0].field, test=True, pos=word.pos))

    def arguments(self, closing: str) -> list[Node]:
        found: list[Node] = []
        while not self.take(closing):
            if found:
                self.expect(",")
                if closing == "]" and self.take(closing):
                    break
            found.append(self.expression())
        return found

    def entries(self) -> tuple[tuple[Node, Node], ...]:
        found: list[tuple[Node, Node]] = []
        while not self.take("}"):
            if found:
                self.expect(",")
                if self.take("}"):
                    break
            key = self.expression()
            self.expect(":")
            found.append((key, self.expression()))
        return tuple(found)
