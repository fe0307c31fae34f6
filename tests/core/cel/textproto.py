"""Reading the text form of protocol buffers as far as the vectors use it: names to lists of values."""

import re

TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<string>r?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))|(?P<word>[-+\w.]+)
    |\[(?P<any>[\w./]+)\]|(?P<sign>[{}:\[\],])""",
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(
    rb"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def read(text):
    """Return the document as {name: [value, …]}; a value is bytes, a word, or such a dict."""
    words = [m for m in TOKEN.finditer(text) if m.lastgroup]
    found, rest = _message(words, 0)
    assert rest == len(words), words[rest]
    return found


def _message(words, at):
    found = {}
    while at < len(words) and words[at]["sign"] != "}":
        name = words[at]["word"] or words[at]["any"]
        at += 1
        if words[at]["sign"] == ":":
            at += 1
        if words[at]["sign"] == "[":
            at += 1
            while words[at]["sign"] != "]":
                value, at = _value(words, at)
                found.setdefault(name, []).append(value)
                at += words[at]["sign"] == ","
            at += 1
        else:
            value, at = _value(words, at)
            found.setdefault(name, []).append(value)
        if at < len(words) and words[at]["sign"] == ",":
            at += 1
    return found, at


def _value(words, at):
    if words[at]["sign"] == "{":
        inner, end = _message(words, at + 1)
        return inner, end + 1
    if words[at]["string"] is None:
        return words[at]["word"], at + 1
    whole = b""
    while at < len(words) and words[at]["string"] is not None:
        whole += _unescaped(words[at]["string"][1:-1].encode())
        at += 1
    return whole, at


def _unescaped(raw):
    def one(match):
        x, octal, u, big, plain = match.groups()
        if x:
            return bytes([int(x, 16)])
        if octal:
            return bytes([int(octal, 8)])
        if u or big:
            return chr(int(u or big, 16)).encode()
        return PLAIN.get(plain, plain)

    return ESCAPE.sub(one, raw)
