"""The catalogue of modules, and who uses them."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.console.installed import installed_where
from apps.console.operator import actor_of, sees_everything, tenants_of
from apps.console.pages.page import ConsolePage
from apps.modules import catalogue
from apps.modules.models import Version
from apps.tenants.states import State

# Each tenant's installations are read in that tenant's scope; above this many the page says so.
MOST = 100


class CataloguePage(ConsolePage):
    """Modules with their newest version; superusers read new ones from disk."""

    template_name = "console/catalogue.html"
    title = gettext_lazy("Modules")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Enter the modules on disk into the catalogue."""
        if not sees_everything(request):
            raise PermissionDenied(_("The catalogue is shared by all tenants. Ask a superuser."))
        with transaction.atomic():
            made, kept_out = catalogue.register_all(by=actor_of(request))
        text = ngettext("%(n)s module is in the catalogue.", "%(n)s modules are in the catalogue.", len(made))
        messages.success(request, text % {"n": len(made)})
        for error in kept_out:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse("console:catalogue"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The newest versions and their users among the operator's tenants."""
        tenants = list(tenants_of(self.request).exclude(state=State.DELETED).order_by("name")[: MOST + 1])
        where = installed_where(tenants[:MOST])
        modules = [card(version, where) for version in catalogue.available()]
        return super().get_context_data(
            modules=modules,
            may_register=sees_everything(self.request),
            more=len(tenants) > MOST,
            most=MOST,
            **kwargs,
        )


def card(version: Version, where: dict[str, Any]) -> dict[str, Any]:
    """One module for the page."""
    users = where.get(version.module.code, [])
    return {
        "module": version.module,
        "version": version,
        "objects": len(version.content.get("objects", {})),
        "sets": len(version.content.get("permission_sets", {})),
        "users": [
            {
                "name": tenant.name,
                "version": row.version,
                "old": row.checksum != version.checksum,
                "url": reverse("console:tenants_tenant_change", args=[tenant.pk]),
            }
            for tenant, row in users
        ],
    }
