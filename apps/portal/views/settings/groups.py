"""Roles and teams: who stands above whom, who belongs where, and which permission sets come with it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.core.errors import Invalid, NotFound, Problem
from apps.permissions import groups as services
from apps.permissions.granting import PERMISSION
from apps.permissions.models import Group
from apps.permissions.queries import permission_sets
from apps.portal import access
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base


@require_http_methods(["GET", "HEAD", "POST"])
@page
def overview(request: HttpRequest) -> HttpResponse:
    """Show both trees to managers of permissions, and make a new role or team."""
    access_of(request).require_system(PERMISSION)
    problem = None
    if request.method == "POST":
        try:
            made = _save(request, request.POST.get("name", "").strip())
            messages.success(request, _("“%(name)s” is saved.") % {"name": made.label})
            return HttpResponseRedirect(reverse("portal:group", args=[made.name]))
        except Problem as refused:
            problem = _kept(refused)
    rows = list(Group.objects.select_related("parent").prefetch_related("members"))
    context = base(request, "groups") | {
        "trees": [
            (_("Roles"), "hierarchy-2", _tree(rows, "role")),
            (_("Teams"), "users-group", _tree(rows, "team")),
        ],
        "any": bool(rows),
        "parents": rows,
        "given": request.POST,
        "problem": problem,
    }
    return render(request, "portal/settings/groups.html", context, status=problem.status if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def one(request: HttpRequest, name: str) -> HttpResponse:
    """Show one role or team; its members and sets may be changed here."""
    access_of(request).require_system(PERMISSION)
    group, problem = services.find(name), None
    if request.method == "POST":
        try:
            return _act(request, group)
        except Problem as refused:
            problem = _kept(refused)
            group.refresh_from_db()
    people = access.members()
    names = {choice.value: choice.label for choice in people}
    belonging: list[dict[str, Any]] = [
        {"row": row, "name": names.get(str(row.user_id), _("former member"))}
        for row in group.members.order_by("created_at")
    ]
    held = {str(item["row"].user_id) for item in belonging}
    context = base(request, "groups") | {
        "group": group,
        "members": belonging,
        "people": [choice for choice in people if choice.value not in held],
        "parents": [row for row in Group.objects.filter(kind=group.kind) if row.pk != group.pk],
        "sets": [
            (item.name, _(item.label) if item.built_in else item.label, item.name in group.sets)
            for item in permission_sets()
        ],
        "problem": problem,
    }
    crumbs = [
        *context["crumbs"][:1],
        (_("Roles and teams"), reverse("portal:groups")),
        (group.label, ""),
    ]
    return render(
        request,
        "portal/settings/group.html",
        context | {"crumbs": crumbs},
        status=problem.status if problem else 200,
    )


def _kept(refused: Problem) -> Problem:
    """Return a refusal that the form shows; others become a page of their own."""
    if refused.status not in (400, 403, 409):
        raise refused
    return refused


def _act(request: HttpRequest, group: Group) -> HttpResponse:
    by, action = actor_of(request), request.POST.get("action", "")
    if action == "delete":
        services.delete_group(name=group.name, by=by)
        messages.success(request, _("It is deleted."))
        return HttpResponseRedirect(reverse("portal:groups"))
    if action == "join":
        until = access.until(request.POST.get("until", ""))
        services.join(name=group.name, user_id=_person(request), valid_until=until, by=by)
        messages.success(request, _("They belong to it now."))
    elif action == "leave":
        services.leave(name=group.name, user_id=_person(request), by=by)
        messages.success(request, _("They belong to it no longer."))
    else:
        _save(request, group.name, group)
        messages.success(request, _("“%(name)s” is saved.") % {"name": group.label})
    return HttpResponseRedirect(reverse("portal:group", args=[group.name]))


def _save(request: HttpRequest, name: str, group: Group | None = None) -> Group:
    given = request.POST
    kind = group.kind if group is not None else given.get("kind", "")
    if kind not in ("role", "team"):
        raise Invalid(_("Choose a role or a team."))
    return services.put_group(
        name=name,
        kind="role" if kind == "role" else "team",
        label=given.get("label", "").strip()[:120],
        parent=given.get("parent") or None,
        sets=given.getlist("sets"),
        inherits="inherits" in given,
        by=actor_of(request),
    )


def _person(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("person", ""))
    except ValueError:
        raise NotFound(_("There is no such member.")) from None


def _tree(rows: list[Group], kind: str) -> list[dict[str, Any]]:
    """Return the groups of a kind, each below its parent, with how deep it stands."""
    children: dict[Any, list[Group]] = {}
    for row in rows:
        if row.kind == kind:
            children.setdefault(row.parent_id, []).append(row)
    made: list[dict[str, Any]] = []

    def walk(parent: Any, depth: int) -> None:
        for row in children.get(parent, ()):
            made.append({"row": row, "depth": min(depth, 6), "count": len(row.members.all())})
            walk(row.pk, depth + 1)

    walk(None, 0)
    return made
