"""The inputs of forms: for each widget its template, the text in its box, and what a sent form means.

A value is one text while a form goes to and fro (`text`, `posted`); `raw` turns that text into what the record
services judge. Widgets of several boxes keep a JSON text, so that two versions of a value still compare.
"""

import json
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from apps.core.registry import Registry
from apps.objects.definitions import FieldDef
from apps.objects.kinds.document import number
from apps.objects.kinds.gauges import RatingKind, SliderKind
from apps.objects.kinds.kind import kind_of
from apps.objects.kinds.markup import cleaned
from apps.objects.kinds.place import ADDRESS_PARTS, BOUNDS
from apps.objects.kinds.secret import MASK
from apps.objects.kinds.signature import LEAD
from apps.portal import show
from apps.portal.cells import clock, part_label

LOCAL = "%Y-%m-%dT%H:%M"
CLEAR, ROWS = ".clear", ".rows"
MOST_ROWS = 200
BLANK_ROWS = 1
SPACES = str.maketrans("", "", "\u202f\u00a0 ")


class Widget:
    """One line of text. `grouped` widgets have a legend in place of a label, `wide` ones the whole row."""

    template: str = "text"
    type: str = "text"
    wide: bool = False
    grouped: bool = False

    def text(self, f: FieldDef, value: Any) -> str:
        """Return a wire value as the text of the input."""
        return "" if value is None else str(value)

    def posted(self, f: FieldDef, post: QueryDict, name: str) -> str | None:
        """Return the text that a form sent under `name`, None when it sent none."""
        return post.get(name, "").strip() if name in post else None

    def raw(self, f: FieldDef, text: str) -> Any:
        """Return what the record's service should judge."""
        return kind_of(f).from_text(f, text)

    def shown(self, text: str) -> str:
        """Return the text as it may stand in the page again."""
        return text

    def attributes(self, f: FieldDef) -> dict[str, str]:
        """Return the attributes of the input beyond name, id and value."""
        limit = getattr(kind_of(f), "max_length", None)
        return {"maxlength": str(limit(f))} if callable(limit) else {}


class Typed(Widget):
    """A line with an input type of its own."""

    def __init__(self, type_: str, **attributes: str) -> None:
        self.type = type_
        self._attributes = attributes

    def attributes(self, f: FieldDef) -> dict[str, str]:
        return super().attributes(f) | self._attributes


class Number(Widget):
    """A number as people type it, spaces between the thousands allowed."""

    def raw(self, f: FieldDef, text: str) -> Any:
        return kind_of(f).from_text(f, text.translate(SPACES))

    def attributes(self, f: FieldDef) -> dict[str, str]:
        return {"inputmode": "decimal"}


class Slider(Number):
    """A number with a line to drag beside it; the box stays the truth, so that it may be empty."""

    template = "slider"

    def attributes(self, f: FieldDef) -> dict[str, str]:
        kind = kind_of(f)
        assert isinstance(kind, SliderKind)
        low, high = kind.bounds(f)
        bounds = {"min": str(low), "max": str(high), "step": str(kind.step(f))}
        return super().attributes(f) | {f"data-{name}": value for name, value in bounds.items()}


class Rating(Number):
    """Stars to choose from."""

    template = "rating"
    grouped = True

    def stars(self, f: FieldDef) -> range:
        """Return the choices."""
        kind = kind_of(f)
        assert isinstance(kind, RatingKind)
        return range(1, int(kind.bounds(f)[1] or 0) + 1)


class Long(Widget):
    """Several lines, kept as typed."""

    wide = True

    def __init__(self, template: str) -> None:
        self.template = template

    def posted(self, f: FieldDef, post: QueryDict, name: str) -> str | None:
        return post.get(name, "").replace("\r\n", "\n") if name in post else None


class Rich(Long):
    """Formatted text; what a page shows again is clean, whoever put it into the address or the form."""

    def shown(self, text: str) -> str:
        return cleaned(text)


class Json(Long):
    """A JSON text."""

    def text(self, f: FieldDef, value: Any) -> str:
        return "" if value is None else json.dumps(value, ensure_ascii=False, indent=2, default=number)

    def attributes(self, f: FieldDef) -> dict[str, str]:
        return {"spellcheck": "false"}


class Tick(Widget):
    """A box to tick or a switch: it sends nothing when it is off."""

    def __init__(self, template: str) -> None:
        self.template = template

    def text(self, f: FieldDef, value: Any) -> str:
        return "true" if value else ""

    def posted(self, f: FieldDef, post: QueryDict, name: str) -> str | None:
        return post.get(name, "")

    def raw(self, f: FieldDef, text: str) -> Any:
        return text == "true"


class Moment(Widget):
    """A date and time in the reader's zone."""

    type = "datetime-local"

    def text(self, f: FieldDef, value: Any) -> str:
        return "" if value is None else show.moment(value).strftime(LOCAL)

    def attributes(self, f: FieldDef) -> dict[str, str]:
        return {}


class Clock(Widget):
    """A time of the day; seconds are shown when there are some."""

    type = "time"

    def text(self, f: FieldDef, value: Any) -> str:
        return "" if value is None else clock(value)

    def attributes(self, f: FieldDef) -> dict[str, str]:
        return {"step": "1"}


class Choice(Widget):
    """One of several options."""

    def __init__(self, template: str, *, grouped: bool = False) -> None:
        self.template, self.grouped = template, grouped

    def attributes(self, f: FieldDef) -> dict[str, str]:
        return {}


class Several(Widget):
    """Boxes to tick, one an option."""

    template = "several"
    wide = True
    grouped = True

    def text(self, f: FieldDef, value: Any) -> str:
        return ";".join(value or ())

    def posted(self, f: FieldDef, post: QueryDict, name: str) -> str | None:
        return ";".join(post.getlist(name))

    def raw(self, f: FieldDef, text: str) -> Any:
        return [part for part in text.split(";") if part] or None


class Tags(Widget):
    """Words behind commas; with scripts each becomes a mark that can be taken off."""

    template = "tags"
    wide = True

    def text(self, f: FieldDef, value: Any) -> str:
        return ", ".join(value or ())


class Records(Several):
    """The records chosen so far, each with a box to untick, and a look-up that adds another."""

    template = "lookups"


class Secret(Widget):
    """A box that never shows what is stored; left empty it keeps it."""

    template = "secret"

    def posted(self, f: FieldDef, post: QueryDict, name: str) -> str | None:
        if post.get(name):
            return str(post[name])
        return "" if name + CLEAR in post else None

    def raw(self, f: FieldDef, text: str) -> Any:
        return text or None

    def shown(self, text: str) -> str:
        return MASK if text == MASK else ""


class Signature(Widget):
    """A place to draw; only a picture is shown again, whatever the address put into the form."""

    template = "signature"
    wide = True
    grouped = True

    def shown(self, text: str) -> str:
        return text if text.startswith(LEAD) else ""

    def attributes(self, f: FieldDef) -> dict[str, str]:
        return {}


class Parts(Widget):
    """The boxes of one object."""

    template = "parts"
    wide = True
    grouped = True

    def text(self, f: FieldDef, value: Any) -> str:
        return _written(self.texts(f, value or {}))

    def texts(self, f: FieldDef, value: Mapping[str, Any]) -> dict[str, str]:
        """Return the texts of the boxes that hold something."""
        made = {part.name: widget_of(part).text(part, value.get(part.name)) for part in parts_of(f)}
        return {name: text for name, text in made.items() if text}

    def posted(self, f: FieldDef, post: QueryDict, name: str) -> str | None:
        if not any(key.startswith(f"{name}.") for key in post):
            return None
        return _written(self.sent(f, post, name))

    def sent(self, f: FieldDef, post: QueryDict, name: str) -> dict[str, str]:
        """Return the texts sent for one object whose boxes are named `name.part`."""
        made = {p.name: widget_of(p).posted(p, post, f"{name}.{p.name}") for p in parts_of(f)}
        return {key: text for key, text in made.items() if text}

    def raw(self, f: FieldDef, text: str) -> Any:
        return self.values(f, read(text)) if text else None

    def values(self, f: FieldDef, texts: Any) -> dict[str, Any]:
        """Return what the texts of the boxes mean."""
        found = texts if isinstance(texts, Mapping) else {}
        return {p.name: widget_of(p).raw(p, found[p.name]) for p in parts_of(f) if found.get(p.name)}


class Rows(Parts):
    """A table of objects; rows without any text are left out."""

    template = "rows"

    def text(self, f: FieldDef, value: Any) -> str:
        return _written([self.texts(f, row) for row in value or ()])

    def posted(self, f: FieldDef, post: QueryDict, name: str) -> str | None:
        if name + ROWS not in post:
            return None
        keys = [key for key in post.getlist(name + ROWS) if key.isdigit()][:MOST_ROWS]
        return _written([row for key in keys if (row := self.sent(f, post, f"{name}.{key}"))])

    def raw(self, f: FieldDef, text: str) -> Any:
        rows = read(text) if text else None
        return [self.values(f, row) for row in rows] if isinstance(rows, list) and rows else None


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def read(text: str) -> Any:
    """Return the JSON of a text that this module wrote; anything else is nothing."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def parts_of(f: FieldDef) -> tuple[FieldDef, ...]:
    """Return the fields inside a field; addresses and locations have the same ones everywhere."""
    if kind_of(f).widget == "address":
        return tuple(FieldDef(name, "text", part_label(name), max_length=255) for name in ADDRESS_PARTS)
    if kind_of(f).widget == "location":
        return tuple(FieldDef(name, "number", part_label(name)) for name in BOUNDS)
    return f.parts


WIDGETS: Registry[Widget] = Registry("widgets", Widget)
for _name, _widget in {
    "readonly": Widget(),
    "hidden": Widget(),
    "text": Widget(),
    "email": Typed("email", autocomplete="off"),
    "url": Typed("url"),
    "tel": Typed("tel"),
    "date": Typed("date"),
    "number": Number(),
    "slider": Slider(),
    "rating": Rating(),
    "progress": Number(),
    "textarea": Long("textarea"),
    "markdown": Long("markdown"),
    "code": Long("code"),
    "html": Rich("code"),
    "richtext": Rich("richtext"),
    "json": Json("code"),
    "checkbox": Tick("checkbox"),
    "toggle": Tick("toggle"),
    "datetime": Moment(),
    "time": Clock(),
    "select": Choice("select"),
    "user": Choice("select"),
    "radio": Choice("radio", grouped=True),
    "multiselect": Several(),
    "checkboxes": Several(),
    "users": Several(),
    "lookups": Records(),
    "tags": Tags(),
    "lookup": Choice("lookup"),
    "color": Choice("color"),
    "qrcode": Widget(),
    "signature": Signature(),
    "secret": Secret(),
    "address": Parts(),
    "location": Parts(),
    "composite": Parts(),
    "repeater": Rows(),
}.items():
    WIDGETS.register(_name, _widget)


def widget_of(f: FieldDef) -> Widget:
    """Return the widget of a field; a shape that is not declared is typed as JSON."""
    name = kind_of(f).widget
    if name in ("composite", "repeater") and not f.parts:
        name = "json"
    return WIDGETS.get(name) or WIDGETS["text"]
