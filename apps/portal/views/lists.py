"""The list of an object, its filter builder, its saved views and its export."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.core.actor import Actor
from apps.core.errors import Problem
from apps.objects.definitions import ObjectDef
from apps.permissions.access import Access
from apps.portal import export, imports, live, preferences, records, saved_views, show
from apps.portal.listing import address as addresses
from apps.portal.listing import builder, filters, layouts
from apps.portal.listing import page as listing
from apps.portal.listing.arrange import arrange, arranged_by, layout_choices
from apps.portal.models import Preference
from apps.portal.navigation import icon_of
from apps.portal.reports import spec as specs
from apps.portal.saved_views import ViewChoice
from apps.portal.views.frame import actor_of, back, identity_of, page

STANDARD = "all"


def read_address(
    request: HttpRequest, definition: ObjectDef, access: Access, views: list[ViewChoice]
) -> tuple[addresses.ListAddress, ViewChoice | None]:
    """Return the list that the address asks for and the saved view it starts from."""
    wish = request.GET.get("view", "")
    plain = not request.GET.keys() & {"view", "f", "q", "sort", "columns", "after", "as"}
    view = next((v for v in views if v.id == wish or (plain and v.default)), None)
    size = preferences.of(identity_of(request).user_id).page_size
    found = addresses.read(
        request.GET,
        definition,
        access.readable(definition),
        size=size,
        base=view.query if view else None,
        clear=access.clear(definition),
    )
    return addresses.with_view(found, view.id if view else (STANDARD if wish == STANDARD else "")), view


@require_GET
@page
def list_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one page of an object's records."""
    by, since = actor_of(request), live.here()
    definition, access = records.rights(name, by)
    access.require("read", definition)
    views = saved_views.visible(name, identity_of(request).user_id)
    address, view = read_address(request, definition, access, views)
    try:
        arranged = arrange(address, definition, access, by=by)
    except Problem as problem:
        if address.cursor and problem.status == 400:  # a place in somebody else's list, or in an older order
            return HttpResponseRedirect(request.path + address.query())
        raise
    context = _around(definition, access, address, views, view, by)
    return render(request, "portal/list.html", context | arranged | {"live_after": since})


def _around(
    definition: ObjectDef,
    access: Access,
    address: addresses.ListAddress,
    views: list[ViewChoice],
    view: ViewChoice | None,
    by: Actor,
) -> dict[str, Any]:
    """Return what stands around the records whatever the layout: heading, tabs, tools, filters."""
    locale, readable, clear = show.locale(), access.readable(definition), access.clear(definition)
    wanted = [{c.field: c.value} for c in address.conditions if c.operator in ("is", "not", "in")]
    names = records.names_for(definition, wanted, [c.field for c in address.conditions], by=by)
    return {
        "object": definition,
        "singular": definition.label_for(locale),
        "plural": definition.label_for(locale, plural=True),
        "description": definition.description_for(locale),
        "icon_name": icon_of(definition),
        "nav_current": definition.name,
        "address": address,
        "views": _tabs(definition, views, view, address),
        "layouts": layout_choices(address, definition, clear),
        "arranged_by": arranged_by(address, definition, clear),
        "current_view": view if view and view.mine else None,
        "may": _may(access, definition),
        "new_types": _new_types(definition, access),
        "chips": listing.chips(
            address.conditions, lambda left: address.query(conditions=left), definition, names
        ),
        "filtered": bool(address.conditions or address.search),
        "clear_href": address.query(conditions=(), search=""),
        "column_choices": listing.column_choices(address, definition, readable),
        "filter_group": _builder(definition, access).whole(address.conditions),
        "kept": _kept(address, without="q"),
        "kept_but_columns": _kept(address, without="columns"),
        "kept_but_by": _kept(address, without="by"),
        "page_sizes": preferences.PAGE_SIZES,
        "densities": Preference.Density.choices,
    }


def _new_types(definition: ObjectDef, access: Access) -> list[tuple[str, str]]:
    """Return the name of each record type and the address of its form, when the reader may choose one."""
    path, locale = reverse("portal:record-new", args=[definition.name]), show.locale()
    return [
        (definition.option_label(one.field, one.value, locale), f"{path}?{urlencode({one.field: one.value})}")
        for one in definition.record_types
        if one.field in access.editable(definition)
    ]


@require_GET
@page
def news(request: HttpRequest, name: str) -> HttpResponse:
    """Say how many of the records named `new` belong to this list, and that `changed` of its rows did; else nothing."""
    by = actor_of(request)
    definition, access = records.rights(name, by)
    access.require("read", definition)
    address, _view = read_address(
        request, definition, access, saved_views.visible(name, identity_of(request).user_id)
    )
    ids = live.ids_of(request.GET.get("new", ""))
    changed = request.GET.get("changed", "0")
    context = {
        "object": definition,
        "made": live.matching(address, definition, ids, by=by),
        "changed": min(int(changed), live.MOST) if changed.isascii() and changed.isdigit() else 0,
        "first_href": reverse("portal:list", args=[name]) + address.query(),
    }
    return render(request, "portal/list_news.html", context)


def _may(access: Access, definition: ObjectDef) -> dict[str, bool]:
    rights = {
        op: bool(access.can(op, definition)) for op in ("create", "edit", "delete", "export", "transfer")
    }
    rights["transfer"] = rights["transfer"] and definition.owner_field is not None
    rights["import"] = imports.may_import(access, definition)
    rights["bulk"] = rights["edit"] or rights["delete"] or rights["transfer"]
    return rights


def _tabs(
    definition: ObjectDef, views: list[ViewChoice], current: ViewChoice | None, address: addresses.ListAddress
) -> list[dict[str, Any]]:
    path, locale = reverse("portal:list", args=[definition.name]), show.locale()
    default = any(v.default for v in views)
    tabs = [{
        "label": definition.view_label(definition.default_view.name, locale) if definition.list_views else _("All"), "href": f"{path}?view={STANDARD}" if default else path,
        "current": current is None and address.params() == addresses.standard(definition, address).params(),
    }]  # fmt: skip
    for name, declared in definition.list_views.items():
        if declared is definition.default_view:
            continue
        query = addresses.of_declared(definition, declared, address)
        href = path + query.query() if query else ""
        if query:
            same = query.params() == address.params()
            tabs.append(
                {
                    "label": definition.view_label(name, locale),
                    "href": href,
                    "current": current is None and same,
                    "icon": layouts.ICONS[declared.type] if declared.type != "table" else "",
                }
            )
    saved = [
        {
            "label": v.name,
            "href": f"{path}?view={v.id}",
            "current": current is v,
            "icon": _layout_icon(v),
            "shared": v.shared,
            "default": v.default,
        }
        for v in views
    ]
    return tabs + saved


def _layout_icon(view: ViewChoice) -> str:
    layout = (view.query.get("as") or ["table"])[0]
    return layouts.ICONS.get(layout, "") if layout != "table" else ""


def _kept(address: addresses.ListAddress, *, without: str) -> list[tuple[str, str]]:
    params = (
        {"f": [""]}
        | address.params()
        | ({"view": [address.view]} if address.view else {})
        | {"size": [str(address.size)]}
    )
    return [(name, value) for name, values in params.items() if name != without for value in values]


def _builder(definition: ObjectDef, access: Access) -> builder.Builder:
    return builder.Builder(definition, access.clear(definition), records.members().items())


@require_GET
@page
def filter_row(request: HttpRequest, name: str) -> HttpResponse:
    """Return one line of the filter builder, or a further group."""
    definition, access = records.rights(name, actor_of(request))
    access.require("read", definition)
    made = _builder(definition, access)
    context: dict[str, Any] = {"object": definition}
    if "new_group" in request.GET:
        parent = builder.path_of(request.GET["new_group"])
        context["group"] = made.new_group(parent, request.GET.getlist("path"))
        return render(request, "portal/filter_group.html", context)
    context["row"] = made.row(
        builder.path_of(request.GET.get("group", "0")),
        request.GET.get("field", ""),
        request.GET.get("operator", ""),
        request.GET.get("value", ""),
        request.GET.get("row", ""),
    )
    return render(request, "portal/filter_row.html", context)


@require_GET
@page
def apply_filter(request: HttpRequest, name: str) -> HttpResponse:
    """Turn the sent builder into the list's address."""
    definition, access = records.rights(name, actor_of(request))
    readable, clear = access.readable(definition), access.clear(definition)
    conditions = builder.sent(request.GET)
    sensible = filters.decode([c.encoded() for c in conditions], definition, clear)
    if len(sensible) < len(conditions):
        messages.warning(request, _("A condition was left out: its value does not fit the field."))
    if wanted := request.GET.get("to", ""):
        spec = specs.read(QueryDict(request.GET.get("back", "").lstrip("?")), definition, clear)
        page_ = (
            reverse("portal:report-new")
            if wanted == "new"
            else reverse("portal:reports") + f"/{UUID(wanted)}"
        )
        return HttpResponseRedirect(page_ + spec.query(conditions=tuple(sensible)))
    address = addresses.from_query(request.GET.get("back", ""), definition, readable)
    return HttpResponseRedirect(
        reverse("portal:list", args=[name]) + address.query(conditions=tuple(sensible))
    )


@require_POST
@page
def save_view(request: HttpRequest, name: str) -> HttpResponse:
    """Keep the list under a name."""
    view = saved_views.save(
        object_name=name,
        name=request.POST.get("name", ""),
        query=request.POST.get("query", ""),
        shared="shared" in request.POST,
        default="default" in request.POST,
        by=actor_of(request),
    )
    messages.success(request, _("The view “%(name)s” is saved.") % {"name": view.name})
    return HttpResponseRedirect(f"{reverse('portal:list', args=[name])}?{urlencode({'view': str(view.id)})}")


@require_POST
@page
def delete_view(request: HttpRequest, name: str, view_id: UUID) -> HttpResponse:
    """Delete a saved view."""
    saved_views.delete(view_id=view_id, by=actor_of(request))
    messages.success(request, _("The view is deleted."))
    return HttpResponseRedirect(reverse("portal:list", args=[name]))


@require_GET
@page
def export_list(request: HttpRequest, name: str) -> FileResponse:
    """Send the list as a file: the columns, order, search and filters that are shown, all pages of it."""
    by = actor_of(request)
    definition, access = records.rights(name, by)
    access.require("export", definition)
    views = saved_views.visible(name, identity_of(request).user_id)
    address, _view = read_address(request, definition, access, views)
    return export.response(definition, address, request.GET.get("format", "csv"), by=by)


@require_POST
@page
def set_preferences(request: HttpRequest) -> HttpResponse:
    """Keep density and rows per page, and return to the list."""
    size = request.POST.get("page_size", "")
    preferences.change(
        by=actor_of(request),
        density=request.POST.get("density") or None,
        page_size=int(size) if size.isdigit() else None,
        theme=request.POST.get("theme") or None,
    )
    wish = request.POST.get("next", "")
    if size.isdigit():
        wish = wish.replace("size=", "was=")
    return back(request, wish, reverse("portal:home"))
