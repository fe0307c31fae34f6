"""The conditions of a form while it is filled in: asked by the page, answered from the expressions that rule the write."""

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from apps.core.actor import Actor
from apps.objects import records as services
from apps.objects.definitions import ObjectDef
from apps.portal import forms, records
from apps.portal.views.frame import actor_of, page, record_id


@require_POST
@page
def looks(request: HttpRequest, name: str) -> HttpResponse:
    """Answer `{hidden, readonly, required, closed}` for what the form holds now; changes nothing."""
    by, key = actor_of(request), request.GET.get("record")
    definition, access = records.rights(name, by)
    access.require("edit" if key else "create", definition)
    record = records.get(definition, record_id(key), by=by) if key else None
    texts = forms.posted(definition, access.editable(definition), request.POST)
    return JsonResponse(_asked(definition, texts, by=by, record=record) or {})


def at_first(
    definition: ObjectDef, texts: Mapping[str, str], *, by: Actor, record: Mapping[str, Any] | None
) -> str:
    """Return the same as JSON text for the page that shows the form first, or nothing."""
    found = _asked(definition, texts, by=by, record=record)
    return json.dumps(found) if found is not None else ""


def _asked(
    definition: ObjectDef, texts: Mapping[str, str], *, by: Actor, record: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    values = {name: forms.raw(definition.fields[name], text) for name, text in texts.items()}
    found = services.looks(definition.name, values, by=by, record=record, zone=forms.zone())
    return found.as_dict() if found is not None else None
