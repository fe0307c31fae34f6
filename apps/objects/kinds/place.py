"""Types of places: address, location. Both are JSON objects of a fixed shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.document import JsonKind
from apps.objects.kinds.kind import KINDS
from apps.objects.kinds.numeric import as_decimal, trimmed
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.text import clean_text

ADDRESS_PARTS = ("street", "city", "state", "postalCode", "country", "countryCode", "formatted")
LONGEST = 255
COUNTRY = re.compile(r"[A-Z]{2}")
BOUNDS = {
    "lat": (-90, 90),
    "lng": (-180, 180),
    "altitude": (-20_000, 100_000_000),
    "accuracy": (0, 100_000_000),
}
DECIMALS = 12
PAIR = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*[,;]\s*(-?\d+(?:\.\d+)?)\s*", re.ASCII)


def _shaped(raw: Any, keys: Mapping[str, Any] | tuple[str, ...], message: str) -> Mapping[str, Any]:
    """Return `raw` when it is an object with no other keys."""
    if not isinstance(raw, Mapping):
        raise FieldProblem("invalid_shape", message)
    unknown = [str(key)[:40] for key in raw if key not in keys]
    if unknown:
        words = _("%(key)s is none of its parts: %(parts)s.") % {"key": unknown[0], "parts": ", ".join(keys)}
        raise FieldProblem("invalid_shape", words)
    return raw


class PlaceKind(JsonKind):
    """A JSON object whose parts all have a known type."""

    def is_empty(self, raw: Any) -> bool:
        return raw is None or raw == ""

    def remembered(self, field: FieldDef, value: Any) -> bool:
        return True


class AddressKind(PlaceKind):
    """A postal address: street, city, state, postalCode, country, countryCode (ISO 3166, two letters), formatted."""

    name = "address"
    example: ClassVar[Any] = {
        "street": "Unter den Linden 1",
        "city": "Berlin",
        "postalCode": "10117",
        "countryCode": "DE",
    }
    widget = "address"
    cell = "address"

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        parts: dict[str, Any] = {part: {"type": ["string", "null"]} for part in ADDRESS_PARTS}
        return {"type": "object", "properties": parts, "additionalProperties": False}

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Any:
        given = _shaped(raw, ADDRESS_PARTS, _("Enter an address with street, city and country."))
        made = {}
        for part in ADDRESS_PARTS:
            if given.get(part) in (None, ""):
                continue
            made[part] = clean_text(given[part]).strip()
            if len(made[part]) > (4 * LONGEST if part == "formatted" else LONGEST):
                message = _("Enter at most %(limit)d characters.") % {"limit": LONGEST}
                raise FieldProblem("max_length", message, constraint=LONGEST)
        code = made.get("countryCode")
        if code is not None:
            made["countryCode"] = code.upper()
            if not COUNTRY.fullmatch(made["countryCode"]):
                raise FieldProblem("invalid_format", _("A country code has two letters, such as DE."))
        made = {part: text for part, text in made.items() if text}
        if not made and field.required:
            raise FieldProblem("required", _("This field is required."))
        return made or None

    def from_text(self, field: FieldDef, text: str) -> Any:
        """Return the object; text that is no JSON is an address as people write it on one line."""
        if text.strip() and not text.lstrip().startswith("{"):
            return {"formatted": text.strip()}
        return super().from_text(field, text)


class LocationKind(PlaceKind):
    """A point on the earth: lat and lng in degrees, altitude and accuracy in metres, exact to 12 decimals."""

    name = "location"
    example: ClassVar[Any] = {"lat": 52.5163, "lng": 13.3777}
    widget = "location"
    cell = "location"

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for part, (low, high) in BOUNDS.items():
            number = {"type": "number" if part in ("lat", "lng") else ["number", "null"]}
            parts[part] = number | ({"minimum": low, "maximum": high} if writing else {})
        return {
            "type": "object",
            "properties": parts,
            "required": ["lat", "lng"],
            "additionalProperties": False,
        }

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Any:
        example = _("Enter a point such as 52.5163, 13.3777.")
        given = _shaped(raw, BOUNDS, example)
        made: dict[str, Any] = {}
        for part, (low, high) in BOUNDS.items():
            if given.get(part) in (None, ""):
                continue
            value = as_decimal(given[part])
            if not low <= value <= high:
                message = _("%(part)s lies between %(low)s and %(high)s.")
                message %= {"part": part, "low": low, "high": high}
                raise FieldProblem("min_value" if value < low else "max_value", message)
            made[part] = plain(trimmed(round(value, DECIMALS)))
        if "lat" not in made or "lng" not in made:
            raise FieldProblem("invalid_shape", example)
        return made

    def recalled(self, field: FieldDef, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {part: plain(Decimal(str(number))) for part, number in value.items()}

    def from_text(self, field: FieldDef, text: str) -> Any:
        pair = PAIR.fullmatch(text)
        return {"lat": pair[1], "lng": pair[2]} if pair else super().from_text(field, text)


def plain(value: Decimal) -> int | float:
    """Return the JSON number that PostgreSQL's `jsonb` writes for `value`."""
    return int(value) if value == value.to_integral_value() else float(value)


for _kind in (AddressKind(), LocationKind()):
    KINDS.register(_kind.name, _kind)
