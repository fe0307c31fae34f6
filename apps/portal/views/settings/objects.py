"""The object builder: what objects there are, what they are made of, and a draft that is published when it is right."""

import re
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import FieldError, Invalid, Problem
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.publish import PERMISSION
from apps.portal import designing, field_types, forms, show
from apps.portal import modules as module_names
from apps.portal.designing import Design, open_design
from apps.portal.navigation import icon_of
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base

SHARING = (
    ("private", gettext_lazy("Only one's own"), gettext_lazy("Members see the records they own.")),
    ("public_read", gettext_lazy("Everybody sees all"), gettext_lazy("Only the owner changes a record.")),
    (
        "public_read_write",
        gettext_lazy("Everybody sees and changes all"),
        gettext_lazy("As far as permission sets allow."),
    ),
)
WORDS = ("label", "pluralLabel", "description", "icon")
FIRST_FIELD = {"type": "text", "required": True}


def frame(request: HttpRequest, *crumbs: tuple[str, str]) -> dict[str, Any]:
    """Return the context of a page below Objects; 403 for who may not change definitions."""
    access_of(request).require_system(PERMISSION)
    context = base(request, "objects")
    if crumbs:
        above = [context["crumbs"][0], (context["heading"], reverse("portal:objects"))]
        context |= {"crumbs": [*above, *crumbs], "heading": crumbs[-1][0]}
    return context


def design_frame(request: HttpRequest, design: Design, *crumbs: tuple[str, str]) -> dict[str, Any]:
    """Return the context of a page about one object."""
    href = reverse("portal:object-design", args=[design.name])
    context = frame(request, (design.label, href if crumbs else ""), *crumbs)
    return context | {
        "design": design,
        "back_href": href,
        "module_label": module_names.labels().get(design.module or "", design.module),
        "icon_name": icon_of(design.definition) if design.definition else "box",
    }


@require_GET
@page
def objects(request: HttpRequest) -> HttpResponse:
    """List the objects, where they come from, and which drafts wait."""
    context = frame(request)
    rows = designing.overview()
    titles = module_names.labels()
    for row in rows:
        row["module_label"] = titles.get(row["module"] or "", row["module"])
    context |= {"rows": rows, "waiting": sum(1 for row in rows if row["draft"])}
    return render(request, "portal/settings/objects/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def new(request: HttpRequest) -> HttpResponse:
    """Begin an own object: it is a draft with one field until it is published."""
    context = frame(request, (_("New object"), ""))
    given: dict[str, Any] = {"sharingModel": "private"}
    if request.method == "POST":
        given = {key: request.POST.get(key, "").strip() for key in (*WORDS, "name", "sharingModel")}
        try:
            name = _begin(request, given)
        except Problem as problem:
            return _settings_form(request, context, given, problem)
        messages.success(request, _("The object is begun. Add its fields, then publish it."))
        return HttpResponseRedirect(reverse("portal:object-design", args=[name]))
    return _settings_form(request, context, given)


def _begin(request: HttpRequest, given: dict[str, Any]) -> str:
    if not given["label"]:
        raise Invalid(
            _("The object needs a name."), [FieldError("label", "required", _("The object needs a name."))]
        )
    name = given.pop("name") or "x_" + re.sub(r"[^a-z0-9]+", "_", given["label"].lower()).strip("_")
    if catalog().find(name) is not None:
        taken = _("There is an object %(name)s already.") % {"name": name}
        raise Invalid(taken, [FieldError("name", "unique", taken)])
    body = {"name": name} | {key: value for key, value in given.items() if value}
    designing.keep(
        name, body | {"fields": {"name": FIRST_FIELD | {"label": _("Name")}}}, by=actor_of(request)
    )
    return name


@require_http_methods(["GET", "HEAD", "POST"])
@page
def settings(request: HttpRequest, name: str) -> HttpResponse:
    """Change what an object is called and who sees its records."""
    design = open_design(name)
    context = design_frame(request, design, (_("Name and sharing"), ""))
    if request.method == "POST":
        given = {key: request.POST.get(key, "").strip() for key in WORDS}
        body = designing.edited(design)
        body |= {key: value for key, value in given.items() if value or key in body}
        body = {key: value for key, value in body.items() if key not in WORDS or value}
        if design.base is None:
            body["sharingModel"] = request.POST.get("sharingModel") or body.get("sharingModel", "private")
        body |= _columns(request, design)
        try:
            designing.keep(name, body, by=actor_of(request))
        except Problem as problem:
            return _settings_form(request, context, body, problem)
        return kept(request, name)
    return _settings_form(request, context, dict(design.body))


def _columns(request: HttpRequest, design: Design) -> dict[str, Any]:
    """Return what was chosen about title and list, where it differs from what holds anyway."""
    if design.definition is None:
        return {}
    name, columns = request.POST.get("nameField", ""), request.POST.getlist("highlightFields")
    found: dict[str, Any] = {}
    if name and name != design.definition.name_field:
        found["nameField"] = name
    if columns and columns != list(design.definition.highlight_fields):
        found["highlightFields"] = columns
    return found


def _settings_form(
    request: HttpRequest, context: dict[str, Any], given: dict[str, Any], problem: Problem | None = None
) -> HttpResponse:
    design: Design | None = context.get("design")
    definition = design.definition if design else None
    context |= {
        "given": given,
        "sharing": SHARING,
        "fields": [(f, show.label(definition, f.name)) for f in definition.fields.values()]
        if definition
        else [],
        "name_field": definition.name_field if definition else "",
        "columns": list(definition.highlight_fields) if definition else [],
        "problem": problem,
        "errors": {e.field: e.message for e in problem.fields} if problem else {},
        "summary": [(e.field, e.label or e.field, e.message) for e in problem.fields] if problem else [],
    }
    status = problem.status if problem else 200
    return render(request, "portal/settings/objects/settings.html", context, status=status)


@require_GET
@page
def design(request: HttpRequest, name: str) -> HttpResponse:
    """Show an object with its sections and fields, the draft's changes, and how form and list will look."""
    found = open_design(name)
    context = design_frame(request, found)
    context |= {"sections": found.lines(), "changes": len(found.changes), "preview": None}
    if found.definition is not None:
        context["preview"] = _preview(found.definition)
    return render(request, "portal/settings/objects/design.html", context)


def _preview(definition: ObjectDef) -> dict[str, Any]:
    """Return the form and the list of a definition, as members will see them."""
    editable = frozenset(definition.fields)
    view = definition.default_view
    sections = forms.sections(definition, editable, {}, errors={}, names=show.Names(), members={})
    return {
        "sections": sections,
        "columns": [show.label(definition, name) for name in view.columns],
        "plural": definition.label_for(show.locale(), plural=True),
    }


@require_POST
@page
def sections(request: HttpRequest, name: str) -> HttpResponse:
    """Add a section to the form, or rename one."""
    found = open_design(name)
    frame(request)
    body = designing.edited(found)
    label, key = request.POST.get("label", "").strip(), request.POST.get("key", "")
    groups = [dict(group) for group in body.get("fieldGroups", [])]
    if not label:
        raise Invalid(_("The section needs a title."))
    known = [group for group in groups if group["key"] == key]
    if known:
        known[0]["label"] = label
    else:
        made = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:40] or "section"
        taken = {group["key"] for group in groups}
        made = next(word for word in (made, *(f"{made}_{n}" for n in range(2, 99))) if word not in taken)
        groups.append({"key": made if made[0].isalpha() else f"s_{made}", "label": label})
    designing.keep(name, body | {"fieldGroups": groups}, by=actor_of(request))
    return kept(request, name)


@require_GET
@page
def types(request: HttpRequest, name: str) -> HttpResponse:
    """Choose the type of a new field."""
    context = design_frame(request, open_design(name), (_("New field"), ""))
    return render(request, "portal/settings/objects/types.html", context | {"picker": field_types.picker()})


def kept(request: HttpRequest, name: str) -> HttpResponseRedirect:
    """Go back to the design page after a change of the draft."""
    messages.success(request, _("Kept in the draft. It is in force once you publish it."))
    return HttpResponseRedirect(reverse("portal:object-design", args=[name]))
