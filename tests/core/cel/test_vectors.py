"""The published conformance vectors: each runs, or stands under a reason why not."""

import datetime as dt
import math
import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

from apps.core.cel import CelError, Env, Fault, check, parse
from apps.core.cel.running import Frame, program
from apps.core.cel.tree import Literal
from apps.core.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NAMED,
    NULL,
    STRING,
    UINT,
    Type,
    list_of,
    map_of,
)
from apps.core.cel.values import TypeName, UInt, equal
from tests.core.cel.textproto import read

VECTORS = Path(__file__).parents[2] / "data" / "cel"
FILES = sorted(path.stem for path in VECTORS.glob("*.textproto"))
PRIMITIVES = {"BOOL": BOOL, "INT64": INT, "UINT64": UINT, "DOUBLE": DOUBLE, "STRING": STRING, "BYTES": BYTES}
WORDS = {"inf": math.inf, "-inf": -math.inf, "infinity": math.inf, "-infinity": -math.inf, "nan": math.nan}


def number(text):
    return WORDS.get(text.lower()) if text.lower() in WORDS else float(text)


def value_of(message):
    """Return the Python value of a `cel.expr.Value`."""
    (kind,), (value,) = message.keys(), next(iter(message.values()))[:1] if message else ((),)
    return READ[kind](value)


def _list(message):
    return [value_of(item) for item in message.get("values", [])]


def _map(message):
    return {value_of(e["key"][0]): value_of(e["value"][0]) for e in message.get("entries", [])}


def _object(message):
    ((name, (body,)),) = message.items()
    seconds = int(body.get("seconds", ["0"])[0])
    micro = int(body.get("nanos", ["0"])[0]) // 1000
    span = dt.timedelta(seconds=seconds, microseconds=micro)
    if name.endswith("Duration"):
        return span
    if name.endswith("Timestamp"):
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + span
    raise NotImplementedError(name)


TWO = re.compile(r"(?:all|exists|existsOne|exists_one)\(\w+, *\w+,|transform(?:List|Map|MapEntry)\(")
READ = {
    "null_value": lambda _: None,
    "bool_value": lambda v: v == "true",
    "int64_value": int,
    "uint64_value": lambda v: UInt(int(v)),
    "double_value": number,
    "string_value": lambda v: v.decode(),
    "bytes_value": bytes,
    "list_value": _list,
    "map_value": _map,
    "type_value": lambda v: TypeName(v.decode()),
    "object_value": _object,
}


def type_of(message):
    (kind, (value,)), *_ = message.items()
    if kind == "primitive":
        return PRIMITIVES[value]
    if kind == "list_type":
        return list_of(type_of(value["elem_type"][0]))
    if kind == "map_type":
        return map_of(type_of(value["key_type"][0]), type_of(value["value_type"][0]))
    if kind == "well_known":
        return NAMED.get(value.lower(), DYN)
    return {"null": NULL}.get(kind, DYN)


def left_out(test, source):
    """Return why a vector says nothing about us, or None."""
    if "{" in source and any(
        word in source for word in ("TestAllTypes", "google.protobuf", "NestedTestAllTypes")
    ):
        return "builds a protocol buffer message"
    if (
        test.get("container")
        or "TestAllTypes" in source
        or "google.protobuf" in source
        or "GlobalEnum" in source
    ):
        return "names a protocol buffer message"
    if TWO.search(source):
        return "a macro with two variables, an extension we do not have"
    nanos = [part for part in ("nanos: ", "999999999", "000000001", ".123456789") if part in str(test)]
    if nanos:
        return "counts nanoseconds; ours are microseconds"
    return None


def ran(test, source):
    variables = {}
    for declared in test.get("type_env", []):
        if "ident" in declared:
            variables[declared["name"][0].decode()] = type_of(declared["ident"][0]["type"][0])
    names = {b["key"][0].decode(): value_of(b["value"][0]["value"][0]) for b in test.get("bindings", [])}
    env = Env(variables | {name: DYN for name in names if name not in variables}, exact=False)
    tree = unjudged(parse(source)) if "disable_check" in test else check(parse(source), env)
    return program(tree)(Frame(names))


def unjudged(node):
    """Return a tree that may run without having been judged: the vector asks for that."""
    if isinstance(node, Literal):
        return replace(node, value=float(node.value)) if node.type == DOUBLE else node
    if isinstance(node, tuple):
        return tuple(unjudged(part) for part in node)
    if is_dataclass(node) and not isinstance(node, Type):
        return replace(node, **{f.name: unjudged(getattr(node, f.name)) for f in fields(node)})
    return node


def same(found, expected):
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(found, float) and math.isnan(found)
    return type(found) is type(expected) and equal(found, expected)


def verdict(test):
    """Return None for a pass, else what went wrong."""
    source = test["expr"][0].decode()
    try:
        found = ran(test, source)
    except Fault as fault:
        return None if "eval_error" in test else f"faulted: {fault.message}"
    except CelError as error:
        return f"refused: {error.message}"
    if "eval_error" in test:
        return f"gave {found!r} in place of a fault"
    expected = value_of(test["value"][0]) if "value" in test else True
    return None if same(found, expected) else f"gave {found!r}, not {expected!r}"


def cases(file):
    for section in read((VECTORS / f"{file}.textproto").read_text())["section"]:
        for test in section.get("test", []):
            yield f"{section['name'][0].decode()}/{test['name'][0].decode()}", test


# Where we differ from the specification, and why.
EXACTLY = "we compare a whole number with a double exactly; the vector rounds first"
KNOWN = {
    "lt_literal/not_lt_dyn_int_big_lossy_double": EXACTLY,
    "gt_literal/not_gt_dyn_big_double_int": EXACTLY,
    "lte_literal/lte_dyn_big_double_int": EXACTLY,
    "gte_literal/gte_dyn_int_big_lossy_double": EXACTLY,
    "qualified_identifier_resolution/qualified_identifier_resolution_unchecked": "ours are resolved by the check",
    "timestamp_range/add_duration_nanos_under": "a nanosecond is less than we count",
}
LEAST = {"comparisons": 330, "conversions": 109, "integer_math": 64, "fields": 59, "timestamps": 70}


@pytest.mark.parametrize("file", FILES)
def test_published_vectors(file):
    wrong, passed, skipped = [], 0, {}
    for name, test in cases(file):
        reason = left_out(test, test["expr"][0].decode())
        if reason:
            skipped[reason] = skipped.get(reason, 0) + 1
            continue
        found = verdict(test)
        if found is None:
            passed += 1
        elif name not in KNOWN:
            wrong.append((name, test["expr"][0].decode(), found))
    print(f"{file}: {passed} passed, {sum(skipped.values())} left out {skipped}")
    assert wrong == []
    assert passed >= LEAST.get(file, 0)


def test_a_wrong_value_fails_a_vector():
    """The comparison itself: another value, another type and a missing fault are all seen."""
    for expr, value in ((b"1 + 1", {"int64_value": ["3"]}), (b"1u", {"int64_value": ["1"]})):
        assert verdict({"expr": [expr], "value": [value]}) is not None
    assert verdict({"expr": [b"1 + 1"], "eval_error": [{}]}) is not None
