"""The ledger: what happened, and whether the chain of it still holds."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from apps.audit import queries
from apps.core.scope import current_tenant
from apps.events.health import verifying
from apps.objects.catalog import catalog
from apps.portal import sentences, targets
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base

PAGE = 50


@require_GET
@page
def browse(request: HttpRequest) -> HttpResponse:
    """Show a page of the ledger, filtered."""
    access_of(request).require_system("view_audit")
    return render(request, "portal/settings/ledger.html", _context(request))


def _context(request: HttpRequest, **more: Any) -> dict[str, Any]:
    get = request.GET
    filters = queries.Filters(
        action=get.get("action", "").strip()[:100],
        target=get.get("target", "").strip()[:100],
        since=_day(get.get("since", "")),
        until=_day(get.get("until", ""), days=1),
    )
    found = queries.browse(filters, cursor=get.get("cursor") or None, limit=PAGE)
    names = targets.names(found.entries, by=actor_of(request))
    return base(request, "ledger") | {
        "entries": [sentences.entry(item, catalog(), names) for item in found.entries],
        "next": found.next,
        "filters": {name: get.get(name, "") for name in ("action", "target", "since", "until")},
        "filtered": any(get.get(name) for name in ("action", "target", "since", "until")),
        "lag": queries.lag(),
        **more,
    }


def _day(text: str, days: int = 0) -> dt.datetime | None:
    """Return the start of a day in the reader's zone, `days` later; None for what is no date."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return timezone.make_aware(dt.datetime.combine(date + dt.timedelta(days=days), dt.time()))


@require_POST
@page
def verify(request: HttpRequest) -> HttpResponse:
    """Recompute the chain now and show the verdict above the entries."""
    access_of(request).require_system("view_audit")
    verdict = verifying.verify(current_tenant(), by=actor_of(request))
    if isinstance(verdict, UUID):
        return redirect("portal:job", verdict)
    return render(request, "portal/settings/ledger.html", _context(request, verdict=verdict))
