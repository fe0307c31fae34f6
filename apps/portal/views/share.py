"""Sharing one record: with whom, how far, how long, and why somebody sees it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.core.errors import Problem
from apps.objects.definitions import ObjectDef
from apps.objects.records import judging, sharing
from apps.permissions import proposals
from apps.permissions.explain import explain
from apps.permissions.granting import PERMISSION, require_member
from apps.portal import access, records
from apps.portal.views.frame import actor_of, identity_of, page, record_id
from apps.portal.views.record import base


@require_http_methods(["GET", "HEAD", "POST"])
@page
def share(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Show the shares of a record to whoever may read it; whoever may change it may change them."""
    by, ident, problem = actor_of(request), record_id(key), None
    if request.method == "POST":
        try:
            _save(request, name, ident)
            return HttpResponseRedirect(reverse("portal:record-share", args=[name, key]))
        except Problem as refused:
            if refused.status not in (400, 409):
                raise
            problem = refused
    definition, _rights = records.rights(name, by)
    record = records.get(definition, ident, by=by)
    choices = access.principals()
    words = access.words_of(choices)
    around = base(definition, record)
    context = around | {
        "crumbs": [
            *around["crumbs"],
            (around["title"], reverse("portal:record", args=[name, key])),
            (_("Share"), ""),
        ],
        "shares": [
            {"row": row, "who": access.named(row.principal, words)}
            for row in sharing.shares(name, ident, by=by)
        ],
        "choices": choices,
        "levels": access.levels(),
        "may": judging.may(name, ident, by=by),
        "given": request.POST,
        "problem": problem,
        **_explained(request, definition, ident),
    }
    return render(request, "portal/share.html", context, status=problem.status if problem else 200)


def _save(request: HttpRequest, name: str, ident: UUID) -> None:
    by, given = actor_of(request), request.POST
    if given.get("action") == "end":
        sharing.unshare(name, ident, record_id(given.get("share", "")), by=by)
        messages.success(request, _("It is shared no longer."))
        return
    sharing.share(
        name,
        ident,
        principal=given.get("principal", ""),
        level=access.level(given.get("level", "")),
        reason=given.get("reason", "").strip()[:500],
        valid_until=access.until(given.get("until", "")),
        by=by,
    )
    messages.success(request, _("The record is shared."))


def _explained(request: HttpRequest, definition: ObjectDef, ident: UUID) -> dict[str, Any]:
    """Return why somebody may see or change the record: oneself, or for managers of permissions anybody."""
    by = actor_of(request)
    _definition, mine = records.rights(definition.name, by)
    me = identity_of(request).user_id
    asked = record_id(request.GET["who"]) if request.GET.get("who") else me
    if asked != me:
        mine.require_system(PERMISSION)
        require_member(asked)
    theirs = mine if asked == me else proposals.access_with(asked, None, definition)
    row = judging.judge(definition.name, ident, by=by)(theirs)
    told = [
        {"label": label, "allowed": found.allowed, "layers": access.layers(found), "reason": found.reason}
        for op, label in access.OPERATIONS
        if op in ("read", "edit", "delete")
        for found in [explain(theirs, op, definition, row)]
    ]
    people = access.members() if mine.has_system(PERMISSION) else []
    return {"told": told, "people": people, "asked": str(asked), "is_me": asked == me}
