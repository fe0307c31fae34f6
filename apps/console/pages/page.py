"""The frame of every page that is not a register of rows."""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from apps.console.operator import sees_everything


@dataclass(frozen=True, slots=True)
class Page:
    """An address under the console, its name and its view."""

    route: str
    name: str
    view: type[Any]


class ConsolePage(TemplateView):
    """A page with the console's frame; superuser pages refuse operators of single tenants with a reason."""

    site: Any = None
    title: ClassVar[Any] = ""
    subtitle: ClassVar[Any] = ""
    superuser_only: ClassVar[bool] = False

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check the operator's reach before anything is read."""
        if self.superuser_only and not sees_everything(request):
            raise PermissionDenied(_("This page shows the whole platform. Ask a superuser for it."))
        return super().dispatch(request, *args, **kwargs)

    def trail(self) -> list[tuple[Any, str]]:
        """Breadcrumbs between the dashboard and this page, as text and address."""
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The frame's values, then the page's own."""
        frame = self.site.each_context(self.request)
        crumbs = [(_("Console"), reverse("console:index")), *self.trail()]
        return super().get_context_data(
            **{**frame, "title": self.title, "subtitle": self.subtitle, "crumbs": crumbs, **kwargs}
        )
