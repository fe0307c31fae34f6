"""One field of an object under design: its form, its place, its end."""

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.core.errors import FieldError, Invalid, NotFound, Problem
from apps.objects.kinds import public_kinds
from apps.portal import designing, field_forms, field_types
from apps.portal.designing import Design, open_design
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.objects import design_frame, kept


@require_http_methods(["GET", "HEAD", "POST"])
@page
def new(request: HttpRequest, name: str, type_: str) -> HttpResponse:
    """Add a field of a type."""
    if type_ not in public_kinds():
        raise NotFound(field_types.unknown(type_[:40]))
    design = open_design(name)
    context = design_frame(request, design, (_("New field"), "")) | {"fresh": True, "own": True}
    if request.method != "POST":
        return _form(request, context, type_, "", {})
    field = request.POST.get("name", "").strip() or _named(request.POST.get("label", ""), design)
    spec: dict[str, Any] = {}
    try:
        spec = field_forms.read(type_, {}, request.POST, own=True)
        if field in design.body.get("fields", {}):
            taken = _("There is a field %(name)s already.") % {"name": field}
            raise Invalid(taken, [FieldError("name", "unique", taken)])
        body = designing.edited(design)
        body["fields"][field] = spec
        designing.keep(name, body, by=actor_of(request))
    except Problem as problem:
        return _form(request, context, type_, field, spec, problem)
    return kept(request, name)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def one(request: HttpRequest, name: str, field: str) -> HttpResponse:
    """Change a field, move it, or remove an own one."""
    design = open_design(name)
    before = design.body.get("fields", {}).get(field)
    if before is None:
        raise NotFound(_("There is no such field."))
    context = design_frame(request, design, (before.get("label") or field, "")) | {
        "fresh": False,
        "own": design.owns(field),
        "in_force": design.in_force is not None and field in design.in_force.fields,
    }
    if request.method != "POST":
        return _form(request, context, before["type"], field, before)
    body, spec = designing.edited(design), dict(before)
    try:
        match request.POST.get("action", "save"):
            case "remove":
                del body["fields"][field]
            case "up" | "down" as way:
                body["fields"] = _moved(body["fields"], field, -1 if way == "up" else 1)
            case _:
                spec = field_forms.read(before["type"], before, request.POST, own=context["own"])
                body["fields"][field] = _as_written(before, spec)
        designing.keep(name, body, by=actor_of(request))
    except Problem as problem:
        return _form(request, context, before["type"], field, spec, problem)
    return kept(request, name)


def _as_written(before: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """Return the field without keys that were not there before and say nothing, and with `false` where it was said."""
    return spec | {key: value for key, value in before.items() if value is False and key not in spec}


def _moved(fields: dict[str, Any], name: str, by: int) -> dict[str, Any]:
    """Return the fields with one of them a place further up or down among those of its section."""
    names, group = list(fields), fields[name].get("group")
    beside = [other for other in names if fields[other].get("group") == group]
    place = beside.index(name) + by
    if not 0 <= place < len(beside):
        return fields
    one, other = names.index(name), names.index(beside[place])
    names[one], names[other] = names[other], names[one]
    return {key: fields[key] for key in names}


def _named(label: str, design: Design) -> str:
    """Return a name made of a label that no field has yet."""
    made = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:40] or "field"
    made = made if made[0].isalpha() else f"f_{made}"
    taken = design.body.get("fields", {})
    return next(word for word in (made, *(f"{made}_{n}" for n in range(2, 400))) if word not in taken)


def _form(
    request: HttpRequest,
    context: dict[str, Any],
    type_: str,
    field: str,
    spec: dict[str, Any],
    problem: Problem | None = None,
) -> HttpResponse:
    errors = {e.field: e.message for e in problem.fields} if problem else {}
    design: Design = context["design"]
    context |= field_forms.shown(type_, spec, errors, own=context["own"]) | {
        "card": field_types.card(type_),
        "field": field,
        "given": spec,
        "groups": [
            (group["key"], group.get("label", group["key"])) for group in design.body.get("fieldGroups", [])
        ],
        "targets": designing.references(),
        "problem": problem,
        "summary": [(e.field, e.label or e.field, e.message) for e in problem.fields] if problem else [],
    }
    if problem and request.method == "POST":
        context["posted"] = request.POST
        context["options"] = request.POST.get("options", context["options"])
        context["rest"] = request.POST.get("rest", context["rest"])
        context["given"] = {
            **spec,
            **{key: request.POST.get(key, "") for key in ("label", "description", "group", "reference")},
        }
    status = problem.status if problem else 200
    return render(request, "portal/settings/objects/field.html", context, status=status)
