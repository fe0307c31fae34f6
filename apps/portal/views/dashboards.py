"""Dashboards: one at a time with the others as tabs, arranged in place."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.portal import navigation
from apps.portal.models import Dashboard
from apps.portal.reports import dashboards, keeping, suggest
from apps.portal.views.frame import actor_of, page
from apps.portal.views.reports import table_of


@require_GET
@page
def index(request: HttpRequest) -> HttpResponse:
    """Open the member's first dashboard, or offer to make one."""
    found = dashboards.visible(actor_of(request))
    if found:
        return HttpResponseRedirect(reverse("portal:dashboard", args=[found[0].pk]))
    return _show(request, None)


@require_GET
@page
def one(request: HttpRequest, dashboard_id: UUID) -> HttpResponse:
    """Show a dashboard; with `arrange` the means to change it."""
    return _show(request, dashboards.get(dashboard_id, actor_of(request)))


def _show(request: HttpRequest, row: Dashboard | None) -> HttpResponse:
    by = actor_of(request)
    may_change = row is not None and keeping.may_change(row, by)
    arranging = may_change and "arrange" in request.GET
    widgets = dashboards.widgets(row, by) if row else []
    context: dict[str, Any] = {
        "nav_current": "dashboards",
        "dashboard": row,
        "dashboards": dashboards.visible(by),
        "widgets": [{"widget": w, "table": table_of(w.outcome) if w.outcome else []} for w in widgets],
        "may_change": may_change,
        "arranging": arranging,
        "choices": dashboards.choices(by) if arranging else [],
        "sizes": dashboards.SIZES,
        "starters": [(group.key, group.label) for group in navigation.groups(by)],
    }
    return render(request, "portal/reports/dashboard.html", context)


@require_POST
@page
def new(request: HttpRequest) -> HttpResponse:
    """Make a dashboard: empty, or with what suggests itself for a module."""
    by, start = actor_of(request), request.POST.get("start", "")
    groups = {group.key: group.label for group in navigation.groups(by)}
    parts = [s.widget() for s in suggest.of_module(start, by)] if start in groups else []
    name = request.POST.get("name", "").strip() or groups.get(start, "")
    row = dashboards.create(name=name, shared="shared" in request.POST, widgets=parts, by=by)
    target = reverse("portal:dashboard", args=[row.pk])
    return HttpResponseRedirect(target if parts else f"{target}?arrange=1")


@require_POST
@page
def change(request: HttpRequest, dashboard_id: UUID) -> HttpResponse:
    """Carry out one change of a dashboard and go on arranging."""
    act = {name: str(value) for name, value in request.POST.items()}
    row = dashboards.change(dashboard_id=dashboard_id, act=act, by=actor_of(request))
    if act.get("from") == "report":
        messages.success(
            request,
            _("The report is on the dashboard “%(name)s”.") % {"name": row.name},
            extra_tags=reverse("portal:dashboard", args=[row.pk]),
        )
        return HttpResponseRedirect(reverse("portal:report", args=[act["what"].partition(":")[2]]))
    return HttpResponseRedirect(reverse("portal:dashboard", args=[row.pk]) + "?arrange=1")


@require_POST
@page
def delete(request: HttpRequest, dashboard_id: UUID) -> HttpResponse:
    """Delete a dashboard."""
    dashboards.delete(dashboard_id=dashboard_id, by=actor_of(request))
    messages.success(request, _("The dashboard is deleted."))
    return HttpResponseRedirect(reverse("portal:dashboards"))
