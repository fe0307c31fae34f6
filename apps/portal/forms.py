"""Forms generated from definitions: what an input shows, and what its text means to the record."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid
from apps.objects.catalog import catalog
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.kinds.problem import AcceptContext
from apps.portal import records, show

WIDE = frozenset({"textarea", "json", "multiselect"})
PLACEHOLDERS = {"email": "name@example.com", "url": "https://", "tel": "+1 555 0100"}
NEVER = frozenset({"readonly", "hidden"})
LOCAL = "%Y-%m-%dT%H:%M"
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
    title: str = ""
    help: str = ""
    error: str = ""
    unit: str = ""
    placeholder: str = ""
    required: bool = False
    wide: bool = False
    reference: str = ""
    choices: tuple[Choice, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def described_by(self) -> str:
        """The ids of help and error, for aria-describedby."""
        found = [f"help-{self.name}"] if self.help else []
        return " ".join([*found, f"error-{self.name}"] if self.error else found)


@dataclass(frozen=True)
class Section:
    """A titled part of the form."""

    label: str
    inputs: list[Input]


def text_of(field_: FieldDef, value: Any) -> str:
    """Return a wire value as the text of its input; `read` turns it back."""
    if value is None:
        return ""
    kind = kind_of(field_)
    if kind.widget == "datetime":
        return show.moment(value).strftime(LOCAL)
    if kind.widget == "multiselect":
        return ";".join(value)
    if kind.widget == "checkbox":
        return "true" if value else ""
    if kind.widget == "json":
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return str(value)


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
    kind, locale = kind_of(f), show.locale()
    unit = {
        "currency": show.SYMBOLS.get(f.currency or names.currency, f.currency or names.currency),
        "percent": "%",
    }
    title = names.records.get((f.reference, value), "") if f.reference else ""
    return Input(
        name=f.name,
        label=show.label(definition, f.name),
        widget=kind.widget,
        value=value,
        title=title,
        help=definition.field_description(f.name, locale),
        error=error,
        unit=unit.get(kind.cell, ""),
        placeholder=PLACEHOLDERS.get(kind.widget, ""),
        required=f.required and kind.widget != "checkbox",
        wide=kind.widget in WIDE,
        reference=f.reference or "",
        choices=_choices(f, definition, value, members),
        attributes=_attributes(f),
    )


def _choices(
    f: FieldDef, definition: ObjectDef, value: str, members: Mapping[str, str]
) -> tuple[Choice, ...]:
    widget = kind_of(f).widget
    if widget in ("select", "multiselect"):
        chosen = value.split(";")
        locale = show.locale()
        return tuple(
            Choice(o.value, definition.option_label(f.name, o.value, locale), o.value in chosen)
            for o in f.options
        )
    if widget == "user":
        return tuple(Choice(key, name, key == value) for key, name in members.items())
    return ()


def _attributes(f: FieldDef) -> dict[str, str]:
    kind = kind_of(f)
    found: dict[str, str] = {}
    if kind.widget == "number":
        found |= {"inputmode": "decimal"}
    if kind.widget in ("text", "email", "url", "tel", "textarea"):
        limit = getattr(kind, "max_length", None)
        found["maxlength"] = str(limit(f) if callable(limit) else 255)
    if kind.widget == "email":
        found["autocomplete"] = "off"
    return found


def defaults(definition: ObjectDef, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a form for a record's wire values."""
    return {name: text_of(f, values.get(name)) for name, f in definition.fields.items()}


def posted(definition: ObjectDef, editable: frozenset[str], post: QueryDict) -> dict[str, str]:
    """Return the texts that a member sent, by field."""
    texts = {}
    for f in writable(definition, editable):
        widget = kind_of(f).widget
        if widget == "multiselect":
            texts[f.name] = ";".join(post.getlist(f.name))
        elif f.name in post or widget == "checkbox":
            texts[f.name] = (
                post.get(f.name, "").strip()
                if widget != "textarea"
                else post.get(f.name, "").replace("\r\n", "\n")
            )
    return texts


def raw(f: FieldDef, text: str) -> Any:
    """Return what the record's service should judge for the text of an input."""
    kind = kind_of(f)
    if kind.widget == "checkbox":
        return text == "true"
    if kind.widget == "multiselect":
        return [part for part in text.split(";") if part] or None
    if kind.widget == "number":
        return kind.from_text(f, text.replace("\u202f", "").replace("\u00a0", "").replace(" ", ""))
    return kind.from_text(f, text)


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
        if not f.reference or texts[f.name] or not typed:
            continue
        hits = [
            key
            for key, title in records.search(catalog().object(f.reference), typed, by=by, limit=20)
            if title == typed
        ]
        if len(hits) == 1:
            found[f.name] = hits[0]
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
