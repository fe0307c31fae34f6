"""Random expressions of a wanted type over a small record, and random records with holes and edges."""

import datetime as dt
from decimal import Decimal

from apps.core.cel import Env
from apps.core.cel.types import BOOL, DATE, DECIMAL, INT, STRING, TIMESTAMP, list_of, record_of

COLUMNS = {
    "n": ("numeric", DECIMAL),
    "m": ("numeric", DECIMAL),
    "k": ("integer", INT),
    "s": ("text", STRING),
    "t": ("text", STRING),
    "b": ("boolean", BOOL),
    "c": ("boolean", BOOL),
    "d": ("date", DATE),
    "e": ("date", DATE),
    "at": ("timestamptz", TIMESTAMP),
    "tags": ("text[]", list_of(STRING)),
}
ENV = Env({"record": record_of("row", {name: type_ for name, (_, type_) in COLUMNS.items()})})
NUMBERS = ("0", "1", "-1", "2.5", "-2.5", "0.1", "99999999999999.99", "-0.0000000001", "7", "3", "1e10")
TEXTS = ("''", "'a'", "'A'", "' b '", "'ä%_'", "'Zoë'", "'\\n'", "'ß'", "'a\\\\b'", "'Ω'", "'😀'")
DAYS = ("date('2024-02-29')", "date('0001-01-01')", "date('9999-12-31')", "date('2026-03-01')")
INSTANTS = (
    "timestamp('2024-02-29T23:59:59.999Z')",
    "timestamp('9999-12-31T23:00:00Z')",
    "timestamp('2026-01-31T00:00:00+02:00')",
    "datetime(date('2026-01-31'))",
)
VALUES = {
    "n": ["0", "1", "-3.75", "12345678901234567890.123", "0.00000000000000000001", "2.5", "-2.5", "1e15"],
    "m": ["0", "3", "-7", "0.3", "99999999999999999999999999999999999999", "2", "-0.5"],
    "k": [0, 1, -5, 2147483647],
    "s": ["", "a", "A", "b ", "ä%_", "Zoë", " \t\n", "STRASSE", "straße", "Ω", "😀x", "a\\b"],
    "t": ["", "a", "Zo", "ë", "%", "_", "ß", "x"],
    "b": [True, False],
    "c": [True, False],
    "d": ["2024-02-29", "0001-01-01", "9999-12-31", "2026-01-31"],
    "e": ["2024-02-28", "2025-12-31", "2026-01-31"],
    "at": ["2024-02-29T12:00:00.5+00:00", "9999-12-31T23:59:59.999+00:00", "2026-01-31T00:00:00+00:00"],
    "tags": [[], ["a"], ["a", "Zoë"], ["ä%_", ""]],
}
READ = {
    "numeric": Decimal,
    "date": dt.date.fromisoformat,
    "timestamptz": dt.datetime.fromisoformat,
}


def record(rng):
    """Return one record; a quarter of its fields hold nothing."""
    found = {}
    for name, (sql_type, _) in COLUMNS.items():
        raw = None if rng.random() < 0.25 else rng.choice(VALUES[name])
        found[name] = READ.get(sql_type, lambda value: value)(raw) if raw is not None else None
    return found


class Maker:
    """Makes expressions of a type; `depth` bounds the nesting."""

    def __init__(self, rng):
        self.rng = rng

    def make(self, type_, depth):
        if depth <= 0 or self.rng.random() < 0.15:
            return self.rng.choice(LEAVES[type_])
        template = self.rng.choice(FORMS[type_])
        return self.filled(template, depth - 1)

    def filled(self, template, depth):
        words = template.split("<")
        out = [words[0]]
        for word in words[1:]:
            type_, rest = word.split(">", 1)
            out.append(self.leaf(type_) if type_ in CONSTANTS else self.make(type_, depth))
            out.append(rest)
        return "".join(out)

    def leaf(self, name):
        return self.rng.choice(CONSTANTS[name])


CONSTANTS = {
    "DAYSN": ("0", "1", "-1", "31", "366", "-800000", "40"),
    "MONTHS": ("0", "1", "-1", "12", "-13", "100000"),
    "SPAN": ("duration('1h')", "duration('-36h30m')", "duration('0.5s')", "duration('90000h')"),
    "PLACES": ("0", "1", "5", "20"),
    "SIGN": ("+", "-", "*"),
    "ORDER": ("<", "<=", ">", ">="),
    "SAME": ("==", "!="),
    "LOGIC": ("&&", "||"),
}
LEAVES = {
    "bool": ("record.b", "record.c", "true", "false", "has(record.n)", "has(record.s)"),
    "num": ("record.n", "record.m", "record.k", *NUMBERS),
    "int": ("record.k", "0", "1", "-7", "3", "size(record.s)"),
    "str": ("record.s", "record.t", *TEXTS),
    "day": ("record.d", "record.e", *DAYS),
    "at": ("record.at", *INSTANTS),
}
FORMS = {
    "bool": (
        "(<bool> <LOGIC> <bool>)",
        "(<bool> <LOGIC> <bool>)",
        "!(<bool>)",
        "(<num> <ORDER> <num>)",
        "(<str> <ORDER> <str>)",
        "(<day> <ORDER> <day>)",
        "(<at> <ORDER> <at>)",
        "(<day> <ORDER> <at>)",
        "(<num> <SAME> <num>)",
        "(<str> <SAME> <str>)",
        "(<day> <SAME> <at>)",
        "(<bool> <SAME> <bool>)",
        "(<num> <SAME> null)",
        "(null <SAME> <str>)",
        "(<bool> ? <bool> : <bool>)",
        "(<str> in [<str>, <str>, 'a'])",
        "(<num> in [1, 2.5, <num>])",
        "(<str> in record.tags)",
        "contains(record.tags, <str>)",
        "<str>.contains(<str>)",
        "<str>.startsWith(<str>)",
        "endsWith(<str>, <str>)",
        "isBlank(<str>)",
        "isEmpty(<str>)",
        "isBlank(<num>)",
        "isEmpty(record.tags)",
        "coalesce(<bool>, <bool>)",
    ),
    "num": (
        "(<num> <SIGN> <num>)",
        "(<num> <SIGN> <num>)",
        "(<num> / <num>)",
        "(<num> % <num>)",
        "(<int> / <int>)",
        "(-(<num>))",
        "(<bool> ? <num> : <num>)",
        "(<bool> ? <num> : null)",
        "coalesce(<num>, <num>)",
        "coalesce(<num>, null)",
        "round(<num>, <PLACES>)",
        "round(<num>)",
        "floor(<num>)",
        "ceil(<num>)",
        "abs(<num>)",
        "min(<num>, <num>)",
        "max(<num>, <num>, <num>)",
        "decimal(<num>)",
        "size(record.tags)",
        "len(<str>)",
        "daysBetween(<day>, <at>)",
        "getFullYear(<day>)",
        "<at>.getDayOfWeek()",
        "<at>.getMilliseconds()",
        "<at>.getDayOfYear()",
        "<day>.getMonth()",
    ),
    "int": (
        "(<int> + <int>)",
        "(<int> % <int>)",
        "(<int> / <int>)",
        "(<bool> ? <int> : <int>)",
        "size(<str>)",
    ),
    "str": (
        "(<str> + <str>)",
        "upper(<str>)",
        "lower(<str>)",
        "trim(<str>)",
        "string(<num>)",
        "string(<bool>)",
        "string(<day>)",
        "(<bool> ? <str> : <str>)",
        "coalesce(<str>, <str>)",
        "joinNonEmpty([<str>, <str>, record.s], ', ')",
        "min(<str>, <str>)",
        "max(<str>, <str>)",
    ),
    "day": (
        "addDays(<day>, <DAYSN>)",
        "addMonths(<day>, <MONTHS>)",
        "date(<at>)",
        "(<bool> ? <day> : <day>)",
        "coalesce(<day>, <day>)",
        "max(<day>, <day>)",
    ),
    "at": (
        "(<at> + <SPAN>)",
        "(<at> - <SPAN>)",
        "datetime(<day>)",
        "addMonths(<at>, <MONTHS>)",
        "addDays(<at>, <DAYSN>)",
        "(<bool> ? <at> : <at>)",
        "coalesce(<at>, <at>)",
    ),
}
TYPES = tuple(FORMS)
