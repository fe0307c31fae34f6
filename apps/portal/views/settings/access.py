"""Who may do what: one member's rights on every object, and why, layer by layer."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.core.errors import Problem
from apps.identity import queries as people
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.permissions import emergency, matrix, proposals
from apps.permissions.directory import directory
from apps.permissions.explain import explain
from apps.permissions.granting import PERMISSION, require_member
from apps.permissions.proposals import Proposal
from apps.permissions.queries import permission_sets
from apps.portal import access, show
from apps.portal.views.frame import actor_of, identity_of, page, record_id
from apps.portal.views.settings.frame import access_of, base


@require_http_methods(["GET", "HEAD", "POST"])
@page
def overview(request: HttpRequest) -> HttpResponse:
    """Show the matrix of one member, of others only to managers of permissions; take or end emergency access."""
    problem = None
    if request.method == "POST":
        try:
            _act(request)
            return HttpResponseRedirect(reverse("portal:access"))
        except Problem as refused:
            if refused.status not in (400, 409):
                raise
            problem = refused
    manages = access_of(request).has_system(PERMISSION)
    me = identity_of(request).user_id
    asked = record_id(request.GET["who"]) if request.GET.get("who") else me
    if asked != me:
        access_of(request).require_system(PERMISSION)
        require_member(asked)
    objects = sorted(catalog(), key=lambda found: found.label_for(show.locale(), plural=True).casefold())
    (row,) = matrix.of_members([asked], objects)
    labels = {item.name: _(item.label) if item.built_in else item.label for item in permission_sets()}
    context = base(request, "access") | {
        "people": access.members() if manages else [],
        "asked": str(asked),
        "operations": [(op, label) for op, label in access.OPERATIONS],
        "sets": [labels.get(name, name) for name in row.sets],
        "rows": [_row(cell, definition) for cell, definition in zip(row.cells, objects, strict=True)],
        "objects": [(item.name, item.label_for(show.locale(), plural=True)) for item in objects],
        "may_break": access_of(request).has_system(emergency.PERMISSION),
        "emergencies": _emergencies(me, manages=manages),
        "given": request.POST,
        "problem": problem,
        **_why(request, asked, manages=manages),
    }
    return render(request, "portal/settings/access.html", context, status=problem.status if problem else 200)


def _act(request: HttpRequest) -> None:
    by, given = actor_of(request), request.POST
    if given.get("action") == "mend":
        emergency.mend_glass(user_id=record_id(given.get("person", "")), by=by)
        messages.success(request, _("The emergency access is over."))
        return
    minutes = given.get("minutes", "")
    wanted = int(minutes) if minutes.isascii() and minutes.isdigit() and len(minutes) < 5 else 0
    emergency.break_glass(reason=given.get("reason", ""), minutes=wanted, by=by)
    messages.success(request, _("You have emergency access. Those who manage permissions have been told."))


def _emergencies(me: UUID, *, manages: bool) -> list[dict[str, Any]]:
    """Return the emergencies that stand: one's own, for managers all."""
    rows = [row for row in emergency.standing() if manages or row.user_id == me]
    names = people.names_of([row.user_id for row in rows])
    return [{"row": row, "name": names.get(row.user_id, _("former member"))} for row in rows]


def _row(cell: matrix.Cell, definition: ObjectDef) -> dict[str, Any]:
    labels = [show.label(definition, name) for name in cell.hidden if name in definition.fields]
    return {
        "name": cell.object,
        "label": definition.label_for(show.locale(), plural=True),
        "levels": [(op, *access.WIDTHS[width]) for op, width in cell.levels],
        "hidden": labels,
    }


def _why(request: HttpRequest, asked: UUID, *, manages: bool) -> dict[str, Any]:
    """Return the explanation of one cell, and for managers the smallest grants where it says no."""
    operations = {str(op): op for op, _label in access.OPERATIONS}
    obj, op = catalog().find(request.GET.get("object", "")), operations.get(request.GET.get("op", ""))
    if obj is None or op is None:
        return {}
    told = explain(proposals.access_with(asked, None, obj), op, obj)
    reaches = told.allowed and told.layers[-1].verdict != "denies"
    suggestions = []
    if manages and not reaches:
        found = proposals.suggest(asked, op, obj, lambda _access: None, list(catalog()))
        suggestions = [_suggestion(item.proposal) for item in found]
    return {
        "why": {
            "object": obj.name,
            "op": op,
            "allowed": reaches,
            "title": obj.label_for(show.locale(), plural=True),
            "act": dict(access.OPERATIONS)[op],
            "layers": access.layers(told),
        },
        "suggestions": suggestions,
    }


def _suggestion(proposal: Proposal) -> str:
    groups = directory.get().groups
    labels = {item.name: _(item.label) if item.built_in else item.label for item in permission_sets()}
    if proposal.kind == "join":
        return _("Let them belong to “%(name)s”.") % {"name": groups[proposal.name].label}
    if proposal.kind == "assign":
        return _("Give them the permission set “%(name)s”.") % {
            "name": labels.get(proposal.name, proposal.name)
        }
    return _("Make a permission set that allows just this, and give it to them.")
