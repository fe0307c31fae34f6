"""What is installed, and what the plan allows."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.core.scope import current_tenant
from apps.objects.catalog import catalog
from apps.portal import modules as installed
from apps.portal import show
from apps.portal.navigation import icon_of
from apps.portal.views.frame import page
from apps.portal.views.settings.frame import access_of, base
from apps.tenants import quotas


@require_GET
@page
def modules(request: HttpRequest) -> HttpResponse:
    """List the installed modules with their objects."""
    access, locale = access_of(request), show.locale()
    objects: dict[str, list[dict[str, object]]] = {}
    for definition in catalog():
        objects.setdefault(definition.module or "", []).append({
            "name": definition.name,
            "label": definition.label_for(locale, plural=True),
            "icon": icon_of(definition),
            "fields": len(definition.fields),
            "readable": bool(access.can("read", definition)),
        })  # fmt: skip
    context = base(request, "modules") | {"modules": installed.overview(), "objects": objects}
    return render(request, "portal/settings/modules.html", context)


@require_GET
@page
def plan(request: HttpRequest) -> HttpResponse:
    """Show what the plan allows and how much of it is used."""
    access_of(request).require_system("manage_settings")
    used = [
        {
            "usage": item,
            "used": show.number(item.used),
            "limit": None if item.limit is None else show.number(item.limit),
        }
        for item in quotas.usage(current_tenant())
    ]
    context = base(request, "plan") | {"used": used, "plan_name": quotas.plan_name()}
    return render(request, "portal/settings/plan.html", context)
