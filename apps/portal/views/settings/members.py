"""Members of the tenant and open invitations."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import NotFound, Problem
from apps.core.scope import current_tenant
from apps.identity import queries, rules
from apps.identity.models import Role
from apps.identity.services import invitations
from apps.identity.services import members as services
from apps.permissions import queries as permissions
from apps.permissions import services as sets
from apps.portal.views.frame import actor_of, identity_of, page
from apps.portal.views.settings.frame import access_of, base

PAGE = 50
ROLES = [(role.value, role.label) for role in Role]


@require_GET
@page
def index(request: HttpRequest) -> HttpResponse:
    """Open the settings at their first page."""
    return HttpResponseRedirect(reverse("portal:members"))


@require_GET
@page
def members(request: HttpRequest) -> HttpResponse:
    """List the members and who was invited."""
    return render(request, "portal/settings/members.html", _context(request))


def _context(request: HttpRequest, **more: Any) -> dict[str, Any]:
    held, labels = permissions.assignments(), {s.name: s.label for s in permissions.permission_sets()}
    text, manager = request.GET.get("q", "").strip().casefold(), may_manage(request)
    start = int(request.GET.get("from", "0")) if request.GET.get("from", "0").isdigit() else 0
    rows = [
        {"member": m, "sets": [labels.get(name, name) for name in held.get(m.user_id, [])]}
        for m in queries.members()
        if not text or text in f"{m.user.name} {m.user.email}".casefold()
    ]
    return base(request, "members") | {
        "rows": rows[start : start + PAGE],
        "total": len(rows),
        "next": start + PAGE if len(rows) > start + PAGE else None,
        "previous": max(0, start - PAGE) if start else None,
        "search": request.GET.get("q", ""),
        "may_manage": manager,
        "invitations": queries.open_invitations() if manager else [],
        "roles": ROLES,
        "me": identity_of(request).user_id,
        **more,
    }


def may_manage(request: HttpRequest) -> bool:
    """Say whether who asks manages the members."""
    return bool(rules.may_manage_members(actor_of(request), current_tenant().id))


@require_POST
@page
def invite(request: HttpRequest) -> HttpResponse:
    """Invite an address and show the link once, to copy."""
    email, role = request.POST.get("email", ""), request.POST.get("role", Role.MEMBER)
    try:
        made = invitations.invite(email=email, role=role, by=actor_of(request))
    except Problem as problem:
        if problem.status not in (400, 409) and problem.code != "QUOTA_EXCEEDED":
            raise
        context = _context(request, problem=problem, email=email, role=role)
        return render(request, "portal/settings/members.html", context, status=problem.status)
    return render(request, "portal/settings/members.html", _context(request, invited=made))


@require_POST
@page
def revoke(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    """Withdraw an invitation."""
    invitations.revoke(invitation_id=invitation_id, by=actor_of(request))
    messages.success(request, _("The invitation is withdrawn."))
    return HttpResponseRedirect(reverse("portal:members"))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def member(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show one member; change the role and the permission sets, suspend, open again, remove."""
    found = queries.membership_of(user_id)
    if found is None:
        raise NotFound(_("There is no such member."))
    problem = None
    if request.method == "POST":
        try:
            said = _change(request, user_id)
        except Problem as refused:
            if refused.status not in (400, 409) and refused.code != "QUOTA_EXCEEDED":
                raise
            problem = refused
        else:
            messages.success(request, said)
            if request.POST.get("action") == "remove":
                return HttpResponseRedirect(reverse("portal:members"))
            return HttpResponseRedirect(request.path)
    held = permissions.assignments().get(user_id, [])
    context = base(request, "members") | {
        "member": found,
        "roles": ROLES,
        "may_manage": may_manage(request),
        "may_assign": access_of(request).has_system("manage_permissions"),
        "sets": [{"set": s, "held": s.name in held} for s in permissions.permission_sets()],
        "problem": problem,
        "me": identity_of(request).user_id,
        "confirm": request.GET.get("confirm", ""),
    }
    crumbs = [*context["crumbs"][:1], (_("Members"), reverse("portal:members")), (str(found.user), "")]
    status = problem.status if problem else 200
    return render(request, "portal/settings/member.html", context | {"crumbs": crumbs}, status=status)


def _change(request: HttpRequest, user_id: UUID) -> str:
    by, action = actor_of(request), request.POST.get("action", "")
    if action == "role":
        services.change_role(user_id=user_id, role=request.POST.get("role", ""), by=by)
        return _("The role is changed.")
    if action == "suspend":
        services.suspend(user_id=user_id, by=by)
        return _("The member is suspended. Their sessions have ended; their records stay.")
    if action == "reactivate":
        services.reactivate(user_id=user_id, by=by)
        return _("The member may sign in again.")
    if action == "remove":
        services.remove(user_id=user_id, by=by)
        return _("The member is removed. Their records stay.")
    if action == "sets":
        held, wanted = set(permissions.assignments().get(user_id, [])), set(request.POST.getlist("sets"))
        for name in wanted - held:
            sets.assign(user_id=user_id, name=name, by=by)
        for name in held - wanted:
            sets.unassign(user_id=user_id, name=name, by=by)
        return _("The permission sets are changed.")
    raise Problem("INVALID_REQUEST", _("There is no such action."))
