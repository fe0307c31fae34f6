"""Rules about records: what opens them to groups of people, and what closes them whoever may do what."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.core.errors import Problem
from apps.objects.catalog import catalog
from apps.permissions import sharing, walls
from apps.permissions.granting import PERMISSION
from apps.permissions.models import Restriction, SharingRule
from apps.permissions.principals import EVERYONE
from apps.permissions.walls import ANY_OBJECT
from apps.portal import access, show
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base


@require_http_methods(["GET", "HEAD", "POST"])
@page
def overview(request: HttpRequest) -> HttpResponse:
    """Show sharing rules and restrictions to managers of permissions, who may add and remove them here."""
    access_of(request).require_system(PERMISSION)
    problem = None
    if request.method == "POST":
        try:
            _act(request)
            return HttpResponseRedirect(reverse("portal:record-rules"))
        except Problem as refused:
            if refused.status not in (400, 409):
                raise
            problem = refused
    choices = access.principals()
    words = access.words_of(choices)
    titles = {item.name: item.label_for(show.locale(), plural=True) for item in catalog()}
    context = base(request, "record-rules") | {
        "rules": [_rule(row, words, titles) for row in SharingRule.objects.all()],
        "walls": [_wall(row, words, titles) for row in Restriction.objects.all()],
        "choices": choices,
        "levels": access.levels(),
        "operations": access.OPERATIONS,
        "objects": sorted(titles.items(), key=lambda pair: pair[1].casefold()),
        "given": request.POST,
        "ticked": request.POST.getlist("operations"),
        "problem": problem,
    }
    return render(
        request, "portal/settings/record_rules.html", context, status=problem.status if problem else 200
    )


def _act(request: HttpRequest) -> None:
    by, given = actor_of(request), request.POST
    name = given.get("name", "").strip()
    match given.get("action", ""):
        case "end-rule":
            sharing.delete_rule(name=name, by=by)
            messages.success(request, _("The rule is deleted."))
        case "end-wall":
            walls.delete_restriction(name=name, by=by)
            messages.success(request, _("The restriction is deleted."))
        case "wall":
            walls.put_restriction(
                name=name,
                label=given.get("label", "").strip()[:120],
                object_name=given.get("object", ""),
                operations=given.getlist("operations"),
                criteria=given.get("criteria", "").strip() or None,
                principal=given.get("principal", EVERYONE),
                by=by,
            )
            messages.success(request, _("The restriction stands. Nothing can widen it."))
        case _:
            sharing.put_rule(
                name=name,
                label=given.get("label", "").strip()[:120],
                object_name=given.get("object", ""),
                criteria=given.get("criteria", "").strip() or None,
                owners=given.get("owners", ""),
                principal=given.get("principal", ""),
                level=access.level(given.get("level", "")),
                by=by,
            )
            messages.success(request, _("The rule is in force."))


def _rule(row: SharingRule, words: dict[str, str], titles: dict[str, str]) -> dict[str, Any]:
    return {
        "row": row,
        "object": titles.get(row.object_name, row.object_name),
        "who": access.named(row.principal, words),
        "owners": access.named(row.owners, words) if row.owners else "",
        "condition": row.criteria,
    }


def _wall(row: Restriction, words: dict[str, str], titles: dict[str, str]) -> dict[str, Any]:
    labels = dict(access.OPERATIONS)
    every = _("All objects") if row.object_name == ANY_OBJECT else row.object_name
    return {
        "row": row,
        "object": titles.get(row.object_name, every),
        "who": access.named(row.principal, words),
        "operations": [labels.get(op, op) for op in row.operations],
        "fields": row.fields,
        "condition": row.criteria,
    }
