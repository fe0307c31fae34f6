"""How the product is, in words that concern this tenant only; its ledger's integrity; acknowledging an alert."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from apps.audit import report
from apps.core.canonical import plain
from apps.core.scope import current_tenant
from apps.events.health import alerts, status
from apps.events.models import Alert
from apps.portal import show
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base

PARTS: dict[str, tuple[str, Any, Any]] = {
    "pages": ("app-window", gettext_lazy("Pages and API"), gettext_lazy("Reading, writing and searching.")),
    "work": ("subtask", gettext_lazy("Background work"), gettext_lazy("Imports, exports and mails.")),
    "events": ("bolt", gettext_lazy("Events"), gettext_lazy("Live pages, hooks and webhooks.")),
    "ledger": ("book-2", gettext_lazy("Ledger"), gettext_lazy("Chaining and signing what happened.")),
}
WORDS: dict[str, tuple[str, Any]] = {
    "ok": ("green", gettext_lazy("Works")),
    "degraded": ("amber", gettext_lazy("Slow")),
    "failed": ("red", gettext_lazy("Disturbed")),
    "unknown": ("gray", gettext_lazy("No news")),
}
STATES = {
    "holds": ("good", "shield-check"),
    "tampered": ("bad", "alert-octagon"),
    "unverified": ("warn", "shield-question"),
}


@require_GET
@page
def overview(request: HttpRequest) -> HttpResponse:
    """Show how each part of the product is and the tenant's own figures."""
    parts = status.parts()
    rows = [_row(part) for part in parts]
    context = base(request, "status") | {
        "parts": rows,
        "all_well": all(part.status == "ok" for part in parts),
        "own": status.own(),
        "open_alerts": _open_alerts(request),
        "manages": actor_of(request).role in alerts.MANAGERS,
    }
    return render(request, "portal/settings/status.html", context)


@require_GET
@page
def integrity(request: HttpRequest) -> HttpResponse:
    """Show the integrity report of the tenant's ledger; `?format=json` gives the signed document."""
    access_of(request).require_system("view_audit")
    found = plain(report.integrity())
    if request.GET.get("format") == "json":
        name = f"integrity-{current_tenant().slug}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return JsonResponse(found, headers=headers)
    tone, icon = STATES[found["status"]]
    rows = [
        {**row, "at": dt.datetime.fromisoformat(row["at"]), "by": row["by"].partition(":")[2]}
        for row in found["verifications"]
    ]
    more = {"report": found, "verifications": rows, "tone": tone, "state_icon": icon}
    return render(request, "portal/settings/integrity.html", base(request, "ledger") | more)


@require_POST
@page
def acknowledge(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    """Say that the tenant's people have seen an alert; it leaves their way."""
    access_of(request).require_system("view_audit")
    alerts.acknowledge(alert_id, by=actor_of(request))
    messages.success(request, _("Acknowledged. It stays listed under Status until it is over."))
    return redirect("portal:status")


def _row(part: status.Part) -> dict[str, Any]:
    icon, label, about = PARTS[part.key]
    color, word = WORDS[part.status]
    share = None if part.share is None else show.number(f"{part.share * 100:.4g}")
    return {"icon": icon, "label": label, "about": about, "color": color, "word": word} | {
        "since": part.since,
        "share": share,
    }


def _open_alerts(request: HttpRequest) -> list[Alert]:
    if not access_of(request).has_system("view_audit"):
        return []
    return list(Alert.objects.filter(resolved_at=None, tenant_id=current_tenant().id).order_by("-id")[:20])
