"""What a draft would do, bringing it into force, and the way back: the pages that change tables."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import Conflict, Invalid, NotFound, Problem
from apps.objects.design import history, saving
from apps.objects.design.saving import Wanted
from apps.objects.overlay import keeping
from apps.objects.schema import Plan
from apps.portal.designing import Design, open_design, told
from apps.portal.views.frame import actor_of, changes_schema, page
from apps.portal.views.settings.objects import design_frame

TONES = {"safe": "green", "backfill": "amber", "breaking": "red"}


@changes_schema
@require_http_methods(["GET", "HEAD", "POST"])
@page
def review(request: HttpRequest, name: str) -> HttpResponse:
    """Show what publishing would do, step by step; then do it."""
    design = open_design(name)
    context = design_frame(request, design, (_("Review and publish"), ""))
    if design.draft is None:
        return HttpResponseRedirect(context["back_href"])
    return _act(
        request,
        context,
        design,
        lambda: saving.wanted_by_draft(name),
        {"changes": told(design.changes), "clashes": design.draft.clashes, "version": None},
        _("%(object)s is published.") % {"object": design.label},
    )


@changes_schema
@require_http_methods(["GET", "HEAD", "POST"])
@page
def revert(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Show what bringing an earlier version back would do; then do it."""
    design = open_design(name)
    title = _("Back to version %(number)s") % {"number": number}
    context = design_frame(request, design, (title, ""))
    if design.in_force is None:
        raise NotFound(_("There is no such object."))
    changes = history.diff(design.in_force.body, history.version(name, number).body)
    return _act(
        request,
        context,
        design,
        lambda: saving.wanted_by_version(name, number),
        {"changes": told(changes), "clashes": (), "version": number},
        _("Version %(number)s is in force again.") % {"number": number},
    )


def _act(
    request: HttpRequest,
    context: dict[str, Any],
    design: Design,
    want: Callable[[], Wanted],
    more: dict[str, Any],
    done: str,
) -> HttpResponse:
    """Plan and show, or publish; whoever lets data go types the object's name."""
    problem: Problem | None = None
    plan: Plan | None = None
    wanted: Wanted | None = None
    try:
        wanted = want()
        plan = saving.plan(wanted)
        if request.method == "POST":
            _publish(request, design, wanted, plan, "revert" if more["version"] else "publish")
            messages.success(request, done)
            return HttpResponseRedirect(context["back_href"])
    except Problem as caught:
        if caught.status not in (400, 409, 422):
            raise
        problem = caught
    steps = [
        {"sentence": step.sentence, "risk": step.risk, "tone": TONES[step.risk], "loses": step.destructive}
        for step in (plan.steps if plan else ())
    ]
    context |= more | {
        "problem": problem,
        "summary": [],
        "plan": plan,
        "steps": steps,
        "seen": wanted.definition.checksum if wanted else "",
        "losses": len(plan.destructive) if plan else 0,
    }
    status = problem.status if problem and request.method == "POST" else 200
    return render(request, "portal/settings/objects/review.html", context, status=status)


def _publish(request: HttpRequest, design: Design, wanted: Wanted, plan: Plan, operation: str) -> None:
    seen = request.POST.get("seen", "")
    if seen != wanted.definition.checksum:
        raise Conflict(
            _("The definition was changed since you looked at it."), cure=_("Look at the steps again.")
        )
    if plan.destructive and request.POST.get("confirm", "").strip() != design.name:
        raise Invalid(_("Type %(name)s to let the values go.") % {"name": design.name})
    saving.put(wanted, by=actor_of(request), allow_destructive=bool(plan.destructive), operation=operation)


@require_POST
@page
def discard(request: HttpRequest, name: str) -> HttpResponse:
    """Throw the draft away."""
    design = open_design(name)
    design_frame(request, design)
    saving.discard(name, by=actor_of(request))
    messages.success(request, _("The draft is discarded."))
    if design.in_force is None:
        return HttpResponseRedirect(reverse("portal:objects"))
    return HttpResponseRedirect(reverse("portal:object-design", args=[name]))


@require_GET
@page
def versions(request: HttpRequest, name: str) -> HttpResponse:
    """Show every version of a definition: who, when, what it did; compare two of them."""
    design = open_design(name)
    context = design_frame(request, design, (_("History"), ""))
    rows = history.versions(name)
    numbers = {row.version for row in rows}
    since, to = (int(text) if text.isdigit() and int(text) in numbers else 0 for text in (
        request.GET.get("from", ""), request.GET.get("to", "")))  # fmt: skip
    compared = (
        history.diff(history.version(name, since).body, history.version(name, to).body)
        if since and to
        else None
    )
    layer = keeping.find(name) if design.module else None
    context |= {
        "rows": [
            {
                "version": row,
                "steps": [step["sentence"] for step in row.plan.get("steps", [])],
                "who": row.actor.get("label", ""),
            }
            for row in rows
        ],
        "newest": rows[0].version if rows else 0,
        "since": since,
        "to": to,
        "compared": told(compared) if compared is not None else None,
        "settled": layer.told if layer else [],
    }
    return render(request, "portal/settings/objects/history.html", context)
