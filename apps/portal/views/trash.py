"""Deleted records of an object, and the way back."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import Problem
from apps.objects import records as services
from apps.portal import records, show
from apps.portal.navigation import icon_of
from apps.portal.views.frame import actor_of, page, record_id

PAGE = 50


@require_GET
@page
def trash(request: HttpRequest, name: str) -> HttpResponse:
    """List the deleted records, the last deleted first."""
    by = actor_of(request)
    definition, access = records.rights(name, by)
    access.require("delete", definition)
    fields = [
        f
        for f in ("id", definition.name_field, "updated_at", "updated_by")
        if f in access.readable(definition)
    ]
    body = {
        "fields": fields,
        "deleted": True,
        "limit": PAGE,
        "after": request.GET.get("after", ""),
        "count": "capped",
    }
    body["orderBy"] = [{"field": "updated_at", "order": "desc"}]
    found = records.find(definition, body, by=by)
    names = records.names_for(definition, found.rows, ["updated_by"], by=by)
    plural = definition.label_for(show.locale(), plural=True)
    context = {
        "object": definition,
        "plural": plural,
        "icon_name": icon_of(definition),
        "nav_current": name,
        "crumbs": [(plural, reverse("portal:list", args=[name])), (_("Deleted records"), "")],
        "rows": [
            {
                "id": row["id"],
                "title": records.title_of(definition, row) or _("Untitled"),
                "who": names.members.get(str(row.get("updated_by")), ""),
                "when": show.when(row["updated_at"]) if row.get("updated_at") else "",
            }
            for row in found.rows
        ],
        "next": found.next_cursor,
    }
    return render(request, "portal/trash.html", context)


@require_POST
@page
def restore(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Take a record out of the bin."""
    try:
        services.restore(name, record_id(key), by=actor_of(request))
    except Problem as problem:
        if problem.status != 409:
            raise
        messages.error(request, problem.message)
        return HttpResponseRedirect(reverse("portal:trash", args=[name]))
    messages.success(request, _("The record is restored."))
    return HttpResponseRedirect(reverse("portal:record", args=[name, key]))
