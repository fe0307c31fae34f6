"""Privacy: how long the ledger keeps entries, legal holds, and erasing people and records for good."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.audit.models import Erasure, Hold
from apps.core.errors import Invalid, NotFound, Problem
from apps.identity import queries as identity
from apps.objects import privacy
from apps.objects.catalog import catalog
from apps.portal import records, show
from apps.portal.views.frame import actor_of, page, record_id
from apps.portal.views.record import base as record_base
from apps.portal.views.settings.frame import access_of, base

KEEP = (
    ("", gettext_lazy("For ever")),
    ("90", gettext_lazy("90 days")),
    ("365", gettext_lazy("One year")),
    ("1095", gettext_lazy("Three years")),
    ("2190", gettext_lazy("Six years")),
    ("3650", gettext_lazy("Ten years")),
)


@require_GET
@page
def overview(request: HttpRequest) -> HttpResponse:
    """Show retention, holds and erasures to whoever manages privacy."""
    access_of(request).require_system(privacy.PERMISSION)
    return render(request, "portal/settings/privacy.html", _context(request))


def _context(request: HttpRequest, **more: Any) -> dict[str, Any]:
    policy = privacy.policy()
    days = str(policy.days or "")
    choices = [*KEEP, *([(days, _("%(n)s days") % {"n": days})] if days not in dict(KEEP) else [])]
    people = privacy.former_members()
    return base(request, "privacy") | {
        "policy": policy,
        "keep": [(value, label, value == days) for value, label in choices],
        "holds": [_hold(row) for row in privacy.every_hold()],
        "erasures": [_erasure(row) for row in privacy.erasures()],
        "people": people,
        "members": [(str(row.user_id), str(row.user)) for row in identity.members()],
        **more,
    }


@require_POST
@page
def keep(request: HttpRequest) -> HttpResponse:
    """Change how long entries are kept."""
    text = request.POST.get("days", "")
    try:
        if text and not (text.isascii() and text.isdigit() and len(text) < 7):
            raise Invalid(_("Choose how long entries are kept."))
        privacy.set_retention(int(text) if text else None, by=actor_of(request))
    except Problem as problem:
        return _again(request, problem)
    messages.success(request, _("The ledger keeps its entries as long as you said."))
    return HttpResponseRedirect(reverse("portal:privacy"))


@require_POST
@page
def hold(request: HttpRequest) -> HttpResponse:
    """Place a legal hold on everything, a person or a record."""
    kind, person = request.POST.get("what", ""), request.POST.get("person", "")
    subjects = {"all": "", "person": f"user:{person}", "record": request.POST.get("record", "").strip()}
    try:
        if kind not in subjects or (kind != "all" and not subjects[kind].partition(":")[2]):
            raise Invalid(_("Say what is held: everything, a person, or a record."))
        privacy.place_hold(
            subject=subjects[kind], reason=request.POST.get("reason", ""), by=actor_of(request)
        )
    except Problem as problem:
        return _again(request, problem)
    messages.success(request, _("The hold stands. Nothing it protects is erased or removed."))
    return HttpResponseRedirect(reverse("portal:privacy"))


@require_POST
@page
def release(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Release a hold; it stays on record."""
    try:
        privacy.release_hold(hold_id, reason=request.POST.get("reason", ""), by=actor_of(request))
    except Problem as problem:
        return _again(request, problem)
    messages.success(request, _("The hold is released."))
    return HttpResponseRedirect(reverse("portal:privacy"))


@require_POST
@page
def erase_person(request: HttpRequest) -> HttpResponse:
    """Erase somebody who left, once their name has been typed."""
    chosen = next((p for p in privacy.former_members() if str(p.user_id) == request.POST.get("person")), None)
    try:
        if chosen is None:
            raise Invalid(_("Choose a person."))
        if request.POST.get("typed", "").strip() != chosen.name:
            raise Invalid(_("This is not the name. Nothing has been erased."))
        privacy.erase_member(chosen.user_id, by=actor_of(request), reason=request.POST.get("reason", ""))
    except Problem as problem:
        return _again(request, problem)
    messages.success(request, _("The person is erased: the ledger can name them no more."))
    return HttpResponseRedirect(reverse("portal:privacy"))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def erase_record(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Ask for the record's name, then remove it for good with what the ledger holds of it."""
    by, ident = actor_of(request), record_id(key)
    definition, access = records.rights(name, by)
    access.require_system(privacy.PERMISSION)
    record = records.get(definition, ident, by=by)
    access.require("purge", definition)
    title = records.title_of(definition, record) or _("Untitled")
    problem = None
    if request.method == "POST":
        try:
            if request.POST.get("typed", "").strip() != title:
                raise Invalid(_("This is not the name. Nothing has been erased."))
            privacy.erase_record(name, ident, by=by, reason=request.POST.get("reason", ""))
        except Problem as refused:
            if refused.status not in (400, 409):
                raise
            problem = refused
        else:
            messages.success(request, _("The record is erased for good."))
            return HttpResponseRedirect(reverse("portal:list", args=[name]))
    href = reverse("portal:record", args=[name, key])
    around = record_base(definition, record)
    context = around | {
        "crumbs": [*around["crumbs"], (title, href), (_("Erase"), "")],
        "title": title,
        "href": href,
        "problem": problem,
        "reason": request.POST.get("reason", ""),
        "fields": [show.label(definition, f) for f in definition.fields if f in definition.personal_fields],
    }
    return render(request, "portal/erase.html", context, status=problem.status if problem else 200)


def _again(request: HttpRequest, problem: Problem) -> HttpResponse:
    if problem.status not in (400, 409):
        raise problem
    context = _context(request, problem=problem, given=request.POST)
    return render(request, "portal/settings/privacy.html", context, status=problem.status)


def _hold(row: Hold) -> dict[str, Any]:
    return {"row": row, "what": _words(row.subject), "who": _actor(row.placed_by)}


def _erasure(row: Erasure) -> dict[str, Any]:
    return {"row": row, "what": _words(row.subject), "who": _actor(row.erased_by)}


def _words(subject: str) -> str:
    """Return what a subject is, in words; the id of a person or record says nothing about them."""
    if not subject:
        return _("Everything")
    kind, _colon, key = subject.partition(":")
    definition = catalog().find(kind)
    noun = definition.label_for(show.locale()) if definition else _("Person") if kind == "user" else kind
    names = identity.names_of([record_id(key)]) if kind == "user" and _is_member(key) else {}
    return f"{noun}: {next(iter(names.values()), key)}"


def _is_member(key: str) -> bool:
    try:
        return identity.membership_of(record_id(key)) is not None
    except NotFound:
        return False


def _actor(text: str) -> str:
    """Return the name behind `kind:id` while it is a member's."""
    kind, _colon, key = text.partition(":")
    if kind == "member" and _is_member(key):
        return next(iter(identity.names_of([record_id(key)]).values()), text)
    return _("AI-BOS") if kind == "system" else text
