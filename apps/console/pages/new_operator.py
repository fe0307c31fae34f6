"""The form that makes somebody an operator."""

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from apps.console.deeds import Outcome
from apps.console.pages.form_page import FormPage
from apps.core import context
from apps.core.actor import Actor
from apps.identity.place import Place
from apps.identity.services import accounts, operators


class OperatorForm(forms.Form):
    """Who, and with which reach."""

    email = forms.EmailField(
        label=gettext_lazy("Email address"), widget=UnfoldAdminEmailInputWidget(attrs={"autofocus": True})
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, widget=UnfoldAdminTextInputWidget)
    superuser = forms.BooleanField(
        label=gettext_lazy("Superuser: all tenants and the platform itself"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )


class NewOperator(FormPage):
    """Makes an operator; a new person gets a link to choose a password."""

    title = gettext_lazy("New operator")
    lead = gettext_lazy(
        "Operators open the console. Without superuser rights they see the tenants that are granted to them, "
        "on their page, after this one."
    )
    superuser_only = True
    form_class = OperatorForm
    button = gettext_lazy("Make operator")
    back = "console:identity_user_changelist"

    def trail(self) -> list[tuple[Any, str]]:
        return [(_("people"), reverse("console:identity_user_changelist"))]

    def perform(self, *, form: forms.Form, by: Actor) -> Outcome:
        """Make the operator and mail the link, as after a forgotten password."""
        values = form.cleaned_data
        user = operators.create_operator(
            email=values["email"], name=values["name"], superuser=values["superuser"], by=by
        )
        if not user.has_usable_password():
            accounts.request_reset(email=user.email, place=Place(host="", ip=context.ip.get()))
        return Outcome(
            _("%(name)s is an operator now. A link to choose a password is on its way.")
            % {"name": user.get_full_name()},
            reverse("console:identity_user_change", args=[user.pk]),
        )
