"""The versions of a record: all of them, two beside each other, and the way back to one."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from apps.core.errors import NotFound, Problem
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.objects.records import judging, versions
from apps.portal import records, show, timeline
from apps.portal.views.frame import actor_of, page, record_id
from apps.portal.views.record import base

PAGE = 50


@require_GET
@page
def list_versions(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Show the versions, newest first; with `from` and `to` what differs between two of them."""
    by, ident = actor_of(request), record_id(key)
    definition, access = records.rights(name, by)
    record = records.get(definition, ident, by=by)
    found = versions.versions(name, ident, by=by)
    before = _number(request.GET.get("before", ""))
    rest = [item for item in found if not before or item.number < before]
    shown, more = rest[:PAGE], len(rest) > PAGE
    newest = found[0].number if found else 0
    asked = _number(request.GET.get("from", "")), _number(request.GET.get("to", ""))
    compared = _compared(definition, ident, asked, by) if any(asked) else None
    names = timeline.names_of(definition, (c for item in shown for c in item.changes), by=by)
    href = reverse("portal:record", args=[name, key])
    context = base(definition, record) | {
        "crumbs": [
            *base(definition, record)["crumbs"],
            (records.title_of(definition, record) or _("Untitled"), href),
            (_("Versions"), ""),
        ],
        "versions": [
            {
                "version": item,
                "sentence": timeline.sentence_of(item),
                "changes": timeline.changes_of(item.changes, definition, names),
                "is_newest": item.number == newest,
            }
            for item in shown
        ],
        "next": shown[-1].number if more else None,
        "compared": compared,
        "chosen": {"from": asked[0] or max(newest - 1, 1), "to": asked[1] or newest},
        "may_edit": judging.may(name, ident, by=by)["edit"],
        "evidence": f"{name}:{ident}" if access.has_system("view_audit") else "",
        "href": href,
    }
    return render(request, "portal/versions.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def restore(request: HttpRequest, name: str, key: str, number: int) -> HttpResponse:
    """Show what going back would change, field by field to choose from; then do it."""
    by, ident = actor_of(request), record_id(key)
    definition, access = records.rights(name, by)
    record = records.get(definition, ident, by=by)
    access.require("edit", definition)
    found = versions.versions(name, ident, by=by)
    if not found:
        raise NotFound(_("There is no such version."), code="VERSION_NOT_FOUND")
    problem = None
    if request.method == "POST":
        chosen = [field for field in request.POST.getlist("fields") if field in definition.fields]
        try:
            if chosen:
                match = request.POST.get("match") or None
                versions.restore_version(name, ident, number, by=by, if_match=match, fields=chosen)
        except Problem as refused:
            if refused.status not in (400, 409):
                raise
            problem = refused
        else:
            text = _("Version %(number)s is back.") if chosen else _("Nothing was chosen, nothing changed.")
            messages.success(request, text % {"number": number} if chosen else text)
            return HttpResponseRedirect(reverse("portal:record", args=[name, key]))
    compared = _compared(definition, ident, (found[0].number, number), by)
    editable = access.editable(definition)
    for row in compared["rows"]:
        field = definition.fields.get(row["name"])
        row["may"] = row["known"] and row["name"] in editable and field is not None and not field.readonly
    context = base(definition, record) | {
        "crumbs": [
            *base(definition, record)["crumbs"],
            (
                records.title_of(definition, record) or _("Untitled"),
                reverse("portal:record", args=[name, key]),
            ),
            (_("Versions"), reverse("portal:versions", args=[name, key])),
            (_("Version %(number)s") % {"number": number}, ""),
        ],
        "compared": compared,
        "number": number,
        "problem": problem,
        "match": record["updated_at"],
        "href": reverse("portal:versions", args=[name, key]),
        "any": any(row["may"] for row in compared["rows"]),
    }
    return render(request, "portal/version_restore.html", context, status=problem.status if problem else 200)


def _compared(definition: ObjectDef, ident: Any, asked: tuple[int, int], by: Any) -> dict[str, Any]:
    first, second = (number or None for number in asked)
    found = versions.compare(definition.name, ident, first, second, by=by)
    differences = [
        item for item in found.differences if item.field in definition.fields or item.field == "owner_id"
    ]
    sides = [{item.field: side} for item in differences for side in (item.before, item.after)]
    names = records.names_for(
        definition, [_ids(side, definition) for side in sides], [item.field for item in differences], by=by
    )
    return {
        "before": found.before,
        "after": found.after,
        "rows": [
            {
                "name": item.field,
                "label": show.label(definition, item.field),
                "before": timeline.side(item.before, item.field, definition, names),
                "after": timeline.side(item.after, item.field, definition, names),
                "known": item.known,
            }
            for item in differences
        ],
    }


def _ids(side: Mapping[str, Any], definition: ObjectDef) -> dict[str, Any]:
    return {
        name: value
        for name, value in side.items()
        if isinstance(value, str | list) and kind_of(definition.all_fields[name]).cell in records.LINKS
    }


def _number(text: str) -> int:
    """Return the number of a version; 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
