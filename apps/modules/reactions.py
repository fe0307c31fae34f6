"""What a module declares about events: types of its own, and hooks that answer to events with small deeds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.events.schema import Schema
from apps.objects.facts import RECORD_VERBS
from apps.objects.parse.shape import BAD, Key, Reading, boolean, integer, items, name, read_shape, text
from apps.objects.parse.tree import Spot

MOST_TYPES, MOST_HOOKS, MOST_DEEDS = 100, 50, 10
TYPE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){1,2}")
PATTERN = re.compile(r"(?:[a-z0-9_]+|\*)(?:\.(?:[a-z0-9_]+|\*))+")
HERE = "apps.modules."
TESTS = "tests/modules/test_reactions.py::"
DEEDS = TESTS + "test_a_hook_emits_and_sets"


def _type_name(reading: Reading, spot: Spot) -> Any:
    if not isinstance(spot.value, str) or not TYPE.fullmatch(spot.value):
        return reading.fail(spot, "invalid_name", f"{spot.value!r} names no event.", "Write lead.scored.")
    if spot.value.rpartition(".")[2] in RECORD_VERBS:
        return reading.fail(
            spot,
            "invalid_name",
            f"{spot.value!r} is what the platform says of records.",
            "Choose another verb.",
        )
    return spot.value


def _schema(reading: Reading, spot: Spot) -> Any:
    plain = spot.plain()
    if not isinstance(plain, dict):
        return reading.fail(spot, "invalid_type", "A schema is a mapping.")
    try:
        Schema(plain)
    except ValueError as error:
        return reading.fail(spot, "invalid_value", str(error))
    return plain


def _pattern(reading: Reading, spot: Spot) -> Any:
    if isinstance(spot.value, str) and PATTERN.fullmatch(spot.value):
        return spot.value
    return reading.fail(
        spot, "invalid_name", f"{spot.value!r} names no events.", "Write crm.lead.* or *.created."
    )


def _plain_mapping(reading: Reading, spot: Spot) -> Any:
    plain = spot.plain()
    if isinstance(plain, dict) and len(plain) <= 100:
        return plain
    return reading.fail(spot, "invalid_type", "Expected a mapping of at most 100 keys to values.")


TYPE_KEYS: Mapping[str, Key] = {
    "name": Key(
        "name",
        _type_name,
        "The type's name; the module's id is put before it.",
        HERE + "listening:declared_types",
        TESTS + "test_a_declared_type_is_enforced",
    ),
    "summary": Key(
        "summary",
        text(200),
        "What has happened, for people.",
        HERE + "listening:declared_types",
        TESTS + "test_a_declared_type_is_enforced",
    ),
    "version": Key(
        "version",
        integer(1, 1000),
        "Grows when the schema changes; 1 unless said.",
        HERE + "listening:declared_types",
        TESTS + "test_a_declared_type_is_enforced",
    ),
    "schema": Key(
        "schema",
        _schema,
        "JSON Schema (2020-12) of the event's data.",
        HERE + "listening:declared_types",
        TESTS + "test_a_declared_type_is_enforced",
    ),
}
WHEN_KEYS: Mapping[str, Key] = {
    "changed": Key(
        "changed",
        items(name(), most=20),
        "Only when one of these fields changed.",
        HERE + "listening:concerned",
        TESTS + "test_when_narrows",
    ),
    "is": Key(
        "is",
        _plain_mapping,
        "Only when the record has these values now.",
        HERE + "listening:concerned",
        TESTS + "test_when_narrows",
    ),
}
DEED_KEYS: Mapping[str, Key] = {
    "emit": Key(
        "emit", _pattern, "Write an event of this type about the same subject.", HERE + "listening:do", DEEDS
    ),
    "data": Key("data", _plain_mapping, "The data of the event to write.", HERE + "listening:do", DEEDS),
    "set": Key(
        "set",
        _plain_mapping,
        "Give fields of the record these values, with the rights of whoever installed the module.",
        HERE + "listening:do",
        DEEDS,
    ),
}


def _shape(keys: Mapping[str, Key], *required: str) -> Any:
    def read(reading: Reading, spot: Spot) -> Any:
        before = len(reading.errors)
        found = read_shape(reading, spot, keys)
        for key in required:
            if isinstance(spot.value, dict) and key not in spot.value:
                reading.fail(spot, "required", f"{key!r} is missing.")
        return BAD if len(reading.errors) > before else found

    return read


def _deed(reading: Reading, spot: Spot) -> Any:
    found = _shape(DEED_KEYS)(reading, spot)
    if found is BAD:
        return BAD
    if ("emit" in found) == ("set" in found) or ("data" in found and "emit" not in found):
        return reading.fail(spot, "invalid_shape", "A deed is either `emit` (with `data`) or `set`.")
    if "*" in found.get("emit", ""):
        return reading.fail(spot, "invalid_name", "An event is written with its whole name.")
    return found


HOOK_KEYS: Mapping[str, Key] = {
    "name": Key("name", name(), "The hook's name within the module.", HERE + "listening:hooks", DEEDS),
    "on": Key(
        "on",
        _pattern,
        "The types it answers to; `*` stands for any letters.",
        HERE + "listening:hooks",
        DEEDS,
    ),
    "priority": Key(
        "priority",
        integer(0, 1000),
        "The lower goes first; 100 unless said.",
        HERE + "listening:hooks",
        TESTS + "test_order_and_once",
    ),
    "once": Key(
        "once",
        boolean,
        "Answer the first time only.",
        HERE + "listening:hooks",
        TESTS + "test_order_and_once",
    ),
    "when": Key(
        "when",
        _shape(WHEN_KEYS),
        "Conditions; all must hold.",
        HERE + "listening:concerned",
        TESTS + "test_when_narrows",
    ),
    "do": Key("do", items(_deed, most=MOST_DEEDS), "What is done, in order.", HERE + "listening:do", DEEDS),
}
types = items(_shape(TYPE_KEYS, "name", "summary"), most=MOST_TYPES)
hooks = items(_shape(HOOK_KEYS, "name", "on", "do"), most=MOST_HOOKS)
