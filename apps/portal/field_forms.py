"""The form of one field's definition: which inputs its type has, and the keys that they become.

What the form has no input for stands in `rest` as JSON, so that saving never loses a key.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.errors import FieldError, Invalid
from apps.objects.kinds import KINDS
from apps.objects.overlay.layering import FIELD_KEYS, STRICTER
from apps.objects.parse.field_keys import GENERAL

FLAGS: Mapping[str, tuple[Promise, Promise]] = {
    "required": (gettext_lazy("Required"), gettext_lazy("A record cannot be saved without it.")),
    "unique": (gettext_lazy("Unique"), gettext_lazy("No two records may have the same value.")),
    "multiple": (gettext_lazy("Several values"), gettext_lazy("A record may have more than one.")),
    "searchable": (gettext_lazy("Searched"), gettext_lazy("The search looks into it.")),
    "externalId": (
        gettext_lazy("Key of another system"),
        gettext_lazy("Imports find existing records by it."),
    ),
    "personal": (gettext_lazy("Personal data"), gettext_lazy("Sealed in the ledger; it can be erased.")),
    "readonly": (gettext_lazy("Read only"), gettext_lazy("Nobody fills it in by hand.")),
    "hidden": (gettext_lazy("Hidden"), gettext_lazy("Left out of lists and forms; the values stay.")),
}
NUMBERS: Mapping[str, Promise] = {
    "maxLength": gettext_lazy("Most characters"),
    "minLength": gettext_lazy("Fewest characters"),
    "min": gettext_lazy("Smallest value"),
    "max": gettext_lazy("Largest value"),
    "scale": gettext_lazy("Decimals"),
}
TEXTS: Mapping[str, Promise] = {
    "autonumberFormat": gettext_lazy("Pattern of the number"),
    "currency": gettext_lazy("Currency"),
    "expression": gettext_lazy("Formula in CEL"),
}
CONDITIONS: Mapping[str, Promise] = {
    "visibleWhen": gettext_lazy("Shown when"),
    "requiredWhen": gettext_lazy("Required when"),
    "readonlyWhen": gettext_lazy("Read only when"),
}
DELETE_RULES: Mapping[str, Promise] = {
    "set_null": gettext_lazy("the link becomes empty"),
    "restrict": gettext_lazy("it cannot be deleted"),
    "cascade": gettext_lazy("this record is deleted too"),
}
WORDS = ("label", "description", "group", "reference", "deleteBehavior", *TEXTS, *CONDITIONS)
PLAIN = frozenset(
    {"type", "label", "description", "group", "defaultValue", "options", "reference", "deleteBehavior"}
)


@dataclass(frozen=True)
class Box:
    """One input: its key, words, help and the text in it."""

    name: str
    label: str
    value: str
    help: str = ""
    error: str = ""


def keys_of(type_: str, *, own: bool) -> frozenset[str]:
    """Return the definition keys that may be set: all that the type has, of a module's field what a layer may say."""
    allowed = GENERAL | KINDS[type_].keys
    return allowed if own else allowed & (FIELD_KEYS | STRICTER)


def shown(type_: str, spec: Mapping[str, Any], errors: Mapping[str, str], *, own: bool) -> dict[str, Any]:
    """Return what the template needs to show a field's form."""
    allowed = keys_of(type_, own=own)

    def boxes(words: Mapping[str, Promise]) -> list[Box]:
        return [
            Box(key, str(words[key]), text(spec.get(key)), error=errors.get(key, ""))
            for key in words
            if key in allowed
        ]

    return {
        "flags": [
            (key, label, help_, bool(spec.get(key)), errors.get(key, ""))
            for key, (label, help_) in FLAGS.items()
            if key in allowed
        ],
        "numbers": boxes(NUMBERS),
        "texts": boxes(TEXTS),
        "conditions": boxes(CONDITIONS),
        "has_options": "options" in allowed,
        "options": "\n".join(_option_line(option) for option in spec.get("options", [])),
        "has_reference": "reference" in allowed,
        "has_default": "defaultValue" in allowed and not KINDS[type_].generated,
        "default": text(spec.get("defaultValue")),
        "delete_rules": DELETE_RULES.items() if "deleteBehavior" in allowed else (),
        "has_rest": own,
        "rest": json.dumps(rest(spec), ensure_ascii=False, indent=2) if rest(spec) else "",
        "errors": errors,
    }


def text(value: Any) -> str:
    """Return a key's value as the text of its input; an expression in an envelope is its source."""
    if isinstance(value, Mapping) and set(value) <= {"dialect", "source"}:
        return str(value.get("source", ""))
    if isinstance(value, dict | list | bool):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def rest(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that no input stands for."""
    known = PLAIN | set(FLAGS) | set(NUMBERS) | set(TEXTS) | set(CONDITIONS)
    return {key: value for key, value in spec.items() if key not in known}


def read(type_: str, before: Mapping[str, Any], post: QueryDict, *, own: bool) -> dict[str, Any]:
    """Return the field that a form asks for; raises `Invalid` for texts that are no value at all."""
    allowed, errors = keys_of(type_, own=own), list[FieldError]()
    kept = {} if own else {key: value for key, value in before.items() if key not in allowed}
    spec: dict[str, Any] = {**kept, "type": type_}
    said = {key: text_ for key in allowed if (text_ := post.get(key, "").strip())}
    for key in (key for key in WORDS if key in said):
        spec[key] = before[key] if text(before.get(key)) == said[key] else said[key]
    spec |= {key: True for key in FLAGS if key in said}
    spec |= {key: _number(key, said[key], errors) for key in NUMBERS if key in said}
    if "defaultValue" in said:
        spec["defaultValue"] = _default(type_, said["defaultValue"], before)
    if "options" in allowed:
        spec["options"] = _options(post.get("options", ""), before.get("options", []), errors)
    if own:
        spec |= _rest(post.get("rest", ""), errors)
    if errors:
        raise Invalid(_("Some inputs cannot be read."), errors)
    return spec


def _number(key: str, said: str, errors: list[FieldError]) -> Any:
    if re.fullmatch(r"-?\d{1,18}", said, re.ASCII):
        return int(said)
    if re.fullmatch(r"-?\d{1,18}\.\d{1,12}", said, re.ASCII):
        return said
    errors.append(FieldError(key, "invalid_number", _("This is no number."), str(NUMBERS[key])))
    return None


def _default(type_: str, said: str, before: Mapping[str, Any]) -> Any:
    if text(before.get("defaultValue")) == said:
        return before["defaultValue"]
    if KINDS[type_].sql_type == "boolean":
        return {"true": True, "false": False}.get(said, said)
    if KINDS[type_].is_array:
        return [part.strip() for part in said.split(",") if part.strip()]
    return int(said) if KINDS[type_].sql_type in ("numeric", "integer") and said.isdigit() else said


def _option_line(option: Mapping[str, Any]) -> str:
    parts = [str(option.get("value", "")), str(option.get("label", ""))]
    return " | ".join([*parts, str(option["color"])] if option.get("color") else parts)


def _options(lines: str, before: list[Mapping[str, Any]], errors: list[FieldError]) -> list[dict[str, Any]]:
    """Read `value | Label | colour`, one a line; a line with a label only gets a value made of it."""
    kept = {option.get("value"): dict(option) for option in before}
    found = []
    for number, line in enumerate((line for line in lines.splitlines() if line.strip()), start=1):
        parts = [part.strip() for part in line.split("|")]
        value = parts[0] if len(parts) > 1 else re.sub(r"[^a-z0-9]+", "_", parts[0].lower()).strip("_")
        if not value or len(parts) > 3:
            message = _("Line %(number)s is not: value | label | colour.") % {"number": number}
            errors.append(FieldError("options", "invalid_value", message, _("Options")))
            continue
        option = kept.get(value, {}) | {"value": value, "label": parts[min(1, len(parts) - 1)]}
        option.pop("color", None)
        found.append(option | ({"color": parts[2]} if len(parts) == 3 else {}))
    return found


def _rest(said: str, errors: list[FieldError]) -> dict[str, Any]:
    if not said.strip():
        return {}
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        errors.append(FieldError("rest", "invalid_value", _("This is no JSON object."), _("Further keys")))
        return {}
    return found
