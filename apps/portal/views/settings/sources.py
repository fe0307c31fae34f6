"""Webhooks in: addresses for senders, their secrets, and what came."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.core.errors import Problem
from apps.events.models import EndpointState, WebhookSource
from apps.events.webhooks import queries, rights, secrets, sources
from apps.events.webhooks.schemes import OPTIONS, SCHEMES
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.webhooks import HOURS, frame


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
@page
def new(request: HttpRequest) -> HttpResponse:
    """Open an address for one sender; its secret is shown on the next page and never again."""
    if request.method != "POST":
        return _form(request, {"scheme": "standard"})
    given = {key: request.POST.get(key, "").strip() for key in ("name", "description", "scheme", "secret")}
    options = {key: request.POST.get(f"option_{key}", "").strip() for key in OPTIONS}
    try:
        kept = options if given["scheme"] == "hmac" else {}
        row, secret = sources.create(**given, options=kept, by=actor_of(request))
    except Problem as problem:
        return _form(request, given | {f"option_{key}": text for key, text in options.items()}, problem)
    return _detail(request, row, secret="" if given["secret"] else secret, is_new=True)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
@page
def source(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """Show a source; a POST pauses, resumes, replaces the secret or closes it."""
    by, deed = actor_of(request), request.POST.get("action", "")
    rights.require(by, "webhook_source.listed")
    if request.method != "POST":
        return _detail(request, queries.source(source_id))
    if deed == "rotate":
        hours, typed = request.POST.get("hours", "24"), request.POST.get("secret", "").strip()
        try:
            secret = sources.rotate(
                source_id=source_id, by=by, secret=typed, grace_hours=int(hours) if hours.isdigit() else 24
            )
        except Problem as problem:
            return _detail(request, queries.source(source_id), problem=problem)
        messages.success(request, _("The secret is replaced."))
        return _detail(request, queries.source(source_id), secret="" if typed else secret)
    if deed == "delete":
        sources.delete(source_id=source_id, by=by)
        messages.success(request, _("The incoming webhook is closed."))
        return HttpResponseRedirect(reverse("portal:webhooks"))
    sources.switch(source_id=source_id, on=deed == "resume", by=by)
    messages.success(
        request,
        _("Messages are taken again.") if deed == "resume" else _("All messages are refused from now on."),
    )
    return HttpResponseRedirect(reverse("portal:webhook-source", args=[source_id]))


def _form(request: HttpRequest, given: dict[str, Any], problem: Problem | None = None) -> HttpResponse:
    if problem is not None and problem.status not in (400, 409):
        raise problem
    labels = {"name": _("Name"), "secret": _("Secret"), "description": _("Note"), "scheme": _("Sender")}
    found = problem.fields if problem else ()
    context = frame(request, (_("New incoming webhook"), "")) | {
        "given": given,
        "schemes": SCHEMES.values(),
        "problem": problem,
        "errors": {item.field: item.message for item in found},
        "summary": [
            (item.field.replace("options.", "option_"), labels.get(item.field, _("Signature")), item.message)
            for item in found
        ],
        "header_error": next((item.message for item in found if item.field == "options.header"), ""),
        "origin": request.build_absolute_uri("/api/v1/hooks/in/"),
    }
    status = problem.status if problem else 200
    return render(request, "portal/settings/webhook_source_form.html", context, status=status)


def _detail(
    request: HttpRequest,
    row: WebhookSource,
    *,
    secret: str = "",
    is_new: bool = False,
    problem: Problem | None = None,
) -> HttpResponse:
    if problem is not None and problem.status != 400:
        raise problem
    context = frame(request, (row.name, "")) | {
        "row": row,
        "scheme": SCHEMES[row.scheme],
        "url": request.build_absolute_uri(f"/api/v1/hooks/in/{row.name}"),
        "receipts": queries.receipts(row.id),
        "active": row.state == EndpointState.ACTIVE,
        "secret": secret,
        "is_new": is_new,
        "ending": secrets.ending(row.id),
        "hours": HOURS,
        "problem": problem,
        "summary": [("secret", _("Secret"), item.message) for item in problem.fields] if problem else [],
        "confirm": request.GET.get("confirm", ""),
    }
    response = render(
        request, "portal/settings/webhook_source.html", context, status=problem.status if problem else 200
    )
    if secret:
        response.headers["Cache-Control"] = "no-store"
    return response
