"""Evidence: entries of the ledger with their proofs as a file, the signed checkpoint, and the tenant's own anchor."""

import datetime as dt
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.audit.anchors import customer
from apps.audit.merkle import checkpoints, note, tree
from apps.core import signing
from apps.core.errors import Problem
from apps.identity import queries as identity
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base

API = "/api/v1/ledger/evidence"


@require_GET
@page
def evidence(request: HttpRequest) -> HttpResponse:
    """Show what is signed and what evidence can be taken."""
    return _page(request)


@require_GET
@page
def take(request: HttpRequest) -> HttpResponse:
    """Lead to the file: days become moments in the reader's zone, the last day included."""
    access_of(request).require_system("view_audit")
    kind = request.GET.get("kind", "")
    asked = {"kind": kind, "format": request.GET.get("format", "zip")}
    if kind == "record":
        asked["target"] = request.GET.get("target", "").strip()
        if ":" not in asked["target"]:
            return _page(request, problem=_("Name the record as kind:id, as the ledger shows it."))
    elif kind == "person":
        asked["person"] = request.GET.get("person", "")
    elif kind == "period":
        since, until = (
            _midnight(request.GET.get("since", "")),
            _midnight(request.GET.get("until", ""), days=1),
        )
        if (since is None and until is None) or (since and until and since >= until):
            return _page(request, problem=_("Name the first and the last day of the period."))
        asked |= {"since": since.isoformat() if since else "", "until": until.isoformat() if until else ""}
    return HttpResponseRedirect(f"{API}?{urlencode({key: value for key, value in asked.items() if value})}")


@require_POST
@page
def anchor(request: HttpRequest) -> HttpResponse:
    """Set or remove the address that is told every checkpoint."""
    access_of(request).require_system("manage_settings")
    by = actor_of(request)
    try:
        if "remove" in request.POST:
            customer.remove_place(by=by)
            messages.success(request, _("That address is told nothing any more."))
        else:
            customer.set_place(url=request.POST.get("url", "").strip(), by=by)
            messages.success(request, _("From now on this address is told every checkpoint."))
    except Problem as problem:
        return _page(request, problem=problem.message, url=request.POST.get("url", ""))
    return redirect("portal:evidence")


def _page(request: HttpRequest, *, problem: str = "", url: str = "") -> HttpResponse:
    access = access_of(request)
    access.require_system("view_audit")
    key = tree.here()
    state, newest = tree.state(key), checkpoints.latest(key)
    context = base(request, "ledger") | {
        "signed": newest,
        "root": newest.root.hex() if newest else "",
        "stuck": state.error if state else "",
        "kept": sorted((state.anchored if state else {}).items()),
        "key": note.verifier_key(note.unchecked(newest.note).origin, note.keys()[0]) if newest else "",
        "fingerprint": signing.fingerprint(note.keys()[0]),
        "people": [{"id": row.user_id, "name": str(row.user)} for row in identity.members()],
        "anchor": customer.place(),
        "url": url,
        "may_change": access.has_system("manage_settings"),
        "given": {name: request.GET.get(name, "") for name in ("kind", "target", "person", "since", "until")},
        "problem": problem,
    }
    return render(request, "portal/settings/evidence.html", context, status=422 if problem else 200)


def _midnight(text: str, days: int = 0) -> dt.datetime | None:
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return timezone.make_aware(dt.datetime.combine(date + dt.timedelta(days=days), dt.time()))
