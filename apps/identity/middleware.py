"""Who asks for a page: the session is bound to its host, the identity comes from the one resolver."""

from collections.abc import Callable

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.functional import SimpleLazyObject

from apps.core import context
from apps.core.errors import Problem
from apps.core.scope import current_tenant, scope_of
from apps.identity.devices import remember_device
from apps.identity.models import Membership, User
from apps.identity.place import place_of
from apps.identity.resolve import Identity, identify

Handler = Callable[[HttpRequest], HttpResponse]


class SessionMiddleware(DjangoSessionMiddleware):
    """Django's, with the session told where the request comes from."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:  # type: ignore[override]
        super().process_request(request)
        if scope_of() is not None:
            try:
                request.session.bind(place_of(request))  # type: ignore[attr-defined]
            except Problem as problem:
                return refused(request, problem)
        return None


class IdentityMiddleware(AuthenticationMiddleware):
    """Sets `request.identity`, `.user`, `.actor` and `.membership` (each None or anonymous when nobody signed in).

    Runs inside the page's scope. Outside one (the API, health checks) it leaves everything to the door.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:  # type: ignore[override]
        request.identity = None  # type: ignore[attr-defined]
        request.actor = None  # type: ignore[attr-defined]
        request.membership = None  # type: ignore[attr-defined]
        request.user = AnonymousUser()
        if scope_of() is None:
            return None
        try:
            identity = identify(request)
        except Problem as problem:
            return refused(request, problem)
        if identity is None:
            return None
        request.identity = identity  # type: ignore[attr-defined]
        request.actor = identity.actor  # type: ignore[attr-defined]
        request.user = SimpleLazyObject(lambda: User.objects.get(pk=identity.user_id))  # type: ignore[assignment]
        if identity.tenant is not None:
            request.membership = SimpleLazyObject(lambda: _membership(identity))  # type: ignore[attr-defined]
        context.actor.set(identity.actor)
        return None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Mark the browser of somebody who has just signed in."""
        user_id = getattr(request, "remember_device_of", None)
        if user_id is not None:
            remember_device(response, user_id=user_id)
        return response


def refused(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Return the page of a refusal that came before anybody was known; it needs no person and no query."""
    values = {"problem": problem, "request_id": getattr(request, "request_id", "")}
    return HttpResponse(render_to_string("errors/refused.html", values), status=problem.status)


def _membership(identity: Identity) -> Membership:
    return Membership.objects.select_related("user").get(
        user=identity.user_id, tenant__id=current_tenant().id
    )
