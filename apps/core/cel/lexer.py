"""From the text of an expression to its words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from apps.core.cel.errors import CelError

SIZE_LIMIT = 10_000
MOST_DIGITS = 400
RESERVED = frozenset(
    (
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import"),
        *("let", "loop", "package", "namespace", "return", "var", "void", "while"),
    )
)
WORDS = re.compile(
    r"""(?P<space>(?:[ \t\r\n\f]+|//[^\n]*)+)
    |(?P<string>(?P<prefix>[bB]?[rR]?)(?P<quote>\"\"\"|'''|"|'))
    |(?P<float>(?:[0-9]+\.[0-9]+|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
    |(?P<int>(?:0[xX][0-9a-fA-F]+|[0-9]+)[uU]?)
    |(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
    |`(?P<quoted>[a-zA-Z0-9_./ -]+)`
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.ASCII,
)
ESCAPE = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|X(?P<X>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})"
    r"|(?P<o>[0-3][0-7]{2})|(?P<c>[abfnrtv\\?\"'`]))|\\|(?P<plain>[^\\]+)",
    re.DOTALL,
)
PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Token:
    """One word. `kind` is name, quoted, int, uint, float, string, bytes, sign or end."""

    kind: str
    text: str
    pos: int
    value: Any = None


def tokens(source: str) -> list[Token]:
    """Return the words of `source`, the last one of kind `end`; raises `CelError`."""
    if len(source) > SIZE_LIMIT:
        raise CelError(f"The expression is longer than {SIZE_LIMIT} characters.", code="too_large")
    found: list[Token] = []
    pos = 0
    while pos < len(source):
        match = WORDS.match(source, pos)
        if match is None:
            raise CelError(f"{source[pos]!r} means nothing here.", pos)
        if match["string"]:
            token, pos = _string(source, match)
            found.append(token)
            continue
        if match["space"] is None:
            found.append(_token(match, pos))
        pos = match.end()
    found.append(Token("end", "", len(source)))
    return found


def _token(match: re.Match[str], pos: int) -> Token:
    text = match[0]
    if match["float"]:
        return Token("float", text, pos, _decimal(text, pos))
    if match["int"]:
        if len(text) > MOST_DIGITS:
            raise CelError("The number has too many digits.", pos, code="too_large")
        unsigned = text[-1] in "uU"
        digits = text.rstrip("uU")
        value = int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)
        return Token("uint" if unsigned else "int", text, pos, value)
    if match["quoted"]:
        return Token("quoted", match["quoted"], pos)
    return Token("name" if match["name"] else "sign", text, pos)


def _decimal(text: str, pos: int) -> Decimal:
    """Return the number; one that could not be written out in full is refused before anybody tries."""
    number = Decimal(text)
    if len(text) > MOST_DIGITS or abs(number.adjusted()) > MOST_DIGITS:
        raise CelError("The number has too many digits.", pos, code="too_large")
    return number


def _string(source: str, match: re.Match[str]) -> tuple[Token, int]:
    quote, prefix = match["quote"], (match["prefix"] or "").lower()
    start = pos = match.end()
    while True:
        if pos >= len(source) or (len(quote) == 1 and source[pos] in "\r\n"):
            raise CelError("The text has no closing quote.", match.start(), cure=f"Close it with {quote}.")
        if source.startswith(quote, pos):
            break
        pos += 2 if source[pos] == "\\" and "r" not in prefix else 1
    body = source[start:pos]
    if "b" in prefix:
        value: Any = body.encode() if "r" in prefix else _bytes(body, start)
        return Token("bytes", body, match.start(), value), pos + len(quote)
    value = body if "r" in prefix else _text(body, start)
    return Token("string", body, match.start(), value), pos + len(quote)


def _pieces(body: str, start: int) -> list[tuple[str, str, int]]:
    """Return (kind, text, place) of each escape and each run between them."""
    found = []
    for match in ESCAPE.finditer(body):
        if match.lastgroup is None:
            raise CelError(
                "The escape is unknown.", start + match.start(), cure="Write \\\\ for a backslash."
            )
        found.append((match.lastgroup, match[match.lastgroup], start + match.start()))
    return found


def _text(body: str, start: int) -> str:
    out = []
    for kind, text, place in _pieces(body, start):
        if kind == "plain":
            out.append(text)
        elif kind == "c":
            out.append(PLAIN.get(text, text))
        else:
            code = int(text, 8 if kind == "o" else 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise CelError("The escape is no character.", place)
            out.append(chr(code))
    return "".join(out)


def _bytes(body: str, start: int) -> bytes:
    out = bytearray()
    for kind, text, place in _pieces(body, start):
        if kind == "plain":
            out += text.encode()
        elif kind == "c":
            out += PLAIN.get(text, text).encode()
        elif kind in ("u", "U"):
            raise CelError("Bytes have no \\u escapes.", place, cure="Write \\x and two digits.")
        else:
            out.append(int(text, 8 if kind == "o" else 16))
    return bytes(out)
