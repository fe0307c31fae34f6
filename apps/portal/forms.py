"""Forms generated from definitions: what an input shows, and what its text means to the record."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid
from apps.objects.catalog import catalog
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.kinds.problem import AcceptContext
from apps.portal import records, show
from apps.portal.widgets import Parts, Rating, Rows, parts_of, read, widget_of

PLACEHOLDERS = {"email": "name@example.com", "url": "https://", "tel": "+1 555 0100", "color": "#1f6feb"}
NEVER = frozenset({"readonly", "hidden"})
BLANK = "__new__"  # stands for the key of a row that a script adds
TEXT_SUFFIX, ORIGINAL_PREFIX = "__text", "original."


@dataclass(frozen=True)
class Choice:
    """One option of a select."""

    value: str
    label: str
    selected: bool = False


@dataclass(frozen=True)
class Input:
    """One field of a form as the template needs it; `value` is the text in the box."""

    name: str
    label: str
    widget: str
    value: str = ""
    type: str = "text"
    title: str = ""
    help: str = ""
    error: str = ""
    unit: str = ""
    placeholder: str = ""
    required: bool = False
    wide: bool = False
    grouped: bool = False
    secret: bool = False
    reference: str = ""
    language: str = ""
    choices: tuple[Choice, ...] = ()
    parts: tuple["Input", ...] = ()
    rows: tuple["Row", ...] = ()
    blank: "Row | None" = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def template(self) -> str:
        """The template of the widget."""
        return f"components/widgets/{self.widget}.html"

    @property
    def described_by(self) -> str:
        """The ids of help and error, for aria-describedby."""
        found = [f"help-{self.name}"] if self.help else []
        return " ".join([*found, f"error-{self.name}"] if self.error else found)


@dataclass(frozen=True)
class Row:
    """One row of a repeater: its key in the names of its inputs, and the inputs."""

    key: str
    parts: tuple[Input, ...]


@dataclass(frozen=True)
class Section:
    """A titled part of the form."""

    label: str
    inputs: list[Input]


def text_of(field_: FieldDef, value: Any) -> str:
    """Return a wire value as the text of its input; `raw` turns it back."""
    return "" if value is None else widget_of(field_).text(field_, value)


def writable(definition: ObjectDef, editable: frozenset[str]) -> list[FieldDef]:
    """Return the fields that a form offers, in the order of the definition."""
    return [
        f
        for f in definition.fields.values()
        if f.name in editable and not f.readonly and not f.hidden and kind_of(f).widget not in NEVER
    ]


def sections(
    definition: ObjectDef,
    editable: frozenset[str],
    values: Mapping[str, str],
    *,
    errors: Mapping[str, str],
    names: show.Names,
    members: Mapping[str, str],
) -> list[Section]:
    """Return the form: `values` are the texts of the inputs, `errors` sentences by field."""
    allowed = {f.name for f in writable(definition, editable)}
    found = []
    for group, fields in definition.sections():
        inputs = [
            _input(f, definition, values.get(f.name, ""), errors.get(f.name, ""), names, members)
            for f in fields
            if f.name in allowed
        ]
        if inputs:
            found.append(
                Section(definition.group_label(group.key, show.locale()) if group.key else "", inputs)
            )
    return found


def _input(
    f: FieldDef, definition: ObjectDef, value: str, error: str, names: show.Names, members: Mapping[str, str]
) -> Input:
    widget = widget_of(f)
    title = names.records.get((f.reference, value), "") if f.reference else ""
    return replace(
        _box(f, f.name, widget.shown(value), names),
        label=show.label(definition, f.name),
        title=title,
        help=definition.field_description(f.name, show.locale()),
        error=error,
        choices=_choices(f, definition, value, names, members),
        parts=_parts(f, f.name, value, names),
        rows=_rows(f, value, names),
        blank=_row(f, f"{f.name}.{BLANK}", {}, names) if isinstance(widget, Rows) else None,
    )


def _box(f: FieldDef, name: str, value: str, names: show.Names) -> Input:
    """Return the input of a field, or of a field inside one, without its words and choices."""
    kind, widget = kind_of(f), widget_of(f)
    own = f.currency or names.currency
    unit = {"currency": show.SYMBOLS.get(own, own), "percent": "%", "progress": "%"}
    return Input(
        name=name,
        label=f.label,
        widget=widget.template,
        type=widget.type,
        value=value,
        unit=unit.get(kind.cell, ""),
        placeholder=PLACEHOLDERS.get(kind.widget, ""),
        required=f.required and kind.sql_type != "boolean",
        wide=widget.wide,
        grouped=widget.grouped,
        reference=f.reference or "",
        language=f.language or "",
        attributes=widget.attributes(f),
        secret=kind.write_only,
    )


def _parts(f: FieldDef, name: str, value: str, names: show.Names) -> tuple[Input, ...]:
    widget = widget_of(f)
    if not isinstance(widget, Parts) or isinstance(widget, Rows):
        return ()
    return _row(f, name, read(value) if value else {}, names).parts


def _rows(f: FieldDef, value: str, names: show.Names) -> tuple[Row, ...]:
    """Return the rows of a repeater and an empty one, for browsers without scripts."""
    if not isinstance(widget_of(f), Rows):
        return ()
    found = (read(value) if value else None) or []
    texts = [*(row for row in found if isinstance(row, dict)), {}]
    return tuple(_row(f, f"{f.name}.{place}", row, names) for place, row in enumerate(texts))


def _row(f: FieldDef, name: str, texts: Any, names: show.Names) -> Row:
    given = texts if isinstance(texts, Mapping) else {}
    made = []
    for part in parts_of(f):
        value = str(given.get(part.name, ""))
        choices = tuple(Choice(o.value, o.label, o.value == value) for o in part.options)
        box = _box(part, f"{name}.{part.name}", widget_of(part).shown(value), names)
        made.append(replace(box, help=part.description, choices=choices + _stars(part, value)))
    return Row(name.rpartition(".")[2], tuple(made))


def _choices(
    f: FieldDef, definition: ObjectDef, value: str, names: show.Names, members: Mapping[str, str]
) -> tuple[Choice, ...]:
    if f.options:
        chosen = value.split(";") if kind_of(f).is_array else [value]
        locale = show.locale()
        return tuple(
            Choice(o.value, definition.option_label(f.name, o.value, locale), o.value in chosen)
            for o in f.options
        )
    if kind_of(f).widget in ("user", "users"):
        chosen = value.split(";")
        return tuple(Choice(key, name, key in chosen) for key, name in members.items())
    if kind_of(f).widget == "lookups":
        keys = [key for key in value.split(";") if key]
        titles = ((key, names.records.get((f.reference or "", key))) for key in keys)
        return tuple(Choice(key, title or key, selected=True) for key, title in titles)
    return _stars(f, value)


def _stars(f: FieldDef, value: str) -> tuple[Choice, ...]:
    widget = widget_of(f)
    if not isinstance(widget, Rating):
        return ()
    words = (ngettext("%(n)s star", "%(n)s stars", n) % {"n": n} for n in widget.stars(f))
    return tuple(
        Choice(str(n), word, str(n) == value) for n, word in zip(widget.stars(f), words, strict=True)
    )


def defaults(definition: ObjectDef, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a form for a record's wire values."""
    return {name: text_of(f, values.get(name)) for name, f in definition.fields.items()}


def posted(definition: ObjectDef, editable: frozenset[str], post: QueryDict) -> dict[str, str]:
    """Return the texts that a member sent, by field."""
    sent = {f.name: widget_of(f).posted(f, post, f.name) for f in writable(definition, editable)}
    return {name: text for name, text in sent.items() if text is not None}


def raw(f: FieldDef, text: str) -> Any:
    """Return what the record's service should judge for the text of an input."""
    return widget_of(f).raw(f, text)


def zone() -> dt.tzinfo:
    """Return the reader's time zone, in which date-times are typed."""
    return timezone.get_current_timezone()


def changed(definition: ObjectDef, texts: Mapping[str, str], original: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of those inputs whose text differs from what the form showed at first."""
    return {
        name: raw(definition.fields[name], text)
        for name, text in texts.items()
        if text != original.get(name, "")
    }


def original(definition: ObjectDef, post: QueryDict) -> dict[str, str]:
    """Return the texts that the form showed at first, as it sent them back; empty when it did not."""
    start = len(ORIGINAL_PREFIX)
    sent = {key[start:]: value for key, value in post.items() if key.startswith(ORIGINAL_PREFIX)}
    return {name: str(text).replace("\r\n", "\n") for name, text in sent.items() if name in definition.fields}


def fresh(definition: ObjectDef, by: Actor) -> dict[str, str]:
    """Return the texts of a new record's form: the declared defaults."""
    context = AcceptContext(user_id=by.user_id, zone=zone())
    found = {}
    for f in definition.fields.values():
        kind = kind_of(f)
        value = kind.default(f, context=context) if not kind.generated else None
        found[f.name] = text_of(f, kind.python_json(f, value))
    return found


def looked_up(
    definition: ObjectDef, post: QueryDict, texts: Mapping[str, str], *, by: Actor
) -> dict[str, str]:
    """Return ids for look-up fields in which only a text was typed (a browser without scripts).

    Raises `Invalid` when the text is the exact name of no record, or of several.
    """
    found, errors = {}, []
    for f in writable(definition, frozenset(texts)):
        typed = post.get(f.name + TEXT_SUFFIX, "").strip()
        if not f.reference or not typed or (texts[f.name] and not f.multiple):
            continue
        hits = [
            key
            for key, title in records.search(catalog().object(f.reference), typed, by=by, limit=20)
            if title == typed
        ]
        if len(hits) == 1:
            found[f.name] = f"{texts[f.name]};{hits[0]}".strip(";") if f.multiple else hits[0]
        else:
            message = _("Choose one from the list, or type its exact name.")
            errors.append(
                FieldError(f.name, "reference_ambiguous" if hits else "reference_not_found", message)
            )
    if errors:
        raise Invalid(_("Some look-ups name no single record."), errors)
    return found


def sentences(errors: list[FieldError]) -> dict[str, str]:
    """Return one sentence per field; several errors of a field stand behind each other."""
    found: dict[str, str] = {}
    for error in errors:
        found[error.field] = (
            f"{found[error.field]} {error.message}" if error.field in found else error.message
        )
    return found
