"""The operators' sign-in: identity checks, throttles and writes the ledger; this page only asks."""

from typing import Any

from django import forms
from django.contrib.auth.views import RedirectURLMixin
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminPasswordWidget

from apps.core.errors import Problem
from apps.identity.devices import remember_device
from apps.identity.services.sign_in import enter


class SignInForm(forms.Form):
    """Address and password, under the names that the theme's template expects."""

    username = forms.EmailField(
        label=_("Email address"),
        widget=UnfoldAdminEmailInputWidget(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )


class SignIn(RedirectURLMixin, FormView):
    """Signs an operator in and goes on to where they wanted to go, within this host."""

    template_name = "console/login.html"
    form_class = SignInForm
    site: Any = None

    def get_default_redirect_url(self) -> str:
        """The dashboard."""
        return reverse("console:index")

    def form_valid(self, form: SignInForm) -> HttpResponse:
        """Ask identity; its refusal is one sentence that tells nothing about the account."""
        values = form.cleaned_data
        try:
            user = enter(self.request, email=values["username"], password=values["password"])
        except Problem as problem:
            form.add_error(None, problem.message)
            response = self.form_invalid(form)
            response.status_code = problem.status
            for name, value in problem.headers.items():
                response[name] = value
            return response
        response = HttpResponseRedirect(self.get_success_url())
        remember_device(response, user_id=user.pk)
        return response

    def wanted(self) -> str:
        """Where the person wanted to go, if it is on this host."""
        return self.get_redirect_url()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The frame of a page without navigation."""
        frame = self.site.each_context(self.request)
        return super().get_context_data(
            **{**frame, "title": _("Sign in"), "app_path": self.request.path, "next": self.wanted(), **kwargs}
        )
