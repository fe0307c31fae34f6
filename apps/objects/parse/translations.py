"""Judging the words of an object in other languages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from apps.objects.definitions import FieldDef, FieldGroup
from apps.objects.parse.shape import BAD, Key, Reading, anything, read_shape, text
from apps.objects.parse.tree import Spot

TEST = "tests/objects/test_definitions.py::test_translations"
DEFS = "apps.objects.definitions:ObjectDef."
LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})?", re.ASCII)
_word = text(200)

WORD_KEYS: Mapping[str, Key] = {
    "label": Key("label", _word, "The object's name.", DEFS + "label_for", TEST),
    "pluralLabel": Key("plural_label", _word, "The object's name, of many.", DEFS + "label_for", TEST),
    "description": Key("description", text(2000), "What it is for.", DEFS + "description_for", TEST),
    "fields": Key("fields", anything, "Words of the fields.", DEFS + "field_label", TEST),
    "fieldGroups": Key("field_groups", anything, "Titles of the sections.", DEFS + "group_label", TEST),
    "listViews": Key("list_views", anything, "Titles of the lists.", DEFS + "view_label", TEST),
}
FIELD_WORD_KEYS: Mapping[str, Key] = {
    "label": Key("label", _word, "The field's name.", DEFS + "field_label", TEST),
    "description": Key("description", text(2000), "The field's help.", DEFS + "field_description", TEST),
    "options": Key("options", anything, "Labels by option value.", DEFS + "option_label", TEST),
}


def judge_translations(
    reading: Reading,
    spot: Spot,
    fields: Mapping[str, FieldDef],
    groups: Iterable[FieldGroup],
    views: Mapping[str, Any],
) -> None:
    """Note words for things that the object does not have."""
    if not isinstance(spot.value, dict):
        reading.fail(spot, "invalid_type", "translations maps languages to words.")
        return
    group_names = {g.key for g in groups}
    for locale, child in spot.value.items():
        if not LOCALE.fullmatch(locale):
            reading.fail(child, "invalid_name", f"{locale!r} is no language code.", "Write de or zh-hans.")
        found = read_shape(reading, child, WORD_KEYS)
        _judge_words(reading, found.get("field_groups"), group_names, "section")
        _judge_words(reading, found.get("list_views"), set(views), "list view")
        holder = found.get("fields")
        for name, words in _entries(reading, holder):
            if name not in fields:
                reading.fail(words, "unknown_field", f"There is no field {name!r} to translate.")
                continue
            options = read_shape(reading, words, FIELD_WORD_KEYS).get("options")
            _judge_words(reading, options, set(fields[name].option_values), "option")


def _entries(reading: Reading, spot: Spot | None) -> list[tuple[str, Spot]]:
    if spot is None:
        return []
    if not isinstance(spot.value, dict):
        reading.fail(spot, "invalid_type", "Expected a mapping.")
        return []
    return list(spot.value.items())


def _judge_words(reading: Reading, spot: Spot | None, known: set[str], what: str) -> None:
    for name, word in _entries(reading, spot):
        if name not in known:
            reading.fail(word, "unknown_key", f"There is no {what} {name!r} to translate.")
        elif _word(reading, word) is BAD:
            continue
