"""The first page: installed apps with counts, the records seen last, what the member did."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.audit import queries as ledger
from apps.objects import query
from apps.objects.catalog import catalog
from apps.portal import navigation, records, sentences, show, targets, visits
from apps.portal.views.frame import actor_of, identity_of, page

MOST_COUNTED = 12
RECENT = 8


@require_GET
@page
def home(request: HttpRequest) -> HttpResponse:
    """Show what there is and where the member was."""
    by = actor_of(request)
    groups = navigation.groups(by)
    budget, apps = MOST_COUNTED, []
    for group in groups:
        tiles: list[dict[str, Any]] = []
        for item in group.items:
            total, kind = query.count(item.name, {}, by=by, capped=True) if budget > 0 else (None, "none")
            budget -= 1
            text = "" if total is None else show.number(total) + ("+" if kind == "capped" else "")
            tiles.append({"item": item, "count": text})
        apps.append({"group": group, "tiles": tiles})
    mine = ledger.browse(ledger.Filters(actor=f"{by.kind}:{by.id}"), limit=RECENT).entries
    names = targets.names(mine, by=by)
    context = {
        "nav_current": "home",
        "greeting": _greeting(),
        "name": identity_of(request).user.name.split(" ")[0],
        "apps": apps,
        "recent": _recent(request),
        "activity": [sentences.entry(entry, catalog(), names) for entry in mine],
    }
    return render(request, "portal/home.html", context)


def _greeting() -> str:
    hour = timezone.localtime().hour
    if hour < 5 or hour >= 18:
        return _("Good evening")
    return _("Good morning") if hour < 12 else _("Good afternoon")


def _recent(request: HttpRequest) -> list[dict[str, Any]]:
    by, found = actor_of(request), visits.latest(identity_of(request).user_id, RECENT * 2)
    by_object: dict[str, list[str]] = {}
    for visit in found:
        by_object.setdefault(visit.object_name, []).append(str(visit.record_id))
    titles = {name: records.titles(name, ids, by=by) for name, ids in by_object.items()}
    rows = []
    for visit in found:
        title = titles[visit.object_name].get(str(visit.record_id))
        definition = catalog().find(visit.object_name)
        if title is None or definition is None:
            continue
        rows.append({
            "object": definition.name,
            "id": visit.record_id,
            "title": title or _("Untitled"),
            "label": definition.label_for(show.locale()),
            "icon": navigation.icon_of(definition),
            "seen_at": visit.seen_at,
        })  # fmt: skip
    return rows[:RECENT]
