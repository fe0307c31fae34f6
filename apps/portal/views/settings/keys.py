"""API keys: made here, shown once, revoked here."""

import datetime as dt
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from apps.core.errors import Invalid, Problem
from apps.core.scope import current_tenant
from apps.identity import queries, rules
from apps.identity.services import keys as services
from apps.portal.views.frame import actor_of, identity_of, page
from apps.portal.views.settings.frame import base

LIFETIMES = (
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
    ("365", gettext_lazy("One year")),
    ("", gettext_lazy("No end")),
)
SCOPES = (
    ("*", gettext_lazy("Everything that you may do")),
    ("data:read", gettext_lazy("Read records")),
    ("data:*", gettext_lazy("Read and change records")),
    ("metadata:read", gettext_lazy("Read definitions")),
)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def keys(request: HttpRequest) -> HttpResponse:
    """List the keys; make one and show it this one time."""
    by = actor_of(request)
    everybody = bool(rules.may_manage_members(by, current_tenant().id))
    context = base(request, "keys") | {"lifetimes": LIFETIMES, "scopes": SCOPES, "everybody": everybody}
    if request.method == "POST":
        days = request.POST.get("days", "")
        expires = timezone.now() + dt.timedelta(days=int(days)) if days.isdigit() else None
        name, scopes = request.POST.get("name", ""), request.POST.getlist("scopes")
        try:
            if not scopes:  # none ticked must not mean everything
                raise Invalid(_("Choose at least one scope."), code="VALIDATION_FAILED")
            context["made"] = services.create_key(name=name, scopes=scopes, expires_at=expires, by=by)
        except Problem as problem:
            if problem.status != 400:
                raise
            context |= {"problem": problem, "name": name}
    found, words = queries.keys_of(None if everybody else identity_of(request).user_id), dict(SCOPES)
    context["keys"] = [
        {"key": key, "scopes": [words.get(scope, scope) for scope in key.scopes]} for key in found
    ]
    response = render(
        request, "portal/settings/keys.html", context, status=400 if "problem" in context else 200
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@page
def revoke(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """Revoke a key at once."""
    services.revoke_key(key_id=key_id, by=actor_of(request))
    messages.success(request, _("The key is revoked. Programs that use it are refused from now on."))
    return HttpResponseRedirect(reverse("portal:keys"))
