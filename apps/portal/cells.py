"""Values of the richer kinds as HTML, as plain text, and as the short form of lists and histories."""

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import document
from apps.objects.kinds.gauges import RatingKind, SliderKind
from apps.objects.kinds.kind import kind_of
from apps.objects.kinds.markup import cleaned, rendered, words
from apps.objects.kinds.place import ADDRESS_PARTS
from apps.objects.kinds.qrcode import drawn
from apps.portal.marks import star

Render = Callable[..., SafeString]
Tell = Callable[..., str]
SHORT = 120
SHOWN_NUMBERS = 4
PART_LABELS: Mapping[str, object] = {
    "street": gettext_lazy("Street"),
    "city": gettext_lazy("City"),
    "state": gettext_lazy("State or region"),
    "postalCode": gettext_lazy("Postal code"),
    "country": gettext_lazy("Country"),
    "countryCode": gettext_lazy("Country code"),
    "formatted": gettext_lazy("Whole address"),
    "lat": gettext_lazy("Latitude"),
    "lng": gettext_lazy("Longitude"),
    "altitude": gettext_lazy("Altitude in metres"),
    "accuracy": gettext_lazy("Accuracy in metres"),
}


def part_label(name: str) -> str:
    """Return the words of a part of an address or a location in the reader's language."""
    return str(PART_LABELS[name])


# -- text ----------------------------------------------------------------------------------------------


def _prose(markup: str) -> SafeString:
    # Clean by `cleaned` a line above; this is the one place where stored text becomes markup.
    return format_html('<div class="ab-prose" dir="auto">{}</div>', mark_safe(markup))  # noqa: S308


def _html(value: Any, *_rest: Any) -> SafeString:
    return _prose(cleaned(str(value)))


def _markdown(value: Any, *_rest: Any) -> SafeString:
    return _prose(rendered(str(value)))


def _code(value: Any, f: FieldDef, *_rest: Any) -> SafeString:
    return format_html(
        '<pre class="ab-json" dir="ltr" tabindex="0" aria-label="{}"><code>{}</code></pre>', f.label, value
    )


def _secret(value: Any, *_rest: Any) -> SafeString:
    return format_html(
        '<span class="ab-secret"><span aria-hidden="true">{}</span><span class="visually-hidden">{}</span></span>',
        value,
        _("hidden"),
    )


def _color(value: Any, *_rest: Any) -> SafeString:
    return format_html(
        '<span class="ab-color-cell"><svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">'
        '<rect width="16" height="16" rx="4" fill="{}"/></svg><code dir="ltr">{}</code></span>',
        value,
        value,
    )


def _qrcode(value: Any, f: FieldDef, *_rest: Any) -> SafeString:
    # segno draws the code; the text itself is only in its modules, never in the markup.
    return format_html(
        '<figure class="ab-qr"><div role="img" aria-label="{}">{}</div><figcaption dir="auto">{}</figcaption></figure>',
        _("QR code of %(label)s") % {"label": f.label},
        mark_safe(drawn(str(value))),  # noqa: S308
        value,
    )


def _signature(value: Any, f: FieldDef, *_rest: Any) -> SafeString:
    return format_html('<img class="ab-sign-image" src="{}" alt="{}">', value, f.label or _("Signature"))


# -- numbers and times ---------------------------------------------------------------------------------


def _rating(value: Any, f: FieldDef, *_rest: Any) -> SafeString:
    kind = kind_of(f)
    most = int((kind.bounds(f)[1] if isinstance(kind, RatingKind) else None) or 5)
    full = int(Decimal(str(value)))
    stars = format_html_join("", "{}", ((star("" if n < full else "ab-star-off"),) for n in range(most)))
    words_ = _("%(n)s of %(most)s") % {"n": full, "most": most}
    return format_html('<span class="ab-stars-cell" role="img" aria-label="{}">{}</span>', words_, stars)


def _gauge(low: Any, high: Any, value: Any, text: str) -> SafeString:
    share = (Decimal(str(value)) - low) / (high - low) * 100 if high > low else Decimal(0)
    return format_html(
        '<span class="ab-gauge"><progress class="progress progress-sm" max="100" value="{}" aria-hidden="true">'
        "</progress><span>{}</span></span>",
        format(share, ".2f"),
        text,
    )


def gauges(number: Tell) -> dict[str, Render]:
    """Return the cells of slider and progress, with numbers written by `number`."""

    def slider(value: Any, f: FieldDef, *_rest: Any) -> SafeString:
        kind = kind_of(f)
        low, high = kind.bounds(f) if isinstance(kind, SliderKind) else (None, None)
        return _gauge(low or Decimal(0), high or Decimal(100), value, number(value))

    def progress(value: Any, *_rest: Any) -> SafeString:
        return _gauge(Decimal(0), Decimal(100), value, f"{number(value)}\u00a0%")

    return {"slider": slider, "progress": progress}


def clock(value: Any) -> str:
    """Return a time of the day; seconds are shown when there are some."""
    text = str(value)
    return text.removesuffix(":00") if text.count(":") > 1 else text


# -- lists and places ----------------------------------------------------------------------------------


def _tags(value: Any, *_rest: Any) -> SafeString:
    return format_html_join(
        " ", '<span class="ab-tag ab-tag-plain"><bdi>{}</bdi></span>', ((item,) for item in value)
    )


def lines(value: Mapping[str, Any]) -> list[str]:
    """Return an address as lines: what is written in one piece, else street, place, country."""
    if value.get("formatted"):
        return [line for line in str(value["formatted"]).splitlines() if line.strip()]
    told = {part: str(value.get(part) or "") for part in ADDRESS_PARTS}
    place = " ".join(filter(None, (told["postalCode"], told["city"])))
    rows = (
        told["street"],
        ", ".join(filter(None, (place, told["state"]))),
        told["country"] or told["countryCode"],
    )
    return [row for row in rows if row]


def _address(value: Any, *_rest: Any) -> SafeString:
    rows = format_html_join(mark_safe("<br>"), "<bdi>{}</bdi>", ((line,) for line in lines(value)))
    return format_html('<address class="ab-address">{}</address>', rows)


def point(value: Mapping[str, Any]) -> str:
    """Return a location as `lat, lng`."""
    return f"{value.get('lat')}, {value.get('lng')}"


def _location(value: Any, *_rest: Any) -> SafeString:
    text = point(value)
    place = text.replace(" ", "")
    return format_html(
        '<a href="https://www.openstreetmap.org/?mlat={}&amp;mlon={}#map=15/{}" rel="noopener noreferrer nofollow"'
        ' target="_blank" dir="ltr">{}</a>',
        value.get("lat"),
        value.get("lng"),
        place.replace(",", "/"),
        text,
    )


def _vector(value: Any, *_rest: Any) -> SafeString:
    return format_html('<code dir="ltr">{}</code>', numbers(value))


def numbers(value: Any) -> str:
    """Return the first numbers of a vector and how many there are."""
    first = ", ".join(str(item) for item in value[:SHOWN_NUMBERS])
    count = ngettext("%(n)s number", "%(n)s numbers", len(value)) % {"n": len(value)}
    return f"[{first}{', …' if len(value) > SHOWN_NUMBERS else ''}] ({count})"


CELLS: dict[str, Render] = {
    "markdown": _markdown,
    "html": _html,
    "code": _code,
    "secret": _secret,
    "color": _color,
    "qrcode": _qrcode,
    "signature": _signature,
    "rating": _rating,
    "time": lambda v, *_r: format_html('<time datetime="{}">{}</time>', v, clock(v)),
    "tags": _tags,
    "address": _address,
    "location": _location,
    "vector": _vector,
}
PLAIN: dict[str, Tell] = {
    "html": lambda v, *_r: words(v),
    "signature": lambda *_r: _("signed"),
    "time": lambda v, *_r: clock(v),
    "tags": lambda v, *_r: ", ".join(v),
    "address": lambda v, *_r: ", ".join(lines(v)),
    "location": lambda v, *_r: point(v),
    "vector": lambda v, *_r: numbers(v),
}


# -- fields inside fields ------------------------------------------------------------------------------


def nested(cell: Render, plain: Tell) -> tuple[dict[str, Render], dict[str, Tell]]:
    """Return cells and texts of composite, repeater and record; `cell` and `plain` show one part."""
    show_one, tell_one = functools.partial(_object, cell), functools.partial(_told, plain)

    def table(value: Any, f: FieldDef, d: ObjectDef, names: Any) -> SafeString:
        if not f.parts:
            return _raw(value)
        heads = format_html_join("", '<th scope="col">{}</th>', ((part.label,) for part in f.parts))
        rows = format_html_join(
            "",
            "<tr>{}</tr>",
            (
                (format_html_join("", "<td>{}</td>", ((_one(cell, row, p, d, names),) for p in f.parts)),)
                for row in value
            ),
        )
        return format_html(
            '<div class="ab-table-wrap" tabindex="0" role="group" aria-label="{}"><table class="ab-mini">'
            "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
            f.label,
            heads,
            rows,
        )

    def keyed(value: Any, f: FieldDef, d: ObjectDef, names: Any) -> SafeString:
        rows = ((key, show_one(item, f, d, names)) for key, item in value.items())
        return format_html_join("", '<div class="ab-keyed"><b><bdi>{}</bdi></b>{}</div>', rows)

    def rows_told(value: Any, f: FieldDef, d: ObjectDef, names: Any) -> str:
        return "; ".join(tell_one(row, f, d, names) for row in value)

    def keys_told(value: Any, f: FieldDef, d: ObjectDef, names: Any) -> str:
        return "; ".join(f"{key}: {tell_one(item, f, d, names)}" for key, item in value.items())

    cells: dict[str, Render] = {"composite": show_one, "repeater": table, "record": keyed}
    return cells, {"composite": tell_one, "repeater": rows_told, "record": keys_told}


def _one(cell: Render, values: Any, part: FieldDef, d: ObjectDef, names: Any) -> SafeString:
    value = values.get(part.name) if isinstance(values, Mapping) else None
    if part.options and value is not None:
        return format_html('<span class="ab-tag ab-tag-plain">{}</span>', _option(part, value))
    return cell(value, part, d, names)


def _option(part: FieldDef, value: Any) -> str:
    return next((o.label for o in part.options if o.value == value), str(value))


def _object(cell: Render, value: Any, f: FieldDef, d: ObjectDef, names: Any) -> SafeString:
    if not f.parts:
        return _raw(value)
    rows = ((part.label, _one(cell, value, part, d, names)) for part in f.parts)
    return format_html('<dl class="ab-pairs">{}</dl>', format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows))


def _told(plain: Tell, value: Any, f: FieldDef, d: ObjectDef, names: Any) -> str:
    if not f.parts or not isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=document.number)
    held: Iterable[FieldDef] = (part for part in f.parts if value.get(part.name) is not None)
    told = (
        f"{p.label}: {_option(p, value[p.name]) if p.options else plain(value[p.name], p, d, names)}"
        for p in held
    )
    return ", ".join(told)


def _raw(value: Any) -> SafeString:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=document.number)
    return format_html('<pre class="ab-json" dir="ltr" tabindex="0">{}</pre>', text)


# -- short forms ---------------------------------------------------------------------------------------

BRIEF = frozenset(
    [
        "markdown",
        "html",
        "code",
        "qrcode",
        "signature",
        "json",
        "composite",
        "repeater",
        "record",
        "address",
        "vector",
        "longtext",
    ]
)


def shortened(text: str) -> SafeString:
    """Return the first words on one line."""
    return format_html('<span dir="auto">{}</span>', Truncator(" ".join(text.split())).chars(SHORT))
