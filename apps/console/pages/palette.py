"""The palette (Ctrl K): pages of the navigation, and rows this operator may see. Nothing is cached."""

import time

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from apps.console.operator import narrow, sees_everything, tenants_of
from apps.identity.models import User
from apps.tenants.models import Host

MOST = 12


def palette(site: UnfoldAdminSite, request: HttpRequest) -> HttpResponse:
    """Answer the theme's search field with what fits the typed text."""
    started = time.perf_counter()
    asked = request.GET.get("s", "").strip()[:80]
    if not asked:
        return HttpResponse()
    found = Paginator(_pages(site, request, asked) + _rows(request, asked), 100)
    context = {
        "page_obj": found,
        "results": found.page(1),
        "page_counter": 0,
        "execution_time": time.perf_counter() - started,
        "command_show_history": False,
    }
    return TemplateResponse(
        request, "unfold/helpers/command_results.html", context, headers={"HX-Trigger": "search"}
    )


def _pages(site: UnfoldAdminSite, request: HttpRequest, asked: str) -> list[SearchResult]:
    entries = [
        item for group in site.get_sidebar_list(request) for item in group["items"] if item["has_permission"]
    ]
    return [
        SearchResult(
            title=str(item["title"]), description=_("page"), link=str(item["link"]), icon=item["icon"]
        )
        for item in entries
        if asked.lower() in str(item["title"]).lower()
    ]


def _rows(request: HttpRequest, asked: str) -> list[SearchResult]:
    tenants = tenants_of(request).filter(Q(name__icontains=asked) | Q(slug__icontains=asked))[:MOST]
    rows = [
        SearchResult(
            title=tenant.name,
            description=_("tenant"),
            link=reverse("console:tenants_tenant_change", args=[tenant.pk]),
            icon="domain",
        )
        for tenant in tenants
    ]
    for host in narrow(Host.objects.filter(domain__icontains=asked), request, "tenant")[:MOST]:
        link = reverse("console:tenants_host_change", args=[host.pk])
        rows.append(SearchResult(title=host.domain, description=_("host"), link=link, icon="language"))
    if sees_everything(request):
        for person in User.objects.filter(Q(email__icontains=asked) | Q(name__icontains=asked))[:MOST]:
            link = reverse("console:identity_user_change", args=[person.pk])
            rows.append(SearchResult(title=person.email, description=_("person"), link=link, icon="person"))
    return rows
