"""How a value looks to a reader: one function per cell type, in the reader's language and zone."""

import colorsys
import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils import formats, timezone, translation
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import document
from apps.objects.kinds.kind import kind_of
from apps.portal import cells
from apps.portal.marks import avatar, icon

SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "CNY": "¥", "INR": "₹", "CHF": "CHF"}
SYMBOL_BEHIND = ("de", "ar")
NAMED_TONES = {
    "blue": "blue", "info": "blue", "sky": "blue", "cyan": "blue", "azure": "blue", "primary": "blue",
    "green": "green", "success": "green", "teal": "green", "lime": "green", "emerald": "green",
    "yellow": "amber", "orange": "amber", "amber": "amber", "warning": "amber",
    "red": "red", "danger": "red", "error": "red", "pink": "red", "rose": "red",
    "purple": "violet", "violet": "violet", "indigo": "violet",
}  # fmt: skip
NUMERIC_CELLS = frozenset({"number", "currency", "percent", "rating", "slider", "progress"})
DASH = "\u2013"
NOTHING = format_html('<span class="ab-none" aria-hidden="true">{}</span>', DASH)


@dataclass
class Names:
    """What turns ids into words: members by id, records by (object, id) as titles; `currency` is the tenant's."""

    members: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[tuple[str, str], str] = field(default_factory=dict)
    currency: str = "EUR"


def tone(color: str | None) -> str:
    """Return the tag colour next to a colour name or `#rrggbb`; empty for grey and the unknown."""
    if not color:
        return ""
    if color.startswith("#") and len(color) == 7:
        red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        hue, _light, saturation = colorsys.rgb_to_hls(red, green, blue)
        if saturation < 0.15:
            return ""
        for limit, name in ((0.04, "red"), (0.2, "amber"), (0.46, "green"), (0.62, "blue"), (0.85, "violet")):
            if hue < limit:
                return name
        return "red"
    return NAMED_TONES.get(color.lower(), "")


def tag(field_: FieldDef, value: str, definition: ObjectDef) -> SafeString:
    """Return one option as a coloured tag."""
    color = next((option.color for option in field_.options if option.value == value), None)
    named = tone(color)
    label = definition.option_label(field_.name, value, locale())
    return format_html('<span class="ab-tag{}">{}</span>', f" ab-tag-{named}" if named else "", label)


def locale() -> str:
    """Return the reader's language as definitions write it."""
    return translation.get_language() or "en"


def label(definition: ObjectDef, name: str) -> str:
    """Return a field's label in the reader's language; the system's own fields are translated by the portal."""
    if name not in definition.fields and name in definition.all_fields:
        return _(definition.all_fields[name].label)
    return definition.field_label(name, locale())


def number(value: Any) -> str:
    """Return a number with the reader's separators, no digit added or lost."""
    amount = value if isinstance(value, Decimal) else Decimal(str(value))
    exponent = int(amount.as_tuple().exponent)
    return str(formats.number_format(amount, max(0, -exponent), use_l10n=True, force_grouping=True))


def money(value: Any, currency: str) -> str:
    """Return an amount with its currency where the reader's language puts it."""
    amount = Decimal(str(value))
    digits = max(2, -int(amount.as_tuple().exponent))
    text = str(formats.number_format(amount, digits, use_l10n=True, force_grouping=True))
    symbol = SYMBOLS.get(currency, currency)
    if locale().startswith(SYMBOL_BEHIND):
        return f"{text}\u00a0{symbol}"
    return f"{symbol}{text}" if len(symbol) == 1 else f"{symbol}\u00a0{text}"


SCALES = ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k"))


def short(value: Any) -> str:
    """Return a number in few characters for axes and sums: 1.2M, 84k; its exact value stands elsewhere."""
    amount = Decimal(str(value))
    scale, letter = next(((size, text) for size, text in SCALES if abs(amount) >= size), (1, ""))
    scaled = (amount / scale).quantize(Decimal("0.1") if abs(amount) < scale * 100 else Decimal(1))
    whole = scaled.to_integral_value()
    return number(whole if scaled == whole else scaled) + letter


def money_short(value: Any, currency: str) -> str:
    """Return an amount of money in few characters."""
    text, symbol = short(value), SYMBOLS.get(currency, currency)
    if locale().startswith(SYMBOL_BEHIND):
        return f"{text}\u00a0{symbol}"
    return f"{symbol}{text}" if len(symbol) == 1 else f"{symbol}\u00a0{text}"


def moment(value: str | dt.datetime) -> dt.datetime:
    """Return the wire's instant in the reader's zone."""
    instant = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    return timezone.localtime(instant)


def when(value: str | dt.datetime) -> SafeString:
    """Return an instant as a `time` element in the reader's zone."""
    local = moment(value)
    shown = formats.date_format(local, "SHORT_DATETIME_FORMAT")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        local.strftime("%Y-%m-%d %H:%M:%S %Z"),
        shown,
    )


def day(value: str | dt.date) -> SafeString:
    """Return a day as a `time` element."""
    date = value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
    shown = formats.date_format(date, "SHORT_DATE_FORMAT")
    return format_html('<time datetime="{}">{}</time>', date.isoformat(), shown)


def who(name: str) -> SafeString:
    """Return a member with their mark."""
    return format_html('<span class="ab-who">{}<span><bdi>{}</bdi></span></span>', avatar(name, "s"), name)


def mark_of(name: str, role: str) -> SafeString:
    """Return a member's mark alone; the name is read out and stands in the title."""
    return format_html(
        '<span class="ab-mark-of" title="{}: {}">{}<span class="visually-hidden">{}: {}</span></span>',
        role, name, avatar(name, "s"), role, name,
    )  # fmt: skip


def _lookup(value: Any, f: FieldDef, _d: ObjectDef, names: Names) -> SafeString:
    title = names.records.get((f.reference or "", str(value)))
    if title is None:
        return format_html('<span class="ab-none">{}</span>', _("not visible to you"))
    return format_html(
        '<a href="{}"><bdi>{}</bdi></a>',
        reverse("portal:record", args=[f.reference, value]),
        title or _("Untitled"),
    )


def _yes_no(value: Any, *_rest: Any) -> SafeString:
    mark = icon("check", "ab-yes") if value else icon("minus", "ab-no")
    return format_html('{}<span class="visually-hidden">{}</span>', mark, _("Yes") if value else _("No"))


def _long(value: Any, *_rest: Any) -> SafeString:
    return format_html('<span class="ab-long" dir="auto">{}</span>', value)


def _json(value: Any, *_rest: Any) -> SafeString:
    return format_html(
        '<pre class="ab-json" tabindex="0">{}</pre>',
        json.dumps(value, indent=2, ensure_ascii=False, default=document.number),
    )


def _badges(value: Any, f: FieldDef, d: ObjectDef, _names: Names) -> SafeString:
    return format_html_join(" ", "{}", ((tag(f, item, d),) for item in value))


def _member(value: Any, _f: FieldDef, _d: ObjectDef, names: Names) -> SafeString:
    return who(names.members.get(str(value)) or _("former member"))


def _several(one: Callable[..., SafeString]) -> Callable[..., SafeString]:
    """Return a cell that shows each of a list as `one` does."""

    def shown(value: Any, f: FieldDef, d: ObjectDef, names: Names) -> SafeString:
        return format_html_join(", ", "{}", ((one(item, f, d, names),) for item in value))

    return shown


def _currency(value: Any, f: FieldDef, _d: ObjectDef, names: Names) -> SafeString:
    return format_html("{}", money(value, f.currency or names.currency))


def _url(value: Any, *_rest: Any) -> SafeString:
    shown = str(value).removeprefix("https://").removeprefix("http://").rstrip("/")
    return format_html(
        '<a href="{}" rel="noopener noreferrer nofollow" target="_blank" dir="ltr">{}</a>', value, shown
    )


CELLS: dict[str, Callable[..., SafeString]] = {
    "number": lambda v, f, *_: format_html("{}", money(v, f.currency) if f.currency else number(v)),
    "percent": lambda v, *_: format_html("{}\u00a0%", number(v)),
    "currency": _currency,
    "boolean": _yes_no,
    "date": lambda v, *_: day(v),
    "datetime": lambda v, *_: when(v),
    "badge": lambda v, f, d, _n: tag(f, v, d),
    "badges": _badges,
    "lookup": _lookup,
    "lookups": _several(_lookup),
    "user": _member,
    "users": _several(_member),
    "email": lambda v, *_: format_html('<a href="mailto:{}" dir="ltr">{}</a>', v, v),
    "phone": lambda v, *_: format_html('<a href="tel:{}" dir="ltr">{}</a>', v, v),
    "url": _url,
    "longtext": _long,
    "json": _json,
    **cells.CELLS,
    **cells.gauges(number),
}


def cell(value: Any, field_: FieldDef, definition: ObjectDef, names: Names) -> SafeString:
    """Return the value of one field as HTML; a dash stands for no value."""
    if value is None or value in ("", [], {}):
        return NOTHING
    show = CELLS.get(kind_of(field_).cell)
    return show(value, field_, definition, names) if show else format_html("<bdi>{}</bdi>", value)


PLAIN: dict[str, Callable[..., str]] = {
    "badge": lambda v, f, d, _n: d.option_label(f.name, v, locale()),
    "badges": lambda v, f, d, _n: ", ".join(d.option_label(f.name, item, locale()) for item in v),
    "lookup": lambda v, f, _d, names: names.records.get((f.reference or "", str(v)), ""),
    "user": lambda v, _f, _d, names: names.members.get(str(v), ""),
    "lookups": lambda v, f, _d, names: ", ".join(
        names.records.get((f.reference or "", str(item)), "") for item in v
    ),
    "users": lambda v, _f, _d, names: ", ".join(names.members.get(str(item), "") for item in v),
    "boolean": lambda v, *_rest: _("Yes") if v else _("No"),
    "datetime": lambda v, *_: moment(v).strftime("%Y-%m-%d %H:%M:%S"),
    "json": lambda v, *_: json.dumps(v, ensure_ascii=False, default=document.number),
    **cells.PLAIN,
}


def plain(value: Any, field_: FieldDef, definition: ObjectDef, names: Names) -> str:
    """Return the value as text, for exports and sentences."""
    if value is None or value in ("", [], {}):
        return ""
    tell = PLAIN.get(kind_of(field_).cell)
    return tell(value, field_, definition, names) if tell else str(value)


def brief(value: Any, field_: FieldDef, definition: ObjectDef, names: Names) -> SafeString:
    """Return the value as HTML for a list or a history: long and drawn ones as their first words."""
    kind = kind_of(field_)
    if value is None or value in ("", [], {}) or kind.cell not in cells.BRIEF:
        return cell(value, field_, definition, names)
    return cells.shortened(plain(value, field_, definition, names))


_nested_cells, _nested_plain = cells.nested(cell, plain)
CELLS |= _nested_cells
PLAIN |= _nested_plain
