"""One action on the ticked records: asked back with their number, carried out row by row, told with its result."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from apps.core.errors import Invalid, Problem
from apps.objects import records as services
from apps.objects.definitions import ObjectDef
from apps.objects.records import Batch
from apps.permissions.access import Access
from apps.portal import forms, records, show
from apps.portal.views.frame import actor_of, back, page

MOST = 200
SHOWN = 5
NEEDS = {"delete": "delete", "edit": "edit", "owner": "transfer"}


@require_POST
@page
def bulk(request: HttpRequest, name: str) -> HttpResponse:
    """Ask, then act. Without `confirmed` the question is shown."""
    by, action = actor_of(request), request.POST.get("action", "")
    definition, access = records.rights(name, by)
    if action not in NEEDS:
        raise Invalid(_("There is no such action."), code="INVALID_REQUEST")
    access.require(NEEDS[action], definition)  # type: ignore[arg-type]
    ids = [str(key) for key in _ids(request.POST.getlist("ids"))]
    listed = reverse("portal:list", args=[name]) + request.POST.get("back", "")
    if not ids:
        messages.warning(request, _("Tick the records first."))
        return back(request, listed, reverse("portal:list", args=[name]))
    if "confirmed" not in request.POST:
        return render(request, "portal/bulk.html", _question(request, definition, access, action, ids))
    try:
        done = _carry_out(request, definition, access, action, ids)
    except Problem as problem:
        if problem.status != 400:
            raise
        context = _question(request, definition, access, action, ids) | {"problem": problem}
        return render(request, "portal/bulk.html", context, status=400)
    _tell(request, definition, action, done)
    return back(request, listed, reverse("portal:list", args=[name]))


def _ids(texts: Iterable[str]) -> list[UUID]:
    found = []
    for text in list(dict.fromkeys(texts))[:MOST]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def _question(
    request: HttpRequest, definition: ObjectDef, access: Access, action: str, ids: list[str]
) -> dict[str, Any]:
    by, locale = actor_of(request), show.locale()
    titles = list(records.titles(definition.name, ids, by=by).values())
    fields = [f for f in forms.writable(definition, access.editable(definition)) if not f.reference]
    chosen = request.POST.get("field", "")
    inputs = []
    if chosen:
        texts = {chosen: request.POST.get(chosen, "")}
        made = forms.sections(
            definition, frozenset({chosen}), texts, errors={}, names=show.Names(), members=records.members()
        )
        inputs = [item for section in made for item in section.inputs]
    return {
        "object": definition,
        "plural": definition.label_for(locale, plural=True),
        "nav_current": definition.name,
        "crumbs": [
            (definition.label_for(locale, plural=True), reverse("portal:list", args=[definition.name]))
        ],
        "action": action,
        "ids": ids,
        "count": len(ids),
        "titles": titles[:SHOWN],
        "more": max(0, len(ids) - SHOWN),
        "back": request.POST.get("back", ""),
        "members": records.members() if action == "owner" else {},
        "fields": [(f.name, show.label(definition, f.name)) for f in fields],
        "field": chosen,
        "inputs": inputs,
    }


def _carry_out(
    request: HttpRequest, definition: ObjectDef, access: Access, action: str, ids: list[str]
) -> Batch:
    by = actor_of(request)
    if action == "delete":
        return services.delete_many(definition.name, ids, by=by, continue_on_error=True)
    if action == "owner":
        changes: dict[str, Any] = {"owner_id": request.POST.get("owner_id") or None}
    else:
        name = request.POST.get("field", "")
        texts = forms.posted(definition, access.editable(definition), request.POST)
        if name not in texts:
            raise Invalid(_("Choose a field."), code="INVALID_REQUEST")
        changes = {name: forms.raw(definition.fields[name], texts[name])}
    rows = [{"id": key, "data": changes} for key in ids]
    return services.update_many(definition.name, rows, by=by, continue_on_error=True, return_records=False)


def _tell(request: HttpRequest, definition: ObjectDef, action: str, done: Batch) -> None:
    count, failed = done.succeeded, len(done.rows) - done.succeeded
    if count and action == "delete":
        text = ngettext("%(n)s record is deleted.", "%(n)s records are deleted.", count) % {"n": count}
        messages.success(request, text, extra_tags=reverse("portal:trash", args=[definition.name]))
    elif count:
        messages.success(
            request, ngettext("%(n)s record is changed.", "%(n)s records are changed.", count) % {"n": count}
        )
    if failed:
        reason = next((row.problem.message for row in done.rows if row.problem), "")
        text = ngettext("%(n)s record stayed as it was.", "%(n)s records stayed as they were.", failed) % {
            "n": failed
        }
        messages.error(request, f"{text} {reason}".strip())
