"""Two people saved one record: both versions side by side, and what was chosen of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core.actor import Actor
from apps.objects.definitions import ObjectDef
from apps.portal import forms, records, show

PICK, THEIRS = "pick.", "theirs"


@dataclass(frozen=True)
class Difference:
    """A field that I changed, or both did: what it was, what they saved, what I wrote."""

    name: str
    label: str
    theirs: SafeString
    mine: SafeString
    both: bool


def without_theirs(texts: Mapping[str, str], post: QueryDict) -> dict[str, str]:
    """Return the texts without the fields for which the other version was chosen."""
    return {name: text for name, text in texts.items() if post.get(PICK + name) != THEIRS}


def conflict_page(
    request: HttpRequest,
    context: Mapping[str, Any],
    definition: ObjectDef,
    sent: Mapping[str, str],
    original: Mapping[str, str],
    current: Mapping[str, Any],
    *,
    by: Actor,
) -> HttpResponse:
    """Show what differs; the form it shows saves the choice on top of the other's version."""
    mine = {name: text for name, text in sent.items() if text != original.get(name, "")}
    now = forms.defaults(definition, current)
    values = {name: forms.raw(definition.fields[name], text) for name, text in mine.items()}
    names = records.names_for(definition, [current, _ids(definition, mine)], mine, by=by)
    differences = [
        Difference(
            name=name,
            label=show.label(definition, name),
            theirs=show.brief(current.get(name), definition.fields[name], definition, names),
            mine=_shown(values[name], name, definition, names),
            both=now.get(name, "") != original.get(name, ""),
        )
        for name in mine
    ]
    who = records.people([current["updated_by"]]) if current.get("updated_by") else {}
    more = {
        "differences": differences,
        "sent": list(mine.items()),
        "original": [(name, now.get(name, "")) for name in mine],
        "match": current["updated_at"],
        "saved_by": next(iter(who.values()), ""),
        "saved_at": show.when(current["updated_at"]),
    }
    return render(request, "portal/conflict.html", dict(context) | more, status=409)


def _ids(definition: ObjectDef, texts: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text
        for name, text in texts.items()
        if text and (definition.fields[name].reference or definition.fields[name].type == "user")
    }


def _shown(value: Any, name: str, definition: ObjectDef, names: show.Names) -> SafeString:
    try:
        return show.brief(value, definition.fields[name], definition, names)
    except (ValueError, TypeError, ArithmeticError):  # what was typed is no value of the field
        return format_html("{}", value)
