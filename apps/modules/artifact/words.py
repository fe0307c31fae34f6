"""Translations of an artifact: `[{<locale>: {objects: {<object>: {label, fields: {<field>: {label}}}}}}]`."""

from __future__ import annotations

from typing import Any

from apps.modules.artifact.notices import Judgement, listing, mapping

LOCALES = {"zh-cn": "zh-hans", "zh-sg": "zh-hans", "zh": "zh-hans", "zh-tw": "zh-hant", "zh-hk": "zh-hant"}
TOP = frozenset({"label", "pluralLabel", "description", "fields"})
FIELD = frozenset({"label", "description", "options"})
HELP = "help"


def read_words(given: list[Any], objects: dict[str, dict[str, Any]], judged: Judgement) -> None:
    """Put the words into the bodies of the objects they are for."""
    for bundle in given:
        for locale, parts in mapping(bundle).items():
            here = f"translations.{locale}"
            for key in mapping(parts):
                if key != "objects":
                    judged.note(f"{here}.{key}", "parked", "Only words of objects are shown here.")
            for name, words in mapping(mapping(parts).get("objects")).items():
                place = f"{here}.objects.{name}"
                if name not in objects:
                    judged.note(place, "refused", "It is no object of this package.")
                    continue
                holder = objects[name].setdefault("translations", {})
                _add(holder.setdefault(locale_of(locale), {}), mapping(words), objects[name], place, judged)


def locale_of(text: str) -> str:
    """Return the language code of this platform for a BCP 47 tag: zh-CN → zh-hans, de-DE → de."""
    lower = text.lower()
    return LOCALES.get(lower, lower if lower.startswith("zh-") else lower.partition("-")[0])


def _add(
    holder: dict[str, Any], words: dict[str, Any], body: dict[str, Any], place: str, judged: Judgement
) -> None:
    for key, value in words.items():
        if key not in TOP:
            judged.note(f"{place}.{key}", "parked", "AI-BOS shows no translation of this.")
        elif key != "fields":
            holder[key] = value
    for name, said in mapping(words.get("fields")).items():
        if name in body["fields"]:
            field = {key: value for key, value in mapping(said).items() if key in FIELD}
            if HELP in mapping(said):
                field.setdefault("description", said[HELP])
            if "options" in field:
                field["options"] = _options(field["options"])
            holder.setdefault("fields", {})[name] = field


def _options(given: Any) -> dict[str, str]:
    """Return value → label of options written as a mapping or as a list."""
    pairs = [(mapping(item).get("value"), mapping(item).get("label")) for item in listing(given)]
    return mapping(given) or {str(value): str(label) for value, label in pairs}
