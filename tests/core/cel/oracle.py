"""What Google's own implementation makes of an expression: its tree, read from the wire form it writes."""

import struct

from cel_expr_python import cel

SIGNS = {
    "_&&_": "&&",
    "_||_": "||",
    "!_": "!",
    "_?_:_": "?:",
    "_==_": "==",
    "_!=_": "!=",
    "_<_": "<",
    "_<=_": "<=",
    "_>_": ">",
    "_>=_": ">=",
    "_+_": "+",
    "_-_": "-",
    "_*_": "*",
    "_/_": "/",
    "_%_": "%",
    "-_": "-_",
    "@in": "in",
    "_[_]": "[]",
}


def fields(data):
    """Yield (number, value) of one message; a value is an int or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 1:
            value, at = data[at : at + 8], at + 8
        else:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        yield number, value


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def tree(source, variables=None, *, check=False):
    """Return the tree of `source` as nested tuples; raises what the library raises for bad syntax."""
    env = cel.NewEnv(variables=variables or {})
    packed = dict(fields(env.compile(source, disable_check=not check).serialize()))
    # A parsed expression keeps the tree in field 2, a checked one in field 4.
    parts = dict(fields(packed[2]))
    return _expr(parts[4] if 4 in parts else parts[2])


def _expr(data):  # noqa: PLR0911 - one answer a field
    for number, value in fields(data):
        if number == 3:
            return _const(value)
        if number == 4:
            return ("ident", dict(fields(value))[1].decode())
        if number == 5:
            return _select(dict(fields(value)))
        if number == 6:
            return _call(value)
        if number == 7:
            return ("list", *(_expr(item) for n, item in fields(value) if n == 1))
        if number == 8:
            return _map(value)
        if number == 9:
            return ("each",)
    return ("empty",)


def _select(parts):
    operand = _expr(parts[1])
    return ("has" if parts.get(3) else "select", operand, parts[2].decode())


def _call(data):
    target, name, args = None, "", []
    for number, value in fields(data):
        if number == 1:
            target = _expr(value)
        elif number == 2:
            name = value.decode()
        else:
            args.append(_expr(value))
    name = SIGNS.get(name, name)
    return flat(("call", name, *([target] if target else []), *args))


def flat(call):
    """Chains of && and || may be grouped in any way: compare them as one list."""
    if call[1] not in ("&&", "||"):
        return call
    parts = []
    for part in call[2:]:
        parts += part[2:] if part[:2] == call[:2] else [part]
    return (*call[:2], *parts)


def _map(data):
    pairs = []
    for number, value in fields(data):
        if number == 2:
            parts = dict(fields(value))
            pairs.append((_expr(parts[3]), _expr(parts[4])))
    return ("map", *pairs)


def _const(data):  # noqa: PLR0911 - one answer a field
    for number, value in fields(data):
        match number:
            case 1:
                return ("null",)
            case 2:
                return ("bool", bool(value))
            case 3:
                return ("int", value - 2**64 if value >= 2**63 else value)
            case 4:
                return ("uint", value)
            case 5:
                return ("double", struct.unpack("<d", value)[0])
            case 6:
                return ("string", value.decode())
            case 7:
                return ("bytes", bytes(value))
    return ("null",)
