"""Field types as people choose them: a name, an icon and a sort, in the order of the picker."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.objects.kinds import public_kinds

TEXT, NUMBER, CHOICE = gettext_lazy("Text"), gettext_lazy("Numbers"), gettext_lazy("Choices")
TIME, LINK, MORE = gettext_lazy("Dates and times"), gettext_lazy("Links and people"), gettext_lazy("More")
SORTS = (TEXT, NUMBER, CHOICE, TIME, LINK, MORE)
CARDS: Mapping[str, tuple[Promise, str, Promise]] = {
    "text": (TEXT, "letter-t", gettext_lazy("Line of text")),
    "textarea": (TEXT, "align-left", gettext_lazy("Long text")),
    "email": (TEXT, "mail", gettext_lazy("E-mail address")),
    "phone": (TEXT, "phone", gettext_lazy("Phone number")),
    "url": (TEXT, "link", gettext_lazy("Web address")),
    "autonumber": (TEXT, "hash", gettext_lazy("Running number")),
    "markdown": (TEXT, "markdown", gettext_lazy("Text with Markdown")),
    "richtext": (TEXT, "text-size", gettext_lazy("Formatted text")),
    "code": (TEXT, "code", gettext_lazy("Code")),
    "number": (NUMBER, "123", gettext_lazy("Number")),
    "currency": (NUMBER, "coin", gettext_lazy("Amount of money")),
    "percent": (NUMBER, "percentage", gettext_lazy("Percentage")),
    "rating": (NUMBER, "star", gettext_lazy("Rating")),
    "slider": (NUMBER, "adjustments-horizontal", gettext_lazy("Slider")),
    "progress": (NUMBER, "progress", gettext_lazy("Progress")),
    "summary": (NUMBER, "sum", gettext_lazy("Roll-up")),
    "formula": (NUMBER, "math-function", gettext_lazy("Formula")),
    "boolean": (CHOICE, "checkbox", gettext_lazy("Yes or no")),
    "toggle": (CHOICE, "toggle-right", gettext_lazy("Switch")),
    "select": (CHOICE, "select", gettext_lazy("One of a list")),
    "radio": (CHOICE, "circle-dot", gettext_lazy("One of a few")),
    "multiselect": (CHOICE, "list-check", gettext_lazy("Several of a list")),
    "checkboxes": (CHOICE, "checklist", gettext_lazy("Several of a few")),
    "tags": (CHOICE, "tags", gettext_lazy("Free words")),
    "color": (CHOICE, "color-swatch", gettext_lazy("Colour")),
    "date": (TIME, "calendar", gettext_lazy("Date")),
    "datetime": (TIME, "calendar-time", gettext_lazy("Date and time")),
    "time": (TIME, "clock", gettext_lazy("Time of day")),
    "lookup": (LINK, "arrow-up-right", gettext_lazy("Link to a record")),
    "master_detail": (LINK, "hierarchy", gettext_lazy("Part of a record")),
    "tree": (LINK, "binary-tree", gettext_lazy("Place in a tree")),
    "user": (LINK, "user", gettext_lazy("Member")),
    "address": (LINK, "map-pin", gettext_lazy("Postal address")),
    "location": (LINK, "current-location", gettext_lazy("Point on the map")),
    "password": (MORE, "password", gettext_lazy("Password")),
    "secret": (MORE, "lock", gettext_lazy("Secret")),
    "signature": (MORE, "signature", gettext_lazy("Signature")),
    "qrcode": (MORE, "qrcode", gettext_lazy("QR code")),
    "html": (MORE, "html", gettext_lazy("HTML")),
    "composite": (MORE, "box-multiple", gettext_lazy("Group of values")),
    "repeater": (MORE, "stack-2", gettext_lazy("List of groups")),
    "record": (MORE, "key", gettext_lazy("Values by key")),
    "vector": (MORE, "vector", gettext_lazy("Vector of numbers")),
    "json": (MORE, "braces", gettext_lazy("Free JSON")),
}


@dataclass(frozen=True)
class Card:
    """One type in the picker."""

    name: str
    icon: str
    label: str


def card(name: str) -> Card:
    """Return a type as people know it; one without a name of its own is called as in definitions."""
    _sort, icon, label = CARDS.get(name, (MORE, "braces", name))
    return Card(name, icon, str(label))


def picker() -> list[tuple[str, list[Card]]]:
    """Return every type that a definition may use, by sort."""
    names = public_kinds()
    order = [*(name for name in CARDS if name in names), *(name for name in names if name not in CARDS)]
    found = [(sort, [card(name) for name in order if CARDS.get(name, (MORE,))[0] is sort]) for sort in SORTS]
    return [(str(sort), cards) for sort, cards in found if cards]


def unknown(name: str) -> str:
    """Return the sentence about a type that is none."""
    return _("There is no field type %(name)s.") % {"name": name}
