"""One action on the ticked records: asked back with their number, carried out row by row, told with its result."""

from collections.abc import Callable, Iterable
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
from apps.objects.records.bulk import Row
from apps.permissions.access import Access
from apps.portal import forms, records, show
from apps.portal.listing import address as addresses
from apps.portal.listing import page as listing
from apps.portal.views.frame import actor_of, back, page

MOST, MOST_OF_A_LIST, AT_ONCE = 200, 1000, 200
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
    ids = _chosen(request, definition, access)
    listed = reverse("portal:list", args=[name]) + request.POST.get("back", "")
    if not ids:
        messages.warning(request, _("Tick the records first."))
        return back(request, listed, reverse("portal:list", args=[name]))
    if "confirmed" not in request.POST or "drop" in request.POST:
        return render(request, "portal/bulk.html", _question(request, definition, access, action, ids))
    try:
        done = _carry_out(request, definition, access, action, ids)
    except Problem as problem:
        if problem.status != 400:
            raise
        errors = forms.sentences(list(problem.fields))
        context = _question(request, definition, access, action, ids, errors) | {"problem": problem}
        return render(request, "portal/bulk.html", context, status=400)
    _tell(request, definition, action, done)
    return back(request, listed, reverse("portal:list", args=[name]))


def _chosen(request: HttpRequest, definition: ObjectDef, access: Access) -> list[str]:
    """Return the ids of the ticked records, or of every record of the list where `everything` says so."""
    if "everything" not in request.POST:
        return [str(key) for key in _ids(request.POST.getlist("ids"))]
    readable, clear = access.readable(definition), access.clear(definition)
    address = addresses.from_query(request.POST.get("back", ""), definition, readable, clear)
    body = listing.ast(address, definition) | {"fields": ["id"], "limit": MOST_OF_A_LIST, "after": ""}
    found = records.find(definition, body, by=actor_of(request))
    if found.next_cursor:
        raise Invalid(
            _("More than 1,000 records belong to this list. Narrow it with a filter."), code="INVALID_REQUEST"
        )
    return [str(row["id"]) for row in found.rows]


def _ids(texts: Iterable[str]) -> list[UUID]:
    found = []
    for text in list(dict.fromkeys(texts))[:MOST]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def _question(
    request: HttpRequest,
    definition: ObjectDef,
    access: Access,
    action: str,
    ids: list[str],
    errors: dict[str, str] | None = None,
) -> dict[str, Any]:
    by, locale = actor_of(request), show.locale()
    titles = list(records.titles(definition.name, ids, by=by).values())
    fields = forms.writable(definition, access.editable(definition))
    chosen, inputs = _fields(request, definition, access), []
    if chosen:
        texts = forms.posted(definition, frozenset(chosen), request.POST)
        names = records.names_for(definition, [{n: t for n, t in texts.items() if t}], chosen, by=by)
        made = forms.sections(
            definition, frozenset(chosen), texts, errors=errors or {}, names=names, members=records.members()
        )
        inputs = sorted(
            (item for section in made for item in section.inputs), key=lambda item: chosen.index(item.name)
        )
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
        "everything": "everything" in request.POST,
        "fields": [(f.name, show.label(definition, f.name)) for f in fields if f.name not in chosen],
        "chosen": chosen,
        "inputs": inputs,
    }


def _fields(request: HttpRequest, definition: ObjectDef, access: Access) -> list[str]:
    """Return the fields that are to be set: those sent, and the one just added; `drop` takes one away."""
    wanted = [*request.POST.getlist("field"), request.POST.get("add", "")]
    possible = {f.name for f in forms.writable(definition, access.editable(definition))}
    dropped = request.POST.get("drop", "")
    return [name for name in dict.fromkeys(wanted) if name in possible and name != dropped]


def _carry_out(
    request: HttpRequest, definition: ObjectDef, access: Access, action: str, ids: list[str]
) -> Batch:
    by = actor_of(request)
    if action == "delete":
        return _in_parts(
            ids, lambda part: services.delete_many(definition.name, part, by=by, continue_on_error=True)
        )
    changes = _changes(request, definition, access, action)
    return _in_parts(
        ids,
        lambda part: services.update_many(
            definition.name,
            [{"id": key, "data": changes} for key in part],
            by=by,
            continue_on_error=True,
            return_records=False,
            zone=forms.zone(),
        ),
    )


def _changes(request: HttpRequest, definition: ObjectDef, access: Access, action: str) -> dict[str, Any]:
    if action == "owner":
        return {"owner_id": request.POST.get("owner_id") or None}
    chosen = frozenset(_fields(request, definition, access))
    if not chosen:
        raise Invalid(_("Choose a field."), code="INVALID_REQUEST")
    texts = forms.posted(definition, chosen, request.POST)
    texts |= forms.looked_up(definition, request.POST, texts, by=actor_of(request))
    return {name: forms.raw(definition.fields[name], texts.get(name, "")) for name in chosen}


def _in_parts(ids: list[str], act: Callable[[list[str]], Batch]) -> Batch:
    """Carry out an action on all records, as many at once as the service takes."""
    rows: list[Row] = []
    operation = ""
    for start in range(0, len(ids), AT_ONCE):
        done = act(ids[start : start + AT_ONCE])
        operation, rows = done.operation, [*rows, *done.rows]
    return Batch(operation, rows)


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
