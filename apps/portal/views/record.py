"""One record: its page, its form, its owner, its end."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from apps.core.errors import Problem
from apps.objects import records as services
from apps.objects.definitions import ObjectDef
from apps.objects.records import judging
from apps.permissions.access import Access
from apps.portal import forms, live, records, show, timeline, visits
from apps.portal.conflict import conflict_page, without_theirs
from apps.portal.detail import related_lists, sections
from apps.portal.navigation import icon_of
from apps.portal.views import conditions
from apps.portal.views.frame import actor_of, identity_of, page, record_id

CONFLICT = "CONCURRENT_UPDATE"


def base(definition: ObjectDef, record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what every page about an object, or one record of it, shows around its matter."""
    locale = show.locale()
    plural, href = definition.label_for(locale, plural=True), reverse("portal:list", args=[definition.name])
    title = (records.title_of(definition, record) or _("Untitled")) if record else ""
    return {
        "object": definition,
        "record": record,
        "title": title,
        "singular": definition.label_for(locale),
        "plural": plural,
        "icon_name": icon_of(definition),
        "nav_current": definition.name,
        "crumbs": [(plural, href)],
    }


@require_GET
@page
def show_record(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Show a record with its related lists and its history."""
    by, ident, since = actor_of(request), record_id(key), live.here()
    definition, access = records.rights(name, by)
    record = records.get(definition, ident, by=by)
    visits.note(identity_of(request).user_id, name, ident)
    names = records.names_for(definition, [record], definition.all_fields, by=by)
    context = base(definition, record) | {
        "crumbs": [
            *base(definition, record)["crumbs"],
            (records.title_of(definition, record) or _("Untitled"), ""),
        ],
        "sections": sections(definition, record, access, names),
        "system": _system(definition, record, names),
        "related": related_lists(definition, ident, by=by),
        "timeline": timeline.of(definition, str(ident), access, by=by),
        "may": judging.may(name, ident, by=by),
        "has_owner": definition.owner_field is not None,
        "may_erase": _may_erase(definition, access),
        "live_after": since,
    }
    return render(request, "portal/record.html", context)


def _may_erase(definition: ObjectDef, access: Access) -> bool:
    """Say whether the page offers to erase: personal data, and rights to privacy and to remove for good."""
    purges = bool(access.can("purge", definition))
    return bool(definition.personal_fields) and purges and access.has_system("manage_privacy")


def _system(definition: ObjectDef, record: Mapping[str, Any], names: show.Names) -> list[dict[str, Any]]:
    wanted = ("owner_id", "created_at", "created_by", "updated_at", "updated_by")
    return [
        {
            "label": show.label(definition, name),
            "html": show.cell(record[name], definition.all_fields[name], definition, names),
        }
        for name in wanted
        if record.get(name) and (name != "owner_id" or definition.owner_field)
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@page
def new(request: HttpRequest, name: str) -> HttpResponse:
    """Create a record. GET parameters named after fields fill the form."""
    by = actor_of(request)
    definition, access = records.rights(name, by)
    access.require("create", definition)
    editable = access.editable(definition)
    if request.method != "POST":
        texts = forms.fresh(definition, by) | {k: str(v) for k, v in request.GET.items() if k in editable}
        return _form(request, definition, access, texts)
    texts = forms.posted(definition, editable, request.POST)
    try:
        texts |= forms.looked_up(definition, request.POST, texts, by=by)
        data = {key: forms.raw(definition.fields[key], text) for key, text in texts.items()}
        written = services.create(
            name, {k: v for k, v in data.items() if v is not None}, by=by, zone=forms.zone()
        )
    except Problem as problem:
        return _form(request, definition, access, texts, problem=problem)
    messages.success(request, _("%(label)s is created.") % {"label": definition.label_for(show.locale())})
    _tell(request, definition, written)
    if "another" in request.POST:
        return HttpResponseRedirect(reverse("portal:record-new", args=[name]))
    return HttpResponseRedirect(reverse("portal:record", args=[name, written.id]))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def edit(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Change a record; when somebody else saved first, both versions are shown to choose from."""
    by, ident, since = actor_of(request), record_id(key), live.here()
    definition, access = records.rights(name, by)
    record = records.get(definition, ident, by=by)
    access.require("edit", definition)
    if not judging.may(name, ident, by=by)["edit"]:
        raise Problem("PERMISSION_DENIED", _("You may read this record, but not change it."), status=403)
    texts = forms.defaults(definition, record)
    if request.method != "POST":
        return _form(request, definition, access, texts, record=record, since=since)
    sent = forms.posted(definition, access.editable(definition), request.POST)
    original = forms.original(definition, request.POST) or texts
    try:
        sent |= forms.looked_up(definition, request.POST, sent, by=by)
        sent = without_theirs(sent, request.POST)
        changes = forms.changed(definition, sent, original)
        if changes:
            expected = request.POST.get("match") or None
            written = services.update(name, ident, changes, by=by, if_match=expected, zone=forms.zone())
    except Problem as problem:
        if problem.code == CONFLICT:
            context = base(definition, record)
            return conflict_page(request, context, definition, sent, original, record, by=by)
        return _form(
            request, definition, access, texts | sent, record=record, problem=problem, original=original
        )
    if changes:
        messages.success(request, _("The changes are saved."))
        _tell(request, definition, written)
    return HttpResponseRedirect(reverse("portal:record", args=[name, key]))


def _tell(request: HttpRequest, definition: ObjectDef, written: services.Written) -> None:
    """Say what the rules warn of, and which inputs were not taken because they are read-only."""
    for told in written.told:
        messages.warning(request, told["message"])
    dropped = ", ".join(show.label(definition, name) for name in written.dropped)
    if dropped:
        messages.warning(
            request, _("Not saved, because it is read-only here: %(fields)s.") % {"fields": dropped}
        )


def _form(
    request: HttpRequest,
    definition: ObjectDef,
    access: Access,
    texts: dict[str, str],
    *,
    record: Mapping[str, Any] | None = None,
    problem: Problem | None = None,
    original: Mapping[str, str] | None = None,
    since: str = "",
) -> HttpResponse:
    by, members = actor_of(request), records.members()
    errors = forms.sentences(list(problem.fields)) if problem else {}
    looked_up = {f.name: texts[f.name] for f in definition.references if texts.get(f.name)}
    names = records.names_for(definition, [looked_up], looked_up, by=by)
    shown = forms.sections(
        definition, access.editable(definition), texts, errors=errors, names=names, members=members
    )
    labels = {item.name: item.label for section in shown for item in section.inputs}
    around = base(definition, record)
    back = (
        reverse("portal:record", args=[definition.name, record["id"]]) if record else around["crumbs"][0][1]
    )
    last = [(around["title"], back), (_("Edit"), "")] if record else [(_("New"), "")]
    context = around | {
        "looks": conditions.at_first(definition, texts, by=by, record=record),
        "crumbs": [*around["crumbs"], *last],
        "form_sections": shown,
        "problem": problem,
        "summary": [(n if n in labels else "", labels.get(n, n), text) for n, text in errors.items()],
        "match": request.POST.get("match") or (record["updated_at"] if record else ""),
        "original": (original or texts) if record else {},
        "back_href": back,
        "dirty": problem is not None,
        "live_after": since,
    }
    return render(request, "portal/form.html", context, status=problem.status if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def owner(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Hand a record to another member."""
    by, ident = actor_of(request), record_id(key)
    definition, _access = records.rights(name, by)
    record = records.get(definition, ident, by=by)
    context = base(definition, record) | {
        "members": records.members(),
        "href": reverse("portal:record", args=[name, key]),
    }
    if request.method != "POST":
        return render(request, "portal/owner.html", context)
    try:
        services.update(name, ident, {"owner_id": request.POST.get("owner_id") or None}, by=by)
    except Problem as problem:
        if problem.status == 400:
            return render(request, "portal/owner.html", context | {"problem": problem}, status=400)
        raise
    messages.success(request, _("The owner is changed."))
    try:
        records.get(definition, ident, by=by)
    except Problem:  # handed over, and no longer visible to who gave it
        return HttpResponseRedirect(reverse("portal:list", args=[name]))
    return HttpResponseRedirect(context["href"])


@require_http_methods(["GET", "HEAD", "POST"])
@page
def delete(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Ask, then delete; the list offers to undo it."""
    by, ident = actor_of(request), record_id(key)
    definition, access = records.rights(name, by)
    record = records.get(definition, ident, by=by)
    access.require("delete", definition)
    if request.method != "POST":
        return render(request, "portal/delete.html", base(definition, record))
    services.delete(name, ident, by=by)
    title = records.title_of(definition, record) or _("Untitled")
    undo = reverse("portal:record-restore", args=[name, key])
    messages.success(request, _("“%(title)s” is deleted.") % {"title": title}, extra_tags=undo)
    return HttpResponseRedirect(reverse("portal:list", args=[name]))
