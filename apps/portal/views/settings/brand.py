"""The tenant's name, colour and logo."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.core.errors import FieldError, Invalid, NotFound, Problem
from apps.core.scope import current_tenant
from apps.portal import branding, logos
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base
from apps.tenants.branding import change_settings
from apps.tenants.queries import snapshot

SWATCHES = ("#4152d4", "#0f766e", "#1d6fb8", "#7c3aed", "#b4325f", "#b45309", "#15803d", "#334155")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def brand(request: HttpRequest) -> HttpResponse:
    """Show and change the brand; says how a colour had to be changed to stay readable."""
    access_of(request).require_system("manage_settings")
    tenant = snapshot(current_tenant().id)
    if tenant is None:
        raise NotFound(_("There is no page at this address."))
    color = tenant.brand_color or branding.DEFAULT
    context: dict[str, Any] = base(request, "brand") | {
        "name": tenant.name,
        "color": color,
        "swatches": SWATCHES,
    }
    problem = None
    if request.method == "POST":
        context |= {
            "name": request.POST.get("name", ""),
            "color": request.POST.get("color", "").strip().lower(),
        }
        try:
            change_settings(tenant_id=current_tenant().id, changes=_changes(request), by=actor_of(request))
        except Problem as refused:
            if refused.status != 400 and refused.code != "QUOTA_EXCEEDED":
                raise
            problem = refused
        else:
            messages.success(request, _("The brand is saved. Everybody sees it on their next page."))
            return HttpResponseRedirect(request.path)
    if branding.COLOR.match(context["color"]):
        colors = branding.brand(context["color"])
        context |= {"brand": colors, "contrast": f"{branding.contrast(colors.light, colors.light_fg):.1f}"}
    errors = {error.field: error.message for error in problem.fields} if problem else {}
    labels = {"name": _("Name"), "brand_color": _("Colour"), "logo": _("Logo")}
    ids = {"brand_color": "color"}
    summary = [(ids.get(n, n), labels.get(n, n), text) for n, text in errors.items()]
    context |= {"problem": problem, "errors": errors, "summary": summary}
    return render(request, "portal/settings/brand.html", context, status=problem.status if problem else 200)


def _changes(request: HttpRequest) -> dict[str, str]:
    color, name = request.POST.get("color", "").strip().lower(), request.POST.get("name", "").strip()
    errors = []
    if not name:
        errors.append(FieldError("name", "required", _("Give the tenant a name.")))
    if color and not branding.COLOR.match(color):
        errors.append(
            FieldError("brand_color", "invalid_format", _("Write a colour as #rrggbb, such as #4152d4."))
        )
    if errors:
        raise Invalid(_("The brand cannot be saved like this."), errors)
    changes = {"name": name, "brand_color": "" if color == branding.DEFAULT else color}
    upload = request.FILES.get("logo")
    if upload is not None:
        if (upload.size or 0) > logos.LIMIT:
            message = _("The image is larger than 512 KB.")
            raise Invalid(message, [FieldError("logo", "max_length", message)])
        changes["logo"] = logos.keep(upload.read())
    elif "remove_logo" in request.POST:
        changes["logo"] = ""
    return changes
