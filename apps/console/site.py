"""The console's admin site: operators only, on the platform's own host."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.decorators import csp_update
from django.contrib import auth
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from apps.console.operator import is_operator
from apps.console.pages import PAGES
from apps.console.pages.dashboard import Dashboard
from apps.console.pages.gate import ChoosePassword, ForgotPassword
from apps.console.pages.health import banners
from apps.console.pages.palette import palette
from apps.console.pages.sign_in import SignIn
from apps.console.stylesheet import stylesheet
from apps.core.errors import NotFound, Problem
from apps.core.errors import PermissionDenied as Forbidden

# The theme's Alpine evaluates the attributes of its templates; everything else stays as strict as elsewhere.
SCRIPTS = {"script-src": ["'self'", "'unsafe-eval'"]}


class ConsoleSite(UnfoldAdminSite):
    """Django's admin with the console's pages; nobody but an operator gets past its door."""

    index_title = _("Dashboard")

    def has_permission(self, request: HttpRequest) -> bool:
        """Operators only; a member's session, or any session on a tenant's host, is refused."""
        return is_operator(request)

    def admin_view(
        self, view: Callable[..., HttpResponseBase], cacheable: bool = False
    ) -> Callable[..., HttpResponseBase]:
        """Guard a page, show refusals of services as pages, and let the theme's scripts run."""
        return csp_update(SCRIPTS)(super().admin_view(self.refusing(view), cacheable))

    def refusing(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        """Turn a refusal that nobody caught into a page with its status, its sentence and its cure."""

        @wraps(view)
        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                with transaction.atomic():
                    return view(request, *args, **kwargs)
            except Problem as problem:
                return self.refusal(request, problem)
            except Http404:
                return self.refusal(
                    request, NotFound(str(_("There is no such page.")), code="RESOURCE_NOT_FOUND")
                )
            except PermissionDenied as error:
                return self.refusal(request, Forbidden(str(error) or str(_("You may not do this."))))

        return shown

    def refusal(self, request: HttpRequest, problem: Problem) -> HttpResponseBase:
        """The page of a refusal; one for what is absent and what may not be seen."""
        crumbs = [(_("Console"), reverse("console:index"))]
        context = {**self.each_context(request), "problem": problem, "crumbs": crumbs}
        context["title"] = _("This did not work")
        return TemplateResponse(request, "console/problem.html", context, status=problem.status)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The pages of our own before those of the registered models."""
        own = [
            path(page.route, self.admin_view(page.view.as_view(site=self)), name=page.name) for page in PAGES
        ]
        gate = [
            path("forgot", csp_update(SCRIPTS)(ForgotPassword.as_view(site=self)), name="forgot"),
            path(
                "reset/<str:token>",
                csp_update(SCRIPTS)(ChoosePassword.as_view(site=self)),
                name="choose_password",
            ),
        ]
        return [path("theme.css", stylesheet, name="stylesheet"), *gate, *own, *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """The frame's values; colours come as a stylesheet because the page's policy forbids inline ones."""
        context = super().each_context(request)
        return context | {
            "colors": None,
            "border_radius": None,
            "styles": [reverse("console:stylesheet"), *context["styles"]],
            "banners": banners(request) if is_operator(request) else [],
        }

    @method_decorator(never_cache)
    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """The dashboard."""
        return Dashboard.as_view(site=self)(request)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """What the palette finds: pages, and the tenants, hosts and people this operator may see."""
        return palette(self, request)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """The sign-in of operators; whoever is one already goes on."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("console:index"))
        return csp_update(SCRIPTS)(SignIn.as_view(site=self))(request)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """End the session and go back to the sign-in."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        auth.logout(request)
        return HttpResponseRedirect(reverse("console:login"))

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Django's form would write past the service; ours does not."""
        return HttpResponseRedirect(reverse("console:own_password"))

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """There are no pages per application: the navigation goes by meaning."""
        return HttpResponseRedirect(reverse("console:index"))


console_site = ConsoleSite(name="console")
