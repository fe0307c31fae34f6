"""The operator's own password."""

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminPasswordWidget

from apps.console.deeds import Outcome
from apps.console.pages.form_page import FormPage
from apps.core.actor import Actor
from apps.identity.services import accounts


class PasswordForm(forms.Form):
    """The old one, and the new one twice."""

    current = forms.CharField(
        label=gettext_lazy("Current password"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    new = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=gettext_lazy("New password again"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Both must be the same."""
        values = super().clean() or {}
        if values.get("new") != values.get("again"):
            self.add_error("again", _("The two are not the same."))
        return values


class OwnPassword(FormPage):
    """Changes it; this session stays, all others end."""

    title = gettext_lazy("Change password")
    lead = gettext_lazy("All your other sessions end. Eight characters at least; a sentence is better.")
    form_class = PasswordForm
    button = gettext_lazy("Change password")
    names = {"currentPassword": "current", "newPassword": "new"}

    def perform(self, *, form: forms.Form, by: Actor) -> Outcome:
        """Ask identity."""
        values = form.cleaned_data
        keep = self.request.identity.credential_id  # type: ignore[attr-defined]
        accounts.change_password(by=by, current=values["current"], new=values["new"], session_id=keep)
        return Outcome(_("Your password is changed."), reverse("console:index"))
