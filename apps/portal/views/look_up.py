"""Finding things: options of look-up fields, the command palette, the search page."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.permissions.access import access_for
from apps.portal import finding, navigation, records, show
from apps.portal.views.frame import actor_of, page

OPTIONS, PER_OBJECT, OBJECTS = 8, 4, 8


@require_GET
@page
def options(request: HttpRequest, name: str) -> HttpResponse:
    """Return the records that a look-up field may hold and whose words match what is typed."""
    by, field = actor_of(request), request.GET.get("field", "")
    definition, access = records.rights(name, by)
    access.require("read", definition)
    typed = request.GET.get(f"{field}__text", "")
    found = records.search(definition, typed, by=by, limit=OPTIONS)
    return render(request, "components/lookup_options.html", {"options": found, "field": field})


def _searchable(request: HttpRequest) -> list[ObjectDef]:
    access = access_for(actor_of(request))
    return [d for d in catalog() if d.enable.searchable and access.can("read", d)][:OBJECTS]


def _hits(request: HttpRequest, text: str, limit: int) -> list[dict[str, Any]]:
    by, groups = actor_of(request), []
    for definition in _searchable(request):
        found = records.search(definition, text, by=by, limit=limit)
        if found:
            groups.append({
                "label": definition.label_for(show.locale(), plural=True),
                "more": reverse("portal:list", args=[definition.name]) + "?" + urlencode({"q": text}),
                "items": [
                    {
                        "href": reverse("portal:record", args=[definition.name, key]),
                        "label": title or _("Untitled"),
                        "icon": navigation.icon_of(definition),
                        "detail": "",
                    }
                    for key, title in found
                ],
            })  # fmt: skip
    return groups


def _places(request: HttpRequest, text: str) -> list[dict[str, Any]]:
    """Return the pages and actions whose words hold the text."""
    items = [item for group in navigation.groups(actor_of(request)) for item in group.items]
    pages = [
        {"href": reverse("portal:list", args=[i.name]), "label": i.plural, "icon": i.icon, "detail": ""}
        for i in items
    ]
    pages += [
        {"href": reverse("portal:home"), "label": _("Home"), "icon": "home", "detail": ""},
        {
            "href": reverse("portal:dashboards"),
            "label": _("Dashboards"),
            "icon": "layout-dashboard",
            "detail": "",
        },
        {"href": reverse("portal:reports"), "label": _("Reports"), "icon": "chart-bar", "detail": ""},
        {"href": reverse("portal:settings"), "label": _("Settings"), "icon": "settings", "detail": ""},
        {"href": reverse("portal:keys"), "label": _("API keys"), "icon": "key", "detail": _("Settings")},
        {"href": reverse("portal:profile"), "label": _("Your profile"), "icon": "user-circle", "detail": ""},
        {
            "href": reverse("portal:profile-sessions"),
            "label": _("Sessions"),
            "icon": "devices",
            "detail": _("Your profile"),
        },
    ]
    actions = [
        {
            "href": reverse("portal:record-new", args=[i.name]),
            "label": _("New %(label)s") % {"label": i.label},
            "icon": "plus",
            "detail": "",
        }
        for i in items
        if i.can_create
    ]
    wanted = text.casefold()
    groups = [(_("Go to"), pages), (_("Do"), actions)]
    kept = [(label, [i for i in found if wanted in str(i["label"]).casefold()]) for label, found in groups]
    return [{"label": label, "items": found} for label, found in kept if found]


@require_GET
@page
def palette(request: HttpRequest) -> HttpResponse:
    """Return what the command palette lists: records first, then pages and actions."""
    text = request.GET.get("q", "").strip()[:200]
    groups = (_hits(request, text, PER_OBJECT) if text else []) + _places(request, text)
    return render(request, "components/palette_results.html", {"groups": groups})


@require_GET
@page
def search(request: HttpRequest) -> HttpResponse:
    """Show the records that hold the words: the first of every object, or more of the one that `in` names."""
    text, only = request.GET.get("q", "").strip()[:200], request.GET.get("in", "")
    by = actor_of(request)
    only = only if only in {definition.name for definition in finding.objects(by)} else ""
    found = finding.find(text, only, by=by) if text else []
    context = {
        "found": found,
        "shown": [among for among in found if among.hits],
        "only": only,
        "search_text": text,
        "all_href": reverse("portal:search") + "?" + urlencode({"q": text}),
        "crumbs": [(_("Search"), "")],
    }
    return render(request, "portal/search.html", context)
