"""What every page does: ask who is there, turn refusals into pages, go on after a change."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.errors import NotFound, Problem
from apps.identity import queries
from apps.identity.models import MembershipState, Role
from apps.identity.resolve import Identity
from apps.objects.catalog import catalog

View = Callable[..., HttpResponseBase]


def identity_of(request: HttpRequest) -> Identity:
    """Return who asks; only called behind `page`."""
    found: Identity = request.identity  # type: ignore[attr-defined]
    return found


def actor_of(request: HttpRequest) -> Actor:
    """Return the actor of the request; only called behind `page`."""
    return identity_of(request).actor


def page(view: View) -> View:
    """Show the page to members only; a `Problem` becomes a page with its sentence, cure and request id."""

    @functools.wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request, "identity", None) is None:
            return to_sign_in(request)
        return answered(view, request, *args, **kwargs)

    return shown


def changes_schema(view: View) -> View:
    """Mark the outermost wrapper of a page whose POST changes tables: it runs with the owner's login."""
    view.changes_schema = True  # type: ignore[attr-defined]
    return view


def open_page(view: View) -> View:
    """Show the page to anybody; refusals as in `page`."""

    @functools.wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return answered(view, request, *args, **kwargs)

    return shown


def answered(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """Return the view's answer, or the page of its refusal."""
    try:
        response = view(request, *args, **kwargs)
    except Problem as problem:
        return refusal(request, problem)
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send the visitor to the sign-in page and back afterwards; a partial request is told to start over."""
    if request.headers.get("HX-Request"):
        return HttpResponse(
            _("Your session has ended. Sign in again."), status=401, content_type="text/plain"
        )
    query = {"next": request.get_full_path()} if request.method == "GET" and request.path != "/" else {}
    return HttpResponseRedirect(reverse("portal:sign-in") + (f"?{urlencode(query)}" if query else ""))


def refusal(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Return the page of a refusal: no permission, not found, conflict, bad input."""
    headers = dict(problem.headers)
    if request.headers.get("HX-Request"):
        return HttpResponse(
            problem.message, status=problem.status, content_type="text/plain", headers=headers
        )
    name = {401: "403", 403: "403", 404: "404", 429: "429"}.get(problem.status, "400")
    context: dict[str, Any] = {"problem": problem, "request_id": getattr(request, "request_id", "")}
    context["sentence"] = (
        _("There is no such record.") if problem.code == "RECORD_NOT_FOUND" else problem.message
    )
    if problem.status == 403 and getattr(request, "identity", None) is not None:
        context |= {"sentence": _denied(problem), "grantors": grantors()}
    response = render(request, f"errors/{name}.html", context, status=problem.status)
    for key, value in headers.items():
        response.headers[key] = value
    return response


def _denied(problem: Problem) -> str:
    """Return the refusal in the reader's words: the compiler's reason speaks to programmers."""
    definition = catalog().find(str(problem.details.get("object", "")))
    if definition is not None:
        return _("Your permission sets do not allow this for %(objects)s.") % {
            "objects": definition.label_for(translation.get_language(), plural=True)
        }
    return (
        _("Your permission sets do not allow this.") if "permission" in problem.details else problem.message
    )


def grantors() -> str:
    """Return the names of those who can grant rights here, three at most."""
    rows = queries.members().filter(role__in=(Role.OWNER, Role.ADMIN), state=MembershipState.ACTIVE)[:3]
    return ", ".join(str(row.user) for row in rows)


def record_id(text: str) -> UUID:
    """Return the id of an address; anything else is an absent record."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound(_("There is no such record.")) from error


def back(request: HttpRequest, wish: str, fallback: str) -> HttpResponseRedirect:
    """Go to `wish` when it is an address of this host, else to `fallback`."""
    safe = wish.startswith("/") and url_has_allowed_host_and_scheme(wish, allowed_hosts={request.get_host()})
    return HttpResponseRedirect(wish if safe else fallback)
