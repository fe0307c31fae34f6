"""Webhooks out: where events go, what became of each, and sending it again."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import Problem
from apps.events.models import DeliveryState, EndpointState, WebhookEndpoint
from apps.events.webhooks import deliveries, endpoints, patterns, queries, rights, secrets
from apps.events.webhooks.rights import PERMISSION
from apps.identity import queries as identity
from apps.portal import hooks
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base

HOURS = (
    ("0", gettext_lazy("at once")),
    ("24", gettext_lazy("in a day")),
    ("72", gettext_lazy("in three days")),
    ("168", gettext_lazy("in a week")),
)


def frame(request: HttpRequest, *crumbs: tuple[str, str]) -> dict[str, Any]:
    """Return the context of a page below Webhooks; 403 for who may not manage them."""
    access_of(request).require_system(PERMISSION)
    context = base(request, "webhooks")
    if crumbs:
        above = [context["crumbs"][0], (context["heading"], reverse("portal:webhooks"))]
        context |= {"crumbs": [*above, *crumbs], "heading": crumbs[-1][0]}
    return context


@require_GET
@page
def webhooks(request: HttpRequest) -> HttpResponse:
    """List where events go and who may send some in."""
    context = frame(request)
    rows = queries.endpoints()
    tallies = queries.tallies([row.id for row in rows])
    context["endpoints"] = [
        {
            "row": row,
            "host": endpoints.host_of(row),
            "tag": hooks.endpoint_tag(row),
            "types": hooks.named(row.types),
            "tally": tallies[row.id],
        }
        for row in rows
    ]
    context["sources"] = queries.sources()
    return render(request, "portal/settings/webhooks.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def new(request: HttpRequest) -> HttpResponse:
    """Set up a webhook; its secret is shown on the next page and never again."""
    if request.method != "POST":
        return _form(request, None, {"shape": "cloudevents", "types": []})
    given = _given(request)
    try:
        row, secret = endpoints.create(**given, by=actor_of(request))
    except Problem as problem:
        return _form(request, None, given, problem)
    return _detail(request, row, secret=secret, is_new=True)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def edit(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    """Change a webhook; who saves it becomes the member whose rights count."""
    rights.require(actor_of(request), "webhook.listed")
    row = queries.endpoint(endpoint_id)
    if request.method != "POST":
        return _form(request, row, {key: getattr(row, key) for key in endpoints.KEYS})
    given = _given(request)
    try:
        endpoints.update(endpoint_id=endpoint_id, changes=given, by=actor_of(request))
    except Problem as problem:
        return _form(request, row, given, problem)
    messages.success(request, _("The webhook is saved."))
    return HttpResponseRedirect(reverse("portal:webhook", args=[endpoint_id]))


@require_GET
@page
def webhook(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    """Show a webhook with its log."""
    rights.require(actor_of(request), "webhook.listed")
    return _detail(request, queries.endpoint(endpoint_id))


@require_POST
@page
def act(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    """Pause, resume, try, replace the secret, send what was missed, or remove."""
    by, deed = actor_of(request), request.POST.get("action", "")
    here = HttpResponseRedirect(reverse("portal:webhook", args=[endpoint_id]))
    if deed == "rotate":
        hours = request.POST.get("hours", "24")
        secret = endpoints.rotate(
            endpoint_id=endpoint_id, by=by, grace_hours=int(hours) if hours.isdigit() else 24
        )
        return _detail(request, queries.endpoint(endpoint_id), secret=secret)
    if deed == "test":
        delivery_id = deliveries.test(endpoint_id=endpoint_id, by=by)
        return HttpResponseRedirect(reverse("portal:webhook-delivery", args=[delivery_id]))
    if deed == "missed":
        job = deliveries.send_missed(endpoint_id=endpoint_id, by=by, days=30)
        return HttpResponseRedirect(reverse("portal:job", args=[job]))
    if deed == "delete":
        endpoints.delete(endpoint_id=endpoint_id, by=by)
        messages.success(request, _("The webhook is removed. Nothing is sent there any more."))
        return HttpResponseRedirect(reverse("portal:webhooks"))
    switch = endpoints.resume if deed == "resume" else endpoints.pause
    switch(endpoint_id=endpoint_id, by=by)
    messages.success(
        request, _("The webhook is active.") if deed == "resume" else _("The webhook is paused.")
    )
    return here


@require_http_methods(["GET", "HEAD", "POST"])
@page
def delivery(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """Show one delivery with all its calls; a POST sends it again."""
    by = actor_of(request)
    if request.method == "POST":
        deliveries.redeliver(delivery_id=delivery_id, by=by)
        messages.success(request, _("The event is on its way again."))
        return HttpResponseRedirect(reverse("portal:webhook-delivery", args=[delivery_id]))
    rights.require(by, "webhook.listed")
    row = queries.delivery(delivery_id)
    endpoint = queries.endpoint(row.endpoint_id)
    above = (
        str(endpoint.description or endpoints.host_of(endpoint)),
        reverse("portal:webhook", args=[endpoint.id]),
    )
    waiting = row.state == DeliveryState.WAITING
    context = frame(request, above, (row.event_type, "")) | {
        "row": row,
        "endpoint": endpoint,
        "host": endpoints.host_of(endpoint),
        "tag": hooks.delivery_tag(row),
        "attempts": [
            {"call": call, "sent": hooks.readable(call.request_body), "failure": hooks.reason(call)}
            for call in queries.attempts(row.id)
        ],
        "reason": hooks.reason(row),
        "waiting": waiting,
        "may_send": not waiting and (row.is_test or endpoint.state == EndpointState.ACTIVE),
        "live": waiting and row.attempts == 0,
    }
    return render(request, "portal/settings/webhook_delivery.html", context)


def _given(request: HttpRequest) -> dict[str, Any]:
    return {
        "url": request.POST.get("url", ""),
        "description": request.POST.get("description", ""),
        "types": hooks.types_of(request.POST),
        "shape": request.POST.get("shape", "cloudevents"),
        "with_record": bool(request.POST.get("with_record")),
    }


def _form(
    request: HttpRequest, row: WebhookEndpoint | None, given: dict[str, Any], problem: Problem | None = None
) -> HttpResponse:
    if problem is not None and problem.status not in (400, 409):
        raise problem
    chosen = set(given["types"])
    crumb = (str(row) if row else _("New webhook"), "")
    labels = {"url": _("Address"), "types": _("Events"), "description": _("Name")}
    context = frame(request, crumb) | {
        "row": row,
        "given": given,
        "everything": patterns.EVERYTHING in chosen,
        "subjects": hooks.subjects(chosen),
        "others": hooks.others(chosen),
        "further": hooks.further(chosen),
        "problem": problem,
        "errors": {item.field: item.message for item in problem.fields} if problem else {},
        "summary": [(item.field, labels.get(item.field, item.field), item.message) for item in problem.fields]
        if problem
        else [],
    }
    status = problem.status if problem else 200
    return render(request, "portal/settings/webhook_form.html", context, status=status)


def _detail(
    request: HttpRequest, row: WebhookEndpoint, *, secret: str = "", is_new: bool = False
) -> HttpResponse:
    state = request.GET.get("state", "")
    found = queries.deliveries(
        row.id,
        state=state if state in DeliveryState.values else None,
        cursor=request.GET.get("cursor") or None,
    )
    owner = identity.people([row.owner_id]).get(row.owner_id)
    context = frame(request, (str(row.description or endpoints.host_of(row)), "")) | {
        "row": row,
        "host": endpoints.host_of(row),
        "tag": hooks.endpoint_tag(row),
        "types": hooks.named(row.types),
        "owner": owner,
        "tally": queries.tallies([row.id])[row.id],
        "deliveries": [hooks.delivery_line(each) for each in found.deliveries],
        "next": found.next,
        "states": DeliveryState.choices,
        "state": state,
        "secret": secret,
        "is_new": is_new,
        "ending": secrets.ending(row.id),
        "hours": HOURS,
        "confirm": request.GET.get("confirm", ""),
        "active": row.state == EndpointState.ACTIVE,
    }
    response = render(request, "portal/settings/webhook.html", context)
    if secret:
        response.headers["Cache-Control"] = "no-store"
    return response
