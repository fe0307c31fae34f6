"""Pages for operators who are not signed in: asking for a link, and choosing a password with it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView
from unfold.sites import UnfoldAdminSite
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminPasswordWidget

from apps.core.errors import Problem
from apps.identity import confirmations
from apps.identity.place import place_of
from apps.identity.services import accounts


class AddressForm(forms.Form):
    """The address the link goes to."""

    email = forms.EmailField(
        label=_("Email address"),
        widget=UnfoldAdminEmailInputWidget(attrs={"autofocus": True, "autocomplete": "username"}),
    )


class PasswordForm(forms.Form):
    """A new password, twice."""

    new = forms.CharField(
        label=_("New password"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autofocus": True, "autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("New password again"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Both must be the same."""
        values = super().clean() or {}
        if values.get("new") != values.get("again"):
            self.add_error("again", _("The two are not the same."))
        return values


class GatePage(FormView):
    """The frame of a page without navigation; a refusal of identity is shown above the form or at its fields."""

    template_name = "console/gate.html"
    site: UnfoldAdminSite | None = None
    heading: Any = ""
    lead: Any = ""
    button: Any = ""

    def refuse(self, form: forms.Form, problem: Problem) -> HttpResponse:
        """Show the form again with what was wrong; the status and Retry-After are the refusal's."""
        form.add_error(None, " ".join([problem.message, *(error.message for error in problem.fields)]))
        response = self.form_invalid(form)
        response.status_code = problem.status
        for name, value in problem.headers.items():
            response[name] = value
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the template shows."""
        frame = self.site.each_context(self.request) if self.site else {}
        own = {"title": self.heading, "lead": self.lead, "button": self.button}
        return super().get_context_data(**{**frame, **own, "app_path": self.request.path, **kwargs})


class ForgotPassword(GatePage):
    """Asks for a mail; the answer is the same for known and unknown addresses."""

    form_class = AddressForm
    heading = _("Forgotten password")
    lead = _("We mail you a link with which you choose a new one.")
    button = _("Send the link")

    def form_valid(self, form: AddressForm) -> HttpResponse:
        """Ask identity."""
        try:
            accounts.request_reset(email=form.cleaned_data["email"], place=place_of(self.request))
        except Problem as problem:
            return self.refuse(form, problem)
        messages.success(self.request, _("If this address has an account, a link is on its way."))
        return HttpResponseRedirect(reverse("console:login"))


class ChoosePassword(GatePage):
    """Sets the password of the person the link was mailed to; all their sessions end."""

    form_class = PasswordForm
    heading = _("Choose a new password")
    lead = _("Eight characters at least; a sentence is better. All your sessions end.")
    button = _("Change password")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send a dead link back to the page that makes new ones."""
        try:
            confirmations.read_reset(kwargs["token"])
        except Problem as problem:
            messages.error(request, problem.message)
            return HttpResponseRedirect(reverse("console:forgot"))
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: PasswordForm) -> HttpResponse:
        """Ask identity."""
        try:
            accounts.reset_password(token=self.kwargs["token"], new=form.cleaned_data["new"])
        except Problem as problem:
            return self.refuse(form, problem)
        messages.success(self.request, _("Your password is changed. Sign in with it."))
        return HttpResponseRedirect(reverse("console:login"))
