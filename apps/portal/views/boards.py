"""Boards and calendars at work: the next cards of a lane, and a record put into another lane or on another day."""

import datetime as dt
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import Invalid
from apps.objects import records as services
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.permissions.access import Access
from apps.portal import forms, records, saved_views, show
from apps.portal.listing import address as addresses
from apps.portal.listing import board, layouts
from apps.portal.listing.board import NONE
from apps.portal.views.frame import actor_of, back, identity_of, page, record_id
from apps.portal.views.lists import read_address


@require_GET
@page
def lane(request: HttpRequest, name: str) -> HttpResponse:
    """Return the further cards of one lane, from `from` on."""
    definition, access = records.rights(name, actor_of(request))
    access.require("read", definition)
    views = saved_views.visible(name, identity_of(request).user_id)
    address, _view = read_address(request, definition, access, views)
    if address.layout != "board":
        raise Invalid(_("This list is no board."), code="INVALID_REQUEST")
    asked = board.Board(address, definition, access, actor_of(request))
    key = request.GET.get("lane", "")
    cards, more = asked.page(key, request.GET.get("from", ""))
    return render(
        request,
        "portal/board_cards.html",
        {"object": definition, "address": address, "cards": cards, "lane": {"key": key, "more": more}},
    )


@require_POST
@page
def move(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Put the record into another lane or on another day; answers with the lanes that changed."""
    by, ident = actor_of(request), record_id(key)
    definition, access = records.rights(name, by)
    field = _placing(request, definition, access)
    value = request.POST.get("value", "")
    was = records.get(definition, ident, by=by).get(field.name)
    changes = {field.name: placed(field, value, was)}
    services.update(
        name, ident, changes, by=by, if_match=request.POST.get("match") or None, zone=forms.zone()
    )
    listed = reverse("portal:list", args=[name]) + request.POST.get("back", "")
    if "X-Board" not in request.headers:
        return back(request, listed, reverse("portal:list", args=[name]))
    address = addresses.from_query(request.POST.get("back", ""), definition, access.clear(definition))
    if address.layout == "calendar":
        return HttpResponseRedirect(listed)
    touched = {NONE if item is None else str(item) for item in (was, value)}
    made = board.Board(address, definition, access, by).lanes(touched)
    return render(
        request,
        "portal/board_lanes.html",
        {
            "object": definition,
            "address": address,
            "lanes": made,
            "may": {"create": bool(access.can("create", definition))},
        },
    )


def _placing(request: HttpRequest, definition: ObjectDef, access: Access) -> FieldDef:
    """Return the field that the move writes: one by which a board or a calendar can be arranged."""
    name, clear = request.POST.get("field", ""), access.clear(definition)
    possible = [
        *layouts.fields("board", definition, clear),
        *layouts.fields("calendar", definition, clear),
    ]
    found = next((field for field in possible if field.name == name), None)
    if found is None:
        raise Invalid(_("There is no such board."), code="INVALID_REQUEST")
    return found


def placed(field: FieldDef, value: str, was: Any) -> Any:
    """Return what the record gets: the lane's value, the day, or the day with the time of day it had."""
    if value == NONE or not value:
        return None
    if kind_of(field).cell != "datetime":
        return value
    try:
        day = dt.date.fromisoformat(value)
    except ValueError as error:
        raise Invalid(_("This is no day."), code="INVALID_REQUEST") from error
    time = show.moment(was).time() if was else dt.time(9)
    return dt.datetime.combine(day, time, forms.zone()).isoformat()
