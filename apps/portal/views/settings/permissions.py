"""Permission sets as a table that can be read, and changed where they are the tenant's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from apps.core.errors import NotFound, Problem
from apps.identity import queries as identity
from apps.identity.models import MembershipState, Role
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.permissions import bodies, queries, services
from apps.permissions.builtin import ADMIN, MEMBER
from apps.permissions.queries import SetView
from apps.permissions.rights import KEYS, Bits
from apps.portal import modules, show
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base

RIGHTS = (
    ("allowRead", gettext_lazy("See")),
    ("allowCreate", gettext_lazy("Create")),
    ("allowEdit", gettext_lazy("Change")),
    ("allowDelete", gettext_lazy("Delete")),
    ("allowExport", gettext_lazy("Export")),
    ("allowTransfer", gettext_lazy("Hand over")),
    ("viewAllRecords", gettext_lazy("See all records")),
    ("modifyAllRecords", gettext_lazy("Change all records")),
)


@dataclass(frozen=True)
class Line:
    """One object of a set with its rights, as (key, words, granted)."""

    name: str
    label: str
    rights: list[tuple[str, str, bool]]


def lines(found: SetView) -> list[Line]:
    """Return what a set grants on every object."""
    grant = bodies.compiled(found.name, found.body)
    made = []
    for definition in catalog():
        bits = grant.bits(definition.name)
        made.append(Line(definition.name, definition.label_for(show.locale(), plural=True), _rights(bits)))
    return made


def _rights(bits: Bits) -> list[tuple[str, str, bool]]:
    return [(key, str(label), bool(bits & KEYS[key])) for key, label in RIGHTS]


@require_GET
@page
def matrix(request: HttpRequest) -> HttpResponse:
    """Show all sets side by side for one object after the other."""
    found, held = queries.permission_sets(), queries.assignments()
    counts = _counts(held, found)
    objects = [_object_line(definition, found) for definition in catalog()]
    titles = modules.labels()
    context = base(request, "permissions") | {
        "sets": [{"set": _worded(s), "count": counts[s.name], "module": titles.get(s.module)} for s in found],
        "objects": objects,
        "may_change": access_of(request).has_system("manage_permissions"),
    }
    return render(request, "portal/settings/permissions.html", context)


def _counts(held: Mapping[UUID, list[str]], found: list[SetView]) -> dict[str, int]:
    """Return how many active members hold each set, by assignment or by their role."""
    counts = dict.fromkeys((s.name for s in found), 0)
    for row in identity.members().filter(state=MembershipState.ACTIVE):
        by_role = {MEMBER.name} | ({ADMIN.name} if row.role in (Role.OWNER, Role.ADMIN) else set())
        for name in by_role | set(held.get(row.user_id, ())):
            counts[name] = counts.get(name, 0) + 1
    return counts


def _worded(found: SetView) -> SetView:
    """Return a built-in set in the reader's language."""
    if not found.built_in:
        return found
    return replace(found, label=_(found.label), description=_(found.description))


def _field_rules(found: SetView) -> list[tuple[str, str, dict[str, bool]]]:
    """Return the set's rules on fields as (object, field, rule), both named as readers know them."""
    told = []
    for key, rule in sorted(found.body.get("fields", {}).items()):
        name, _dot, field = key.partition(".")
        definition = catalog().find(name)
        if definition is None or field not in definition.all_fields:
            told.append((name, field, rule))
        else:
            label = definition.label_for(show.locale(), plural=True)
            told.append((label, show.label(definition, field), rule))
    return told


def _object_line(definition: ObjectDef, found: list[SetView]) -> dict[str, Any]:
    cells = []
    for s in found:
        bits = bodies.compiled(s.name, s.body).bits(definition.name)
        granted = [str(label) for key, label in RIGHTS if bits & KEYS[key]]
        cells.append({"granted": granted, "level": _level(bits)})
    return {"label": definition.label_for(show.locale(), plural=True), "cells": cells}


def _level(bits: Bits) -> dict[str, str]:
    """Return the right in two words and a colour: nothing, own or all records, reading or changing."""
    if not bits & Bits.READ:
        return {"label": _("No access"), "tone": ""}
    everything = bool(bits & (Bits.MODIFY_ALL if bits & Bits.EDIT else Bits.VIEW_ALL))
    if bits & (Bits.CREATE | Bits.EDIT | Bits.DELETE):
        return {"label": _("Change all") if everything else _("Change own"), "tone": "green"}
    return {"label": _("See all") if everything else _("See shared"), "tone": "blue"}


@require_http_methods(["GET", "HEAD", "POST"])
@page
def one(request: HttpRequest, name: str) -> HttpResponse:
    """Show one set in full; the tenant's own may be changed here."""
    fresh = name == "new"
    found = SetView("", "", "", "", {}) if fresh else queries.find_set(name)
    if found is None:
        raise NotFound(_("There is no such permission set."))
    may_change = (
        access_of(request).has_system("manage_permissions") and not found.built_in and not found.module
    )
    problem = None
    if request.method == "POST":
        try:
            return _save(request, found, fresh=fresh)
        except Problem as refused:
            if refused.status not in (400, 409):
                raise
            problem = refused
    holders = [key for key, names in queries.assignments().items() if found.name in names]
    context = base(request, "permissions") | {
        "set": _worded(found),
        "fresh": fresh,
        "lines": lines(found),
        "rights": [str(label) for _key, label in RIGHTS],
        "system": [
            (key, _(text), key in found.body.get("systemPermissions", ()))
            for key, text in bodies.SYSTEM_PERMISSIONS.items()
        ],
        "fields": _field_rules(found),
        "holders": sorted(str(user) for user in identity.people(holders).values()),
        "may_change": may_change,
        "problem": problem,
    }
    crumbs = [
        *context["crumbs"][:1],
        (_("Permissions"), reverse("portal:permissions")),
        (_worded(found).label or _("New"), ""),
    ]
    return render(
        request,
        "portal/settings/permission_set.html",
        context | {"crumbs": crumbs},
        status=problem.status if problem else 200,
    )


def _save(request: HttpRequest, found: SetView, *, fresh: bool) -> HttpResponse:
    by, label = actor_of(request), request.POST.get("label", "").strip()
    if request.POST.get("action") == "delete":
        services.delete_set(name=found.name, by=by)
        messages.success(request, _("The permission set is deleted."))
        return HttpResponseRedirect(reverse("portal:permissions"))
    objects = {}
    for definition in catalog():
        granted = request.POST.getlist(f"object.{definition.name}")
        kept = found.body.get("objects", {}).get(definition.name, {})
        scopes = {key: kept[key] for key in ("readScope", "writeScope") if key in kept}
        objects[definition.name] = {key: key in granted for key, _label in RIGHTS} | scopes
    body = {
        "objects": objects,
        "fields": found.body.get("fields", {}),
        "systemPermissions": request.POST.getlist("system"),
        "rowLevelSecurity": found.body.get("rowLevelSecurity", []),
    }
    description = request.POST.get("description", "").strip()
    if fresh:
        name = request.POST.get("name", "").strip()
        services.create_set(name=name, label=label, body=body, description=description, by=by)
    else:
        name = found.name
        services.update_set(name=name, label=label, body=body, description=description, by=by)
    messages.success(request, _("The permission set is saved."))
    return HttpResponseRedirect(reverse("portal:permission-set", args=[name]))
